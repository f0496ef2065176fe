#include "master/scheduler/scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/scheduler/inter_pod_affinity.h"
#include "master/scheduler/placement.h"
#include "master/scheduler/topology_spread.h"
#include "tests/master/scheduler/fixtures.h"

namespace kubemu {
namespace {

using testing::ElementsAre;

std::vector<const NodeInfo*> AllOf(const Cluster& cluster) {
  return {cluster.nodes().begin(), cluster.nodes().end()};
}

TEST(Scores, LeastAllocatedAveragesTheFreeShares) {
  const Cluster cluster = ClusterOf({MakeNode("a", "4", "1000Mi")});
  // cpu: (4000 - 1000) / 4000 = 75; memory: (1000 - 500) / 1000 = 50.
  EXPECT_EQ(LeastAllocatedScore(InfoOf(MakePod("p", "1", "500Mi")), *cluster.nodes()[0]), 62);
}

TEST(Scores, PodsWithoutRequestsCountTheDefaults) {
  const Cluster cluster = ClusterOf({MakeNode("a", "1", "1000Mi")});
  // cpu: (1000 - 100) / 1000 = 90; memory: (1000 - 200) / 1000 = 80.
  EXPECT_EQ(LeastAllocatedScore(InfoOf(MakePod("p")), *cluster.nodes()[0]), 85);
}

TEST(Scores, BalancedAllocationIsFullWhenBothSharesAreEqual) {
  const Cluster cluster = ClusterOf({MakeNode("a", "2", "1000Mi")});
  EXPECT_EQ(BalancedAllocationScore(InfoOf(MakePod("p", "1", "500Mi")), *cluster.nodes()[0]), 100);
  // Shares 0.5 and 0.25: half their distance is 0.125.
  EXPECT_EQ(BalancedAllocationScore(InfoOf(MakePod("p", "1", "250Mi")), *cluster.nodes()[0]), 87);
}

TEST(Scores, NormalizationStretchesAndReverses) {
  std::vector<int64_t> scores = {0, 1, 4};
  NormalizeScores(false, &scores);
  EXPECT_THAT(scores, ElementsAre(0, 25, 100));
  scores = {0, 1, 4};
  NormalizeScores(true, &scores);
  EXPECT_THAT(scores, ElementsAre(100, 75, 0));
  scores = {0, 0};
  NormalizeScores(true, &scores);
  EXPECT_THAT(scores, ElementsAre(100, 100));
}

TEST(Scores, OnlyUntoleratedPreferencesCountAgainstANode) {
  Node node = MakeNode("a");
  AddTaint(&node, "slow", "PreferNoSchedule");
  AddTaint(&node, "old", "PreferNoSchedule");
  AddTaint(&node, "shut", "NoSchedule");
  const Cluster cluster = ClusterOf({node});
  Pod pod = MakePod("p");
  EXPECT_EQ(IntolerableTaints(InfoOf(pod), *cluster.nodes()[0]), 2);
  auto* toleration = pod.mutable_spec()->add_tolerations();
  toleration->set_key("slow");
  toleration->set_operator_("Exists");
  EXPECT_EQ(IntolerableTaints(InfoOf(pod), *cluster.nodes()[0]), 1);
}

TEST(Scores, PreferredNodeTermsAddUpTheirWeights) {
  const Cluster cluster = ClusterOf({InZone(MakeNode("a"), "z1"), MakeNode("b")});
  Pod pod = MakePod("p");
  auto* affinity = pod.mutable_spec()->mutable_affinity()->mutable_node_affinity();
  for (const auto& [key, weight] : {std::pair(kZoneLabel, 10), std::pair(kHostnameLabel, 5)}) {
    auto* term = affinity->add_preferred_during_scheduling_ignored_during_execution();
    term->set_weight(weight);
    auto* expression = term->mutable_preference()->add_match_expressions();
    expression->set_key(std::string(key));
    expression->set_operator_("Exists");
  }
  EXPECT_EQ(PreferredNodeWeight(InfoOf(pod), *cluster.FindNode("a")), 15);
  EXPECT_EQ(PreferredNodeWeight(InfoOf(pod), *cluster.FindNode("b")), 5);
}

TEST(Scores, ImagesAlreadyThereCountBySizeAndByHowManyNodesHaveThem) {
  Node node = MakeNode("a");
  auto* image = node.mutable_status()->add_images();
  image->add_names("nginx:latest");
  image->set_size_bytes(int64_t{600} * 1024 * 1024);
  const Cluster alone = ClusterOf({node});
  // 100 * (600 - 23) / (1000 - 23)
  EXPECT_EQ(ImageLocalityScore(InfoOf(MakePod("p")), *alone.nodes()[0], alone), 59);
  const Cluster half = ClusterOf({node, MakeNode("b")});
  // The image is on one node of two: 300 MB count.
  EXPECT_EQ(ImageLocalityScore(InfoOf(MakePod("p")), *half.FindNode("a"), half), 28);
  EXPECT_EQ(ImageLocalityScore(InfoOf(MakePod("p")), *half.FindNode("b"), half), 0);
}

TEST(Scores, DefaultSpreadPrefersTheHostWithFewerSuchPods) {
  const Pod web = Labelled(MakePod("w"), "app", "web");
  Pod second = web;
  second.mutable_metadata()->set_name("w2");
  const Cluster cluster =
      ClusterOf({MakeNode("a"), MakeNode("b")}, {On(web, "a"), On(second, "a")});
  LabelSelector selector = *LabelSelector::Parse("app=web");
  const std::vector<SpreadConstraint> defaults = SystemDefaultSpread(selector);
  const PodInfo info = InfoOf(Labelled(MakePod("p"), "app", "web"));
  const std::vector<const NodeInfo*> nodes = AllOf(cluster);
  // a: round(2 * ln(4) + 2) = 5, b: 0 * ln(4) + 2 = 2; 100 * (5 + 2 - score) / 5.
  EXPECT_THAT(SpreadScore(info, cluster, defaults, true, nodes).Scores(), ElementsAre(40, 100));
}

TEST(Scores, SoftSpreadIgnoresNodesWithoutTheLabel) {
  const Cluster cluster = ClusterOf({InZone(MakeNode("a"), "z1"), MakeNode("b")});
  Pod pod = Labelled(MakePod("p"), "app", "web");
  AddSpread(&pod, kZoneLabel, 1, false, "web");
  const PodInfo info = InfoOf(pod);
  const std::vector<const NodeInfo*> nodes = {cluster.FindNode("a"), cluster.FindNode("b")};
  EXPECT_THAT(SpreadScore(info, cluster, info.spread, false, nodes).Scores(), ElementsAre(100, 0));
}

TEST(Scores, PreferredAffinityDrawsAndPreferredAntiAffinityRepels) {
  const Cluster cluster = ClusterOf({MakeNode("a"), MakeNode("b"), MakeNode("c")},
                                    {On(Labelled(MakePod("db"), "app", "db"), "a"),
                                     On(Labelled(MakePod("noisy"), "app", "noisy"), "c")});
  Pod pod = MakePod("p");
  auto* affinity = pod.mutable_spec()->mutable_affinity();
  auto* drawn =
      affinity->mutable_pod_affinity()->add_preferred_during_scheduling_ignored_during_execution();
  drawn->set_weight(10);
  *drawn->mutable_pod_affinity_term() = TermFor("db", kHostnameLabel);
  auto* repelled = affinity->mutable_pod_anti_affinity()
                       ->add_preferred_during_scheduling_ignored_during_execution();
  repelled->set_weight(10);
  *repelled->mutable_pod_affinity_term() = TermFor("noisy", kHostnameLabel);
  const PodInfo info = InfoOf(pod);
  EXPECT_THAT(AffinityScore(info, cluster).Scores(AllOf(cluster)), ElementsAre(100, 50, 0));
}

TEST(Placement, EnoughFeasibleNodesFollowTheAdaptivePercentage) {
  EXPECT_EQ(FeasibleNodesWanted(99), 99);
  EXPECT_EQ(FeasibleNodesWanted(150), 100);
  EXPECT_EQ(FeasibleNodesWanted(1000), 420);
  EXPECT_EQ(FeasibleNodesWanted(5000), 500);
  EXPECT_EQ(FeasibleNodesWanted(6000), 300);
}

TEST(Placement, MessageSortsTheCountedReasons) {
  Node tainted = MakeNode("c");
  AddTaint(&tainted, "node.kubernetes.io/not-ready", "NoSchedule");
  Node full = MakeNode("a", "1");
  const Cluster cluster = ClusterOf({full, tainted, MakeNode("d", "1")},
                                    {On(MakePod("x", "800m"), "a"), On(MakePod("y", "1"), "d")});
  Placer placer;
  Random random(1);
  const Placement placement = placer.Place(InfoOf(MakePod("p", "500m")), cluster, nullptr, random);
  EXPECT_EQ(placement.node, "");
  EXPECT_EQ(placement.error.Message(true),
            "0/3 nodes are available: 1 node(s) had untolerated taint "
            "{node.kubernetes.io/not-ready: }, 2 Insufficient cpu. preemption: 0/3 nodes are "
            "available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found "
            "for incoming pod.");
  EXPECT_EQ(FitError().Message(true), "no nodes available to schedule pods");
}

TEST(Placement, EqualNodesAllGetTheirShare) {
  const Cluster cluster = ClusterOf({MakeNode("a"), MakeNode("b"), MakeNode("c")});
  Placer placer;
  Random random(7);
  std::map<std::string, int> chosen;
  for (int i = 0; i < 300; ++i) {
    ++chosen[placer.Place(InfoOf(MakePod("p", "100m")), cluster, nullptr, random).node];
  }
  for (const char* node : {"a", "b", "c"}) EXPECT_GT(chosen[node], 70) << node;
}

}  // namespace
}  // namespace kubemu
