// Processes that are killed at any moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "messages/core/strings.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/world.h"

namespace kubemu {
namespace {

using testing::IsEmpty;

Duration Up(Random& random, Duration limit) {
  return Duration(static_cast<int64_t>(random.Uniform(static_cast<uint64_t>(limit.count()))));
}

class Crash : public testing::TestWithParam<uint64_t> {};

// A client writes without a pause; the master is killed in the middle of it, again and again.
TEST_P(Crash, EveryAcknowledgedWriteIsThereAfterwards) {
  SimCluster cluster({.nodes = 1, .seed = GetParam()});
  Random random(GetParam());
  ASSERT_TRUE(cluster.RunUntilReady());
  std::map<std::string, uint64_t> requests;  // name: its request
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 20; ++i) {
      const std::string name = StrCat("c-", round, "-", i);
      requests[name] =
          cluster.Start("POST", "/api/v1/namespaces/default/configmaps",
                        StrCat(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")",
                               name, R"("},"data":{"round":")", round, R"("}})"));
      cluster.Run(Up(random, 200us));
    }
    cluster.Kill("master");
    cluster.Run(Up(random, 1s));
    cluster.StartProcess("master");
    cluster.Run(Up(random, 2s));
  }
  cluster.Run(30s);
  int acknowledged = 0;
  for (const auto& [name, request] : requests) {
    const SimCluster::Answer& answer = cluster.answer(request);
    EXPECT_TRUE(answer.done);
    if (!answer.ok()) continue;
    ++acknowledged;
    const auto there = cluster.Get("/api/v1/namespaces/default/configmaps/" + name);
    EXPECT_EQ(JsonText(there, "/data/round"), name.substr(2, 1)) << name;
  }
  EXPECT_GT(acknowledged, 8);
  EXPECT_LT(acknowledged, static_cast<int>(requests.size()));  // the kills did cut requests off
  EXPECT_THAT(BrokenInvariants(cluster.disk()), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, Crash, testing::Range(uint64_t{1}, uint64_t{7}),
                         [](const auto& info) { return "seed" + std::to_string(info.param); });

// A killed node is NotReady after the grace and not before; its pods are replaced when their
// tolerations end; requests go on.
TEST(NodeLoss, PodsAreReplacedAndRequestsGoOn) {
  SimCluster cluster({.nodes = 3});
  ASSERT_TRUE(cluster.RunUntilReady());
  EXPECT_EQ(cluster.Apply(WebManifest(3, 20)), "");
  ASSERT_TRUE(cluster.RunUntil([&] { return RunningPods(cluster, "web") == 3; }, 30s));
  cluster.Run(5s);
  cluster.Kill("node-2");
  const Time killed = cluster.now();
  ASSERT_TRUE(cluster.RunUntil([&] { return ReadyOf(cluster, "node-2") == "Unknown"; }, 90s));
  const Duration noticed = cluster.now() - killed;
  EXPECT_GE(noticed, 35s);  // the last lease is up to 10 s older
  EXPECT_LE(noticed, 60s);
  const auto node = cluster.Get("/api/v1/nodes/node-2");
  EXPECT_NE(JsonText(node, "/spec/taints").find("node.kubernetes.io/unreachable"),
            std::string::npos);
  // Its pods are out of the Service at once.
  ASSERT_TRUE(cluster.RunUntil([&] { return ReadyEndpoints(cluster, "web").size() == 2; }, 5s));
  cluster.Run(1s);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(cluster.Curl(NodePortOf(1)).status, 200);
    EXPECT_EQ(cluster.Curl({Ipv4(127, 2, 0, 1), 8080}).status, 200);
  }
  ASSERT_TRUE(cluster.RunUntil([&] { return ReadyEndpoints(cluster, "web").size() == 3; }, 60s));
  EXPECT_GE(cluster.now() - killed, noticed + 20s);
  EXPECT_EQ(RunningPods(cluster, "web"), 3);
  cluster.StartProcess("node-2");
  ASSERT_TRUE(cluster.RunUntil([&] { return ReadyOf(cluster, "node-2") == "True"; }, 10s));
  cluster.Run(10s);
  EXPECT_EQ(cluster.Curl(NodePortOf(2)).status, 200);
  EXPECT_EQ(RunningPods(cluster, "web"), 3);
  EXPECT_THAT(BrokenInvariants(cluster.disk()), IsEmpty());
}

// A master that is away does not stop what runs.
TEST(MasterLoss, RequestsGoOnWithoutIt) {
  SimCluster cluster({.nodes = 2});
  ASSERT_TRUE(cluster.RunUntilReady());
  EXPECT_EQ(cluster.Apply(WebManifest(2)), "");
  ASSERT_TRUE(cluster.RunUntil([&] { return RunningPods(cluster, "web") == 2; }, 30s));
  cluster.Run(5s);
  cluster.Kill("master");
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(cluster.Curl(NodePortOf(1 + i % 2)).status, 200);
    EXPECT_EQ(cluster.Curl({Ipv4(127, 2, 0, 1), 8080}).status, 200);
    cluster.Run(10s);
  }
  cluster.StartProcess("master");
  EXPECT_TRUE(cluster.RunUntil([&] { return ReadyOf(cluster, "node-1") == "True"; }, 10s));
  cluster.Run(10s);
  EXPECT_EQ(ReadyOf(cluster, "node-2"), "True");
  EXPECT_EQ(RunningPods(cluster, "web"), 2);
  EXPECT_THAT(BrokenInvariants(cluster.disk()), IsEmpty());
}

// A partition that ends within the grace is nothing that anybody has to act on.
TEST(Partition, AShortOneChangesNothing) {
  SimCluster cluster({.nodes = 2});
  ASSERT_TRUE(cluster.RunUntilReady());
  EXPECT_EQ(cluster.Apply(WebManifest(2)), "");
  ASSERT_TRUE(cluster.RunUntil([&] { return RunningPods(cluster, "web") == 2; }, 30s));
  cluster.Run(15s);
  const uint64_t before = LastRevision(cluster.disk());
  cluster.simulator().Cut("master", "node-2");
  cluster.Run(25s);
  cluster.simulator().Mend("master", "node-2");
  cluster.Run(30s);
  auto writes = WritesSince(cluster.disk(), before);
  writes.erase("leases");
  EXPECT_THAT(writes, IsEmpty());
  EXPECT_EQ(ReadyOf(cluster, "node-2"), "True");
}

}  // namespace
}  // namespace kubemu
