#include "messages/api/strategic_merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "messages/api/patch.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

template <typename Kind>
void ExpectMerged(const char* original, const char* patch, const char* expected) {
  absl::StatusOr<json::value> merged =
      StrategicMerge(json::parse(original), json::parse(patch), *Kind::descriptor());
  ASSERT_TRUE(merged.ok()) << patch << ": " << merged.status();
  EXPECT_TRUE(JsonEqual(*merged, json::parse(expected))) << json::serialize(*merged);
}

template <typename Kind>
std::string MergeError(const char* original, const char* patch) {
  absl::StatusOr<json::value> merged =
      StrategicMerge(json::parse(original), json::parse(patch), *Kind::descriptor());
  return merged.ok() ? "merged" : std::string(merged.status().message());
}

using ::k8s::apps::v1::Deployment;
using ::k8s::core::v1::Node;
using ::k8s::core::v1::Pod;
using ::k8s::core::v1::Service;

TEST(StrategicMergeTest, ContainersAreMergedByName) {
  ExpectMerged<Pod>(
      R"({"spec":{"containers":[{"name":"a","image":"x:1"},{"name":"b","image":"y:1"}]}})",
      R"({"spec":{"containers":[{"name":"b","image":"y:2"},{"name":"c","image":"z"}]}})",
      R"({"spec":{"containers":[{"name":"a","image":"x:1"},{"name":"b","image":"y:2"},
                                {"name":"c","image":"z"}]}})");
}

TEST(StrategicMergeTest, PortsOfAServiceAreMergedByPortAndOfAContainerByContainerPort) {
  ExpectMerged<Service>(R"({"spec":{"ports":[{"port":80,"nodePort":30080}]}})",
                        R"({"spec":{"ports":[{"port":80,"name":"http"}]}})",
                        R"({"spec":{"ports":[{"port":80,"nodePort":30080,"name":"http"}]}})");
  ExpectMerged<Pod>(
      R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80}]}]}})",
      R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":81}]}]}})",
      R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80},{"containerPort":81}]}]}})");
}

TEST(StrategicMergeTest, ListsWithoutAMergeKeyAreReplaced) {
  ExpectMerged<Node>(R"({"spec":{"taints":[{"key":"a","effect":"NoSchedule"}]}})",
                     R"({"spec":{"taints":[{"key":"b","effect":"NoExecute"}]}})",
                     R"({"spec":{"taints":[{"key":"b","effect":"NoExecute"}]}})");
  ExpectMerged<Pod>(R"({"spec":{"containers":[{"name":"a","args":["1","2"]}]}})",
                    R"({"spec":{"containers":[{"name":"a","args":["3"]}]}})",
                    R"({"spec":{"containers":[{"name":"a","args":["3"]}]}})");
}

TEST(StrategicMergeTest, PrimitiveListsWithMergeStrategyAreUnions) {
  ExpectMerged<Pod>(R"({"metadata":{"finalizers":["a/x","b/y"]}})",
                    R"({"metadata":{"finalizers":["b/y","c/z"]}})",
                    R"({"metadata":{"finalizers":["a/x","b/y","c/z"]}})");
  ExpectMerged<Pod>(R"({"metadata":{"finalizers":["a/x","b/y"]}})",
                    R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a/x"]}})",
                    R"({"metadata":{"finalizers":["b/y"]}})");
}

TEST(StrategicMergeTest, NullRemovesAndMapsAreMergedByTheirKeys) {
  ExpectMerged<Pod>(R"({"metadata":{"labels":{"a":"1","b":"2"}}})",
                    R"({"metadata":{"labels":{"a":null,"c":"3"}}})",
                    R"({"metadata":{"labels":{"b":"2","c":"3"}}})");
  ExpectMerged<Node>(R"({"spec":{"unschedulable":true}})", R"({"spec":{"unschedulable":null}})",
                     R"({"spec":{}})");
  ExpectMerged<Pod>(R"({})", R"({"metadata":{"labels":{"a":null,"b":"2"}}})",
                    R"({"metadata":{"labels":{"b":"2"}}})");
}

TEST(StrategicMergeTest, PatchDirectivesDeleteAndReplaceElementsListsAndObjects) {
  ExpectMerged<Pod>(R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
                    R"({"spec":{"containers":[{"name":"a","$patch":"delete"}]}})",
                    R"({"spec":{"containers":[{"name":"b"}]}})");
  ExpectMerged<Pod>(R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
                    R"({"spec":{"containers":[{"$patch":"replace"},{"name":"c"}]}})",
                    R"({"spec":{"containers":[{"name":"c"}]}})");
  ExpectMerged<Pod>(R"({"metadata":{"labels":{"a":"1"}}})",
                    R"({"metadata":{"labels":{"$patch":"replace","b":"2"}}})",
                    R"({"metadata":{"labels":{"b":"2"}}})");
  ExpectMerged<Pod>(R"({"metadata":{"labels":{"a":"1"}}})",
                    R"({"metadata":{"labels":{"$patch":"delete"}}})",
                    R"({"metadata":{"labels":{}}})");
}

TEST(StrategicMergeTest, RetainKeysDropsTheMembersThatAreNotNamed) {
  ExpectMerged<Deployment>(
      R"({"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}})",
      R"({"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}})",
      R"({"spec":{"strategy":{"type":"Recreate"}}})");
  ExpectMerged<Pod>(
      R"({"spec":{"volumes":[{"name":"v","emptyDir":{}}]}})",
      R"({"spec":{"volumes":[{"name":"v","$retainKeys":["name","hostPath"],"hostPath":{"path":"/"}}]}})",
      R"({"spec":{"volumes":[{"name":"v","hostPath":{"path":"/"}}]}})");
}

TEST(StrategicMergeTest, SetElementOrderPutsTheListInOrder) {
  ExpectMerged<Pod>(
      R"({"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"server"}]}})",
      R"({"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],
                  "containers":[{"name":"a","image":"x"}]}})",
      R"({"spec":{"containers":[{"name":"b"},{"name":"a","image":"x"},{"name":"server"}]}})");
  // A list that the patch only orders keeps its elements.
  ExpectMerged<Pod>(R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
                    R"({"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]}})",
                    R"({"spec":{"containers":[{"name":"b"},{"name":"a"}]}})");
}

TEST(StrategicMergeTest, SetImageOfKubectlChangesOneContainerOfATemplate) {
  ExpectMerged<Deployment>(
      R"({"spec":{"replicas":3,"template":{"spec":{"containers":[
           {"name":"web","image":"nginx:1","ports":[{"containerPort":80}]},{"name":"log"}]}}}})",
      R"({"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"web"},{"name":"log"}],
           "containers":[{"image":"nginx:2","name":"web"}]}}}})",
      R"({"spec":{"replicas":3,"template":{"spec":{"containers":[
           {"name":"web","image":"nginx:2","ports":[{"containerPort":80}]},{"name":"log"}]}}}})");
}

TEST(StrategicMergeTest, InlinedMessagesAreFoundThroughTheirParent) {
  ExpectMerged<Pod>(
      R"({"spec":{"volumes":[{"name":"v","projected":{"sources":[{"secret":{"name":"s"}}]}}]}})",
      R"({"spec":{"volumes":[{"name":"v","projected":{"defaultMode":420}}]}})",
      R"({"spec":{"volumes":[{"name":"v","projected":{"sources":[{"secret":{"name":"s"}}],
                                                      "defaultMode":420}}]}})");
}

TEST(StrategicMergeTest, ErrorsSayWhatIsMissingOrWrong) {
  EXPECT_THAT(MergeError<Pod>(R"({"spec":{"containers":[{"name":"a"}]}})",
                              R"({"spec":{"containers":[{"image":"x"}]}})"),
              HasSubstr("does not contain declared merge key: name"));
  EXPECT_THAT(MergeError<Pod>("{}", R"({"$patch":"explode"})"),
              HasSubstr("unknown patch type: \"explode\""));
  EXPECT_THAT(MergeError<Pod>(R"({"metadata":{"labels":{"a":"1"}}})",
                              R"({"metadata":{"labels":{"$retainKeys":["b"],"c":"1"}}})"),
              HasSubstr("invalid patch format of retainKeys"));
  EXPECT_THAT(MergeError<Pod>(R"({"spec":{"containers":[{"name":"a"}]}})",
                              R"({"spec":{"$setElementOrder/containers":[{"name":"b"}],
                                          "containers":[{"name":"a"}]}})"),
              HasSubstr("doesn't match $setElementOrder/containers list"));
  EXPECT_FALSE(MergeError<Pod>("{}", "[]") == "merged");
}

// An algorithm of quadratic time would take minutes for these.
TEST(StrategicMergeTest, TakesLongLists) {
  constexpr int kLength = 60'000;
  json::array containers;
  json::array order;
  json::array gone;
  for (int i = 0; i < kLength; ++i) {
    const std::string name = "c" + std::to_string(i);
    containers.push_back(json::object{{"name", name}, {"image", "i"}});
    order.push_back(json::object{{"name", name}});
    if (i % 2 == 0) gone.push_back(json::object{{"$patch", "delete"}, {"name", name}});
  }
  const json::value original = {{"spec", {{"containers", containers}}}};
  const auto reordered = StrategicMerge(
      original, {{"spec", {{"$setElementOrder/containers", order}, {"containers", containers}}}},
      *Pod::descriptor());
  ASSERT_TRUE(reordered.ok());
  EXPECT_TRUE(JsonEqual(*reordered, original));
  const auto half =
      StrategicMerge(original, {{"spec", {{"containers", gone}}}}, *Pod::descriptor());
  ASSERT_TRUE(half.ok());
  EXPECT_EQ(half->at("spec").at("containers").get_array().size(), size_t{kLength / 2});
}

TEST(StrategicMergeTest, NumbersAreTheSameHoweverTheyAreWritten) {
  ExpectMerged<Service>(R"({"spec":{"ports":[{"port":80,"name":"a"}]}})",
                        R"({"spec":{"ports":[{"port":80.0,"name":"b"}]}})",
                        R"({"spec":{"ports":[{"port":80,"name":"b"}]}})");
}

}  // namespace
}  // namespace kubemu
