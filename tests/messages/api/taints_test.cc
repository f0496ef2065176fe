#include "messages/api/taints.h"

#include <gtest/gtest.h>

#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "tests/messages/api/text_proto.h"

namespace kubemu {
namespace {

using ::k8s::core::v1::Node;
using ::k8s::core::v1::NodeSelectorTerm;
using ::k8s::core::v1::PodSpec;
using ::k8s::core::v1::Taint;
using ::k8s::core::v1::Toleration;

bool TextTolerates(const std::string& toleration, const std::string& taint) {
  return Tolerates(FromText<Toleration>(toleration), FromText<Taint>(taint));
}

TEST(TaintsTest, ATolerationMatchesKeyValueAndEffect) {
  const std::string taint = "key: 'a' value: '1' effect: 'NoSchedule'";
  EXPECT_TRUE(TextTolerates("key: 'a' value: '1' effect: 'NoSchedule'", taint));
  EXPECT_TRUE(TextTolerates("key: 'a' operator: 'Equal' value: '1'", taint));
  EXPECT_FALSE(TextTolerates("key: 'a' value: '2'", taint));
  EXPECT_FALSE(TextTolerates("key: 'b' operator: 'Exists'", taint));
  EXPECT_FALSE(TextTolerates("key: 'a' operator: 'Exists' effect: 'NoExecute'", taint));
  EXPECT_TRUE(TextTolerates("key: 'a' operator: 'Exists'", taint));
  EXPECT_TRUE(TextTolerates("operator: 'Exists'", taint));
  EXPECT_FALSE(TextTolerates("key: 'a' operator: 'Odd' value: '1'", taint));
}

TEST(TaintsTest, FindsTheFirstTaintThatKeepsAPodOut) {
  const Node node = FromText<Node>(R"(spec {
      taints { key: 'soft' effect: 'PreferNoSchedule' }
      taints { key: 'a' effect: 'NoSchedule' }
      taints { key: 'b' effect: 'NoExecute' } })");
  PodSpec pod;
  const Taint* taint = FirstUntoleratedTaint(pod.tolerations(), node.spec().taints());
  ASSERT_NE(taint, nullptr);
  EXPECT_EQ(taint->key(), "a");
  pod = FromText<PodSpec>("tolerations { key: 'a' operator: 'Exists' }");
  EXPECT_EQ(FirstUntoleratedTaint(pod.tolerations(), node.spec().taints())->key(), "b");
  pod = FromText<PodSpec>("tolerations { operator: 'Exists' }");
  EXPECT_EQ(FirstUntoleratedTaint(pod.tolerations(), node.spec().taints()), nullptr);
}

bool TermMatches(const std::string& term) {
  const Node node = FromText<Node>(R"(metadata {
      name: 'node-1'
      labels { key: 'zone' value: 'a' }
      labels { key: 'rank' value: '7' } })");
  return MatchesTerm(FromText<NodeSelectorTerm>(term), node);
}

TEST(NodeAffinityTest, EveryOperatorOfATerm) {
  EXPECT_TRUE(TermMatches("match_expressions { key: 'zone' operator: 'In' values: ['a', 'b'] }"));
  EXPECT_FALSE(TermMatches("match_expressions { key: 'zone' operator: 'NotIn' values: 'a' }"));
  EXPECT_TRUE(TermMatches("match_expressions { key: 'other' operator: 'NotIn' values: 'a' }"));
  EXPECT_TRUE(TermMatches("match_expressions { key: 'zone' operator: 'Exists' }"));
  EXPECT_TRUE(TermMatches("match_expressions { key: 'other' operator: 'DoesNotExist' }"));
  EXPECT_TRUE(TermMatches("match_expressions { key: 'rank' operator: 'Gt' values: '6' }"));
  EXPECT_FALSE(TermMatches("match_expressions { key: 'rank' operator: 'Lt' values: '7' }"));
  EXPECT_FALSE(TermMatches("match_expressions { key: 'zone' operator: 'Gt' values: '6' }"));
  EXPECT_TRUE(TermMatches("match_fields { key: 'metadata.name' operator: 'In' values: 'node-1' }"));
  EXPECT_FALSE(TermMatches("match_fields { key: 'metadata.uid' operator: 'In' values: 'node-1' }"));
  EXPECT_FALSE(TermMatches(""));
}

TEST(NodeAffinityTest, NodeSelectorAndOneRequiredTermMustMatch) {
  const Node node = FromText<Node>("metadata { labels { key: 'zone' value: 'a' } }");
  const auto allows = [&node](const std::string& spec) {
    return MatchesNodeSelectorAndAffinity(FromText<PodSpec>(spec), node);
  };
  const std::string zone_b = R"(affinity { node_affinity {
      required_during_scheduling_ignored_during_execution {
        node_selector_terms { match_expressions { key: 'zone' operator: 'In' values: 'b' } })";
  EXPECT_TRUE(allows(""));
  EXPECT_TRUE(allows("node_selector { key: 'zone' value: 'a' }"));
  EXPECT_FALSE(allows("node_selector { key: 'zone' value: 'b' }"));
  EXPECT_FALSE(allows(zone_b + "} } }"));
  EXPECT_TRUE(
      allows(zone_b +
             "node_selector_terms { match_expressions { key: 'zone' operator: 'Exists' } } } } }"));
  EXPECT_FALSE(allows(
      "affinity { node_affinity { required_during_scheduling_ignored_during_execution { } } }"));
}

}  // namespace
}  // namespace kubemu
