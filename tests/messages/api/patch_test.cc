#include "messages/api/patch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

namespace kubemu {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

std::string Merged(const char* original, const char* patch) {
  return json::serialize(MergePatch(json::parse(original), json::parse(patch)));
}

absl::StatusOr<json::value> Patched(const char* original, const char* patch) {
  return JsonPatch(json::parse(original), json::parse(patch));
}

void ExpectPatched(const char* original, const char* patch, const char* expected) {
  absl::StatusOr<json::value> result = Patched(original, patch);
  ASSERT_TRUE(result.ok()) << patch << ": " << result.status();
  EXPECT_TRUE(JsonEqual(*result, json::parse(expected))) << json::serialize(*result);
}

TEST(MergePatchTest, MergesObjectsRemovesNullsReplacesTheRest) {
  EXPECT_EQ(Merged(R"({"a":{"b":1,"c":2}})", R"({"a":{"b":null,"d":3}})"),
            R"({"a":{"c":2,"d":3}})");
  EXPECT_EQ(Merged(R"({"a":[1,2]})", R"({"a":[3]})"), R"({"a":[3]})");
  EXPECT_EQ(Merged(R"({"a":1})", R"({"a":{"b":{"c":null}}})"), R"({"a":{"b":{}}})");
  EXPECT_EQ(Merged(R"({"a":1})", R"("text")"), R"("text")");
}

TEST(JsonPatchTest, EachOperationDoesWhatTheStandardSays) {
  ExpectPatched(R"({"a":1})", R"([{"op":"add","path":"/b","value":2}])", R"({"a":1,"b":2})");
  ExpectPatched(R"({"a":[1,3]})", R"([{"op":"add","path":"/a/1","value":2}])", R"({"a":[1,2,3]})");
  ExpectPatched(R"({"a":[1]})", R"([{"op":"add","path":"/a/-","value":2}])", R"({"a":[1,2]})");
  ExpectPatched(R"({"a":1,"b":2})", R"([{"op":"remove","path":"/a"}])", R"({"b":2})");
  ExpectPatched(R"({"a":{"x":1}})", R"([{"op":"replace","path":"/a/x","value":9}])",
                R"({"a":{"x":9}})");
  ExpectPatched(R"({"a":1})", R"([{"op":"move","from":"/a","path":"/b"}])", R"({"b":1})");
  ExpectPatched(R"({"a":[1,2,3]})", R"([{"op":"move","from":"/a/0","path":"/a/2"}])",
                R"({"a":[2,3,1]})");
  ExpectPatched(R"({"a":1})", R"([{"op":"copy","from":"/a","path":"/b"}])", R"({"a":1,"b":1})");
  ExpectPatched(R"({"a/b":{"m~n":1}})", R"([{"op":"test","path":"/a~1b/m~0n","value":1.0}])",
                R"({"a/b":{"m~n":1}})");
  ExpectPatched(R"({"a":1})", R"([{"op":"replace","path":"","value":[]}])", R"([])");
}

TEST(JsonPatchTest, ErrorsNameTheOperationAndItsPath) {
  absl::Status missing =
      Patched("{}", R"([{"op":"add","path":"/x","value":1},{"op":"remove","path":"/a/b"}])")
          .status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(missing.message(), "operation 1 (remove /a/b): missing key \"a\"");

  absl::Status tested = Patched(R"({"a":1})", R"([{"op":"test","path":"/a","value":2}])").status();
  EXPECT_EQ(tested.message(), "operation 0 (test /a): test failed");

  absl::Status unknown = Patched("{}", R"([{"op":"swap","path":"/a"}])").status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("unknown op \"swap\""));

  EXPECT_EQ(Patched("{}", R"({"op":"add"})").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(Patched("{}", R"([{"op":"add","path":"a","value":1}])").ok());
  EXPECT_FALSE(Patched("{}", R"([{"op":"add","path":"/a"}])").ok());
  EXPECT_FALSE(Patched("{}", R"([7])").ok());
  EXPECT_FALSE(Patched(R"({"a":[1]})", R"([{"op":"add","path":"/a/2","value":1}])").ok());
  EXPECT_FALSE(Patched(R"({"a":[1]})", R"([{"op":"remove","path":"/a/01"}])").ok());
  EXPECT_FALSE(Patched(R"({"a":{"b":1}})", R"([{"op":"move","from":"/a","path":"/a/b"}])").ok());
}

TEST(JsonPatchTest, HasALimitOnOperations) {
  json::array operations(kJsonPatchOperationsMax + 1,
                         json::parse(R"({"op":"add","path":"/a","value":1})"));
  absl::Status status = JsonPatch(json::object(), operations).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "The allowed maximum operations in a JSON patch is 10000, got 10001");
}

TEST(JsonPatchTest, HasALimitOnWhatCopiesAddUpTo) {
  json::object document{{"a", std::string(1024 * 1024, 'x')}};
  json::array operations;
  for (const char* target : {"/b", "/c", "/d", "/e"}) {
    operations.push_back(json::object{{"op", "copy"}, {"from", "/a"}, {"path", target}});
  }
  EXPECT_EQ(JsonPatch(document, operations).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(JsonEqualTest, ComparesNumbersByValueAndObjectsWithoutOrder) {
  EXPECT_TRUE(
      JsonEqual(json::parse("[1,{\"a\":1,\"b\":2}]"), json::parse("[1.0,{\"b\":2,\"a\":1}]")));
  EXPECT_TRUE(JsonEqual(json::value(int64_t{5}), json::value(uint64_t{5})));
  EXPECT_FALSE(JsonEqual(json::value(int64_t{-1}), json::value(~uint64_t{0})));
  EXPECT_FALSE(JsonEqual(json::parse("1"), json::parse("\"1\"")));
}

}  // namespace
}  // namespace kubemu
