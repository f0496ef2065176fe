// What is wished for comes true, whatever became of single messages; and nothing that must never
// be was there on the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/world.h"

namespace kubemu {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

bool AllNodesReady(SimCluster& cluster) {
  for (const std::string& node : cluster.nodes()) {
    if (ReadyOf(cluster, node) != "True") return false;
  }
  return true;
}

bool AnsweredEverywhere(SimCluster& cluster) {
  for (size_t i = 1; i <= cluster.nodes().size(); ++i) {
    if (cluster.Curl(NodePortOf(static_cast<int>(i))).status != 200) return false;
  }
  return true;
}

bool Converged(SimCluster& cluster, int pods) {
  return AllNodesReady(cluster) && RunningPods(cluster, "web") == pods &&
         ReadyEndpoints(cluster, "web") == ReadyPodAddresses(cluster, "web") &&
         AnsweredEverywhere(cluster);
}

std::string State(SimCluster& cluster) {
  std::string text;
  for (const std::string& node : cluster.nodes()) {
    StrAppend(&text, node, "=", ReadyOf(cluster, node), " ");
  }
  StrAppend(&text, RunningPods(cluster, "web"), " pods; endpoints ",
            StrJoin(ReadyEndpoints(cluster, "web"), ","),
            "; answered everywhere: ", AnsweredEverywhere(cluster) ? "yes" : "no");
  return text;
}

class Storm : public testing::TestWithParam<uint64_t> {};

// Faults from the first message on; one message in ten is lost, one in twenty comes twice, all
// come late and out of order.
TEST_P(Storm, AllIsWellSoonAfterIt) {
  SimCluster cluster({.nodes = 3, .seed = GetParam()});
  SetFaults(cluster, 0.1, 0.05, 50ms);
  cluster.Run(5s);
  EXPECT_EQ(cluster.Apply(WebManifest(6)), "");
  cluster.Run(60s);
  ClearFaults(cluster);
  EXPECT_TRUE(cluster.RunUntil([&] { return Converged(cluster, 6); }, 60s, 1s)) << State(cluster);
  EXPECT_THAT(BrokenInvariants(cluster.disk()), IsEmpty());
}

// What runs is not disturbed by lost messages: no pod restarts, no node is taken for dead.
TEST_P(Storm, WhatRunsKeepsRunningThroughIt) {
  SimCluster cluster({.nodes = 3, .seed = GetParam()});
  ASSERT_TRUE(cluster.RunUntilReady());
  EXPECT_EQ(cluster.Apply(WebManifest(6)), "");
  ASSERT_TRUE(cluster.RunUntil([&] { return Converged(cluster, 6); }, 30s, 1s)) << State(cluster);
  const auto before = ReadyPodAddresses(cluster, "web");
  SetFaults(cluster, 0.1, 0.05, 50ms);
  for (int i = 0; i < 12; ++i) {
    cluster.Run(10s);
    EXPECT_TRUE(AllNodesReady(cluster)) << "after " << 10 * i << " s";
  }
  ClearFaults(cluster);
  EXPECT_TRUE(cluster.RunUntil([&] { return Converged(cluster, 6); }, 30s, 1s)) << State(cluster);
  EXPECT_EQ(ReadyPodAddresses(cluster, "web"), before);
  EXPECT_THAT(BrokenInvariants(cluster.disk()), IsEmpty());
}

// Killed processes on top, among them the master and twice the same node.
TEST_P(Storm, KilledProcessesComeBack) {
  SimCluster cluster({.nodes = 3, .seed = GetParam()});
  Random random(GetParam());
  ASSERT_TRUE(cluster.RunUntilReady());
  EXPECT_EQ(cluster.Apply(WebManifest(6)), "");
  for (const char* process : {"node-2", "master", "node-1", "lb", "node-2", "master"}) {
    SetFaults(cluster, 0.05, 0.05, 20ms);
    cluster.Run(Duration(static_cast<int64_t>(random.Uniform(4'000'000'000))));
    cluster.Kill(process);
    cluster.Run(Duration(static_cast<int64_t>(random.Uniform(4'000'000'000))));
    cluster.StartProcess(process);
  }
  ClearFaults(cluster);
  EXPECT_TRUE(cluster.RunUntil([&] { return Converged(cluster, 6); }, 120s, 1s)) << State(cluster);
  EXPECT_THAT(BrokenInvariants(cluster.disk()), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, Storm, testing::Range(uint64_t{1}, uint64_t{7}),
                         [](const auto& info) { return "seed" + std::to_string(info.param); });

// When there is nothing to do nothing is written but the nodes' leases: no controller runs hot.
TEST(Quiescence, AnIdleClusterWritesOnlyLeases) {
  SimCluster cluster({.nodes = 3});
  ASSERT_TRUE(cluster.RunUntilReady());
  EXPECT_EQ(cluster.Apply(WebManifest(6)), "");
  ASSERT_TRUE(cluster.RunUntil([&] { return Converged(cluster, 6); }, 30s, 1s)) << State(cluster);
  cluster.Run(10s);
  const uint64_t before = LastRevision(cluster.disk());
  cluster.Run(60s);
  auto writes = WritesSince(cluster.disk(), before);
  EXPECT_GE(writes["leases"], 3 * 5);
  EXPECT_LE(writes["leases"], 3 * 7);
  writes.erase("leases");
  EXPECT_THAT(writes, IsEmpty());
}

}  // namespace
}  // namespace kubemu
