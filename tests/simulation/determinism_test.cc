// Same seed, same run, to the byte; another seed, another run.
#include <gtest/gtest.h>

#include <set>

#include "messages/core/random.h"
#include "tests/simulation/world.h"

namespace kubemu {
namespace {

// A life with everything in it: an application, lost, doubled and late messages, a partition, a
// paused node, killed processes. What happens when is drawn from the seed.
uint64_t Live(uint64_t seed) {
  SimCluster cluster({.nodes = 3, .seed = seed});
  Random random(seed);
  const auto some_node = [&] { return cluster.nodes()[random.Uniform(3)]; };
  EXPECT_TRUE(cluster.RunUntilReady());
  EXPECT_EQ(cluster.Apply(WebManifest(4)), "");
  cluster.Run(Duration(static_cast<int64_t>(random.Uniform(2'000'000'000))));
  SetFaults(cluster, 0.05, 0.05, 20ms);
  const std::string cut = some_node();
  cluster.simulator().Cut("master", cut);
  cluster.Run(15s);
  cluster.simulator().Mend("master", cut);
  const std::string killed = some_node();
  cluster.Kill(killed);
  cluster.Run(5s);
  cluster.StartProcess(killed);
  cluster.Kill("master");
  cluster.Run(1s);
  cluster.StartProcess("master");
  ClearFaults(cluster);
  const std::string paused = some_node();
  cluster.simulator().Pause(paused);
  for (int i = 1; i <= 3; ++i) cluster.StartCurl(NodePortOf(i));
  cluster.Run(8s);
  cluster.simulator().Resume(paused);
  cluster.Run(60s);
  return cluster.simulator().JournalHash();
}

TEST(Determinism, TheSameSeedGivesTheSameJournals) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    EXPECT_EQ(Live(seed), Live(seed)) << "seed " << seed;
  }
}

TEST(Determinism, OtherSeedsGiveOtherJournals) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 11; seed <= 14; ++seed) hashes.insert(Live(seed));
  EXPECT_EQ(hashes.size(), 4u);
}

}  // namespace
}  // namespace kubemu
