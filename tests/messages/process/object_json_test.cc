#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/object.h"
#include "messages/proto/k8s/core_config.pb.h"

namespace kubemu {
namespace {

Object MapNamed(const std::string& name) {
  k8s::core::v1::ConfigMap map;
  map.mutable_metadata()->set_name(name);
  return Object::From(std::move(map));
}

std::string JsonOf(const Object& object, bool typed) {
  std::string json = "before ";
  object.AppendJsonTo(typed, &json);
  return json;
}

std::string Expected(const Object& object, bool typed) {
  std::string json = "before ";
  AppendJson(object.message(), typed ? &object.kind() : nullptr, &json);
  return json;
}

TEST(ObjectJson, IsTheSameKeptOrNot) {
  const auto budget = std::make_shared<JsonBudget>(JsonBudget{1000});
  const Object plain = MapNamed("a");
  const Object kept = MapNamed("a");
  kept.KeepJson(budget);
  for (const bool typed : {true, false, true}) {
    EXPECT_EQ(JsonOf(plain, typed), Expected(plain, typed));
    EXPECT_EQ(JsonOf(kept, typed), Expected(kept, typed));
  }
}

TEST(ObjectJson, AnObjectWithoutMembersIsWrittenWithAndWithoutItsType) {
  const auto budget = std::make_shared<JsonBudget>(JsonBudget{1000});
  const Object empty = Object::From(k8s::core::v1::ConfigMap());
  empty.KeepJson(budget);
  EXPECT_EQ(JsonOf(empty, true), Expected(empty, true));
  EXPECT_EQ(JsonOf(empty, false), Expected(empty, false));
}

TEST(ObjectJson, IsKeptFromItsFirstUseUntilTheObjectIsGone) {
  const auto budget = std::make_shared<JsonBudget>(JsonBudget{1000});
  Object object = MapNamed("a");
  object.KeepJson(budget);
  EXPECT_EQ(budget->bytes, 0u);
  JsonOf(object, true);
  EXPECT_EQ(budget->bytes, std::string(R"({"metadata":{"name":"a"}})").size());
  JsonOf(object, false);
  EXPECT_EQ(budget->bytes, std::string(R"({"metadata":{"name":"a"}})").size());
  Object other = object;
  object = Object();
  EXPECT_GT(budget->bytes, 0u);
  other = Object();
  EXPECT_EQ(budget->bytes, 0u);
}

TEST(ObjectJson, PastTheBudgetNothingIsKeptAndTheTextIsStillRight) {
  const auto budget = std::make_shared<JsonBudget>(JsonBudget{60});
  const Object first = MapNamed("first");
  Object second = MapNamed("second");
  const Object third = MapNamed("third");
  for (const Object& object : {first, second, third}) object.KeepJson(budget);
  for (const Object& object : {first, second, third}) {
    EXPECT_EQ(JsonOf(object, true), Expected(object, true));
    EXPECT_LE(budget->bytes, budget->bytes_max);
  }
  const size_t full = budget->bytes;
  JsonOf(third, true);
  EXPECT_EQ(budget->bytes, full);
  second = Object();  // makes room
  JsonOf(third, true);
  EXPECT_GT(budget->bytes, std::string(R"({"metadata":{"name":"first"}})").size());
  EXPECT_LE(budget->bytes, budget->bytes_max);
}

}  // namespace
}  // namespace kubemu
