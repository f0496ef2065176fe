#include "messages/api/object_selectors.h"

#include <gtest/gtest.h>

#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/meta.pb.h"
#include "tests/messages/api/text_proto.h"

namespace kubemu {
namespace {

using ::k8s::core::v1::ConfigMap;
using ::k8s::core::v1::Event;
using ::k8s::core::v1::Node;
using ::k8s::core::v1::Pod;

TEST(ObjectSelectorsTest, ALabelSelectorMessageSelectsByLabelsAndExpressions) {
  absl::StatusOr<LabelSelector> selector =
      ToLabelSelector(FromText<::k8s::meta::v1::LabelSelector>(R"(
        match_labels { key: 'app' value: 'web' }
        match_expressions { key: 'tier' operator: 'In' values: ['x', 'y'] }
        match_expressions { key: 'old' operator: 'DoesNotExist' })"));
  ASSERT_TRUE(selector.ok()) << selector.status();
  EXPECT_EQ(selector->ToString(), "app=web,!old,tier in (x,y)");
  const Pod pod = FromText<Pod>(
      "metadata { labels { key: 'app' value: 'web' } labels { key: 'tier' value: 'y' } }");
  EXPECT_TRUE(selector->MatchesLabels(pod.metadata().labels()));
  EXPECT_FALSE(selector->MatchesLabels(Pod().metadata().labels()));
  EXPECT_TRUE(ToLabelSelector({})->IsEverything());
}

TEST(ObjectSelectorsTest, AnUnknownOperatorIsAnError) {
  EXPECT_EQ(ToLabelSelector(FromText<::k8s::meta::v1::LabelSelector>(
                                "match_expressions { key: 'a' operator: 'Near' }"))
                .status()
                .message(),
            "\"Near\" is not a valid label selector operator");
}

TEST(ObjectSelectorsTest, PodsAreSelectedByNodeAndPhase) {
  const Pod pod = FromText<Pod>(R"(metadata { name: 'p' namespace: 'n' }
      spec { node_name: 'node-1' } status { phase: 'Running' })");
  const auto matches = [&pod](std::string_view selector) {
    return MatchesFields(pod, *FieldSelector::Parse(selector));
  };
  EXPECT_TRUE(matches("spec.nodeName=node-1,status.phase!=Failed,status.phase!=Succeeded"));
  EXPECT_FALSE(matches("spec.nodeName=node-2"));
  EXPECT_TRUE(matches("metadata.name=p,metadata.namespace=n,spec.hostNetwork=false"));
  EXPECT_FALSE(matches("metadata.name!=p"));
}

TEST(ObjectSelectorsTest, OtherKindsHaveTheirOwnFields) {
  EXPECT_EQ(*FieldValue(FromText<Node>("spec { unschedulable: true }"), "spec.unschedulable"),
            "true");
  const Event event = FromText<Event>(R"(involved_object { kind: 'Pod' name: 'p' uid: 'u' }
      reason: 'Killing' type: 'Normal' reporting_component: 'kubelet')");
  EXPECT_EQ(*FieldValue(event, "involvedObject.name"), "p");
  EXPECT_EQ(*FieldValue(event, "source"), "kubelet");
}

TEST(ObjectSelectorsTest, AFieldThatAKindDoesNotHaveIsAnError) {
  EXPECT_EQ(FieldValue(Pod(), "spec.color").status().message(),
            "field label not supported: spec.color");
  EXPECT_EQ(FieldValue(ConfigMap(), "spec.nodeName").status().message(),
            "field label not supported: spec.nodeName");
  EXPECT_TRUE(CheckFieldSelector(Pod(), *FieldSelector::Parse("spec.nodeName=x")).ok());
  EXPECT_FALSE(CheckFieldSelector(Node(), *FieldSelector::Parse("spec.nodeName=x")).ok());
}

}  // namespace
}  // namespace kubemu
