// How the policies spread connections: exact sequences where they are deterministic, chi-square
// where they are random, and what hashes promise when nodes come and go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "lb/policies/maglev.h"
#include "lb/policies/policy.h"

namespace kubemu {
namespace {

using testing::ElementsAre;

const std::vector<std::string>& NodeNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (int i = 100; i < 200; ++i) all.push_back("node-" + std::to_string(i));
    return all;
  }();
  return names;
}

std::vector<Candidate> MakeNodes(const std::vector<uint32_t>& weights,
                                 const std::vector<uint64_t>& connections = {}) {
  std::vector<Candidate> nodes;
  for (size_t i = 0; i < weights.size(); ++i) {
    nodes.push_back({NodeNames()[i], weights[i], connections.empty() ? 0 : connections[i]});
  }
  return nodes;
}

ConnectionKey Key(uint32_t client, uint16_t port = 40000) {
  return {{Ipv4(client), port}, {Ipv4(127, 2, 0, 1), 8080}};
}

// "abac": the picks of a policy, as letters.
std::string Picks(Policy& policy, const std::vector<Candidate>& nodes, int count) {
  Random random(1);
  std::string picks;
  for (int i = 0; i < count; ++i) {
    picks += static_cast<char>('a' + policy.Pick(nodes, Key(i), random));
  }
  return picks;
}

std::unique_ptr<Policy> Make(PolicyKind kind) {
  static MaglevTables tables;
  return MakePolicy(kind, &tables);
}

double ChiSquare(const std::vector<double>& seen, const std::vector<double>& expected) {
  double sum = 0;
  for (size_t i = 0; i < seen.size(); ++i) {
    sum += (seen[i] - expected[i]) * (seen[i] - expected[i]) / expected[i];
  }
  return sum;
}
// Quantiles of chi-square at 1 - 1e-6.
constexpr double kChi3 = 30.66;   // 3 degrees of freedom
constexpr double kChi9 = 45.08;   // 9
constexpr double kChi99 = 181.1;  // 99, by Wilson and Hilferty

TEST(PolicyNames, AreReadBack) {
  for (const PolicyKind kind : kAllPolicies) EXPECT_EQ(ParsePolicy(PolicyName(kind)), kind);
  EXPECT_EQ(ParsePolicy("Round-Robin"), std::nullopt);
  EXPECT_EQ(ParsePolicy(""), std::nullopt);
}

TEST(RoundRobin, TakesTurns) {
  const auto policy = Make(PolicyKind::kRoundRobin);
  EXPECT_EQ(Picks(*policy, MakeNodes({1, 1, 1}), 7), "abcabca");
}

TEST(RoundRobin, ANodeThatLeavesIsLeftOutAndComesBackInItsTurn) {
  const auto policy = Make(PolicyKind::kRoundRobin);
  EXPECT_EQ(Picks(*policy, MakeNodes({1, 1, 1}), 3), "abc");
  EXPECT_EQ(Picks(*policy, MakeNodes({1, 1}), 4), "abab");
  EXPECT_EQ(Picks(*policy, MakeNodes({1, 1, 1}), 6), "abcabc");
}

// The example of nginx' commit that brought the algorithm: { 5, 1, 1 }.
TEST(Weighted, SpreadsAHeavyNodesTurns) {
  const auto policy = Make(PolicyKind::kWeighted);
  EXPECT_EQ(Picks(*policy, MakeNodes({5, 1, 1}), 14), "aabacaaaabacaa");
}

TEST(Weighted, GivesEachItsShareExactly) {
  const auto policy = Make(PolicyKind::kWeighted);
  const std::vector<uint32_t> weights = {7, 1, 256, 30};
  const std::string picks = Picks(*policy, MakeNodes(weights), 294);
  for (size_t i = 0; i < weights.size(); ++i) {
    EXPECT_EQ(std::count(picks.begin(), picks.end(), 'a' + static_cast<char>(i)), weights[i]);
  }
}

TEST(Weighted, SharesFollowWeightsThatChange) {
  const auto policy = Make(PolicyKind::kWeighted);
  Picks(*policy, MakeNodes({10, 100, 100}), 50);
  const std::string picks = Picks(*policy, MakeNodes({100, 100, 100}), 300);
  EXPECT_NEAR(std::count(picks.begin(), picks.end(), 'a'), 100, 2);
}

TEST(LeastConnections, TakesTheFewestForItsWeight) {
  const auto policy = Make(PolicyKind::kLeastConnections);
  EXPECT_EQ(Picks(*policy, MakeNodes({1, 1, 1}, {3, 2, 4}), 3), "bbb");
  EXPECT_EQ(Picks(*policy, MakeNodes({100, 10, 100}, {20, 3, 19}), 3),
            "ccc");  // 3 of weight 10 is more
  EXPECT_EQ(Picks(*policy, MakeNodes({100, 10, 100}, {20, 1, 19}), 3), "bbb");
}

TEST(LeastConnections, EqualsTakeTurns) {
  const auto policy = Make(PolicyKind::kLeastConnections);
  EXPECT_EQ(Picks(*policy, MakeNodes({1, 1, 1}, {2, 5, 2}), 4), "acac");
  EXPECT_EQ(Picks(*policy, MakeNodes({1, 1, 1}), 6).size(), 6u);
}

TEST(LeastConnections, KeepsLongConnectionsEven) {
  const auto policy = Make(PolicyKind::kLeastConnections);
  std::vector<Candidate> nodes = MakeNodes({1, 1, 1, 1}, {50, 0, 10, 0});
  Random random(1);
  for (int i = 0; i < 140; ++i) ++nodes[policy->Pick(nodes, Key(i), random)].connections;
  for (const Candidate& node : nodes) EXPECT_EQ(node.connections, 50u);
}

TEST(RandomTwo, IsEvenAmongEquals) {
  const auto policy = Make(PolicyKind::kRandomTwo);
  const std::vector<Candidate> nodes = MakeNodes(std::vector<uint32_t>(10, 1));
  Random random(42);
  std::vector<double> seen(10);
  constexpr int kPicks = 100'000;
  for (int i = 0; i < kPicks; ++i) ++seen[policy->Pick(nodes, Key(i), random)];
  EXPECT_LT(ChiSquare(seen, std::vector<double>(10, kPicks / 10.0)), kChi9);
}

TEST(RandomTwo, DrawsByWeight) {
  const auto policy = Make(PolicyKind::kRandomTwo);
  const std::vector<Candidate> nodes = MakeNodes({10, 100, 100, 90});
  Random random(7);
  std::vector<double> seen(4);
  constexpr double kPicks = 100'000;
  for (int i = 0; i < kPicks; ++i) ++seen[policy->Pick(nodes, Key(i), random)];
  EXPECT_LT(ChiSquare(seen, {kPicks / 30, kPicks / 3, kPicks / 3, kPicks * 0.3}), kChi3);
}

// With two choices the fullest node has hardly more than the average; with one it has many more
// (Mitzenmacher: log log n / log 2 against log n / log log n).
TEST(RandomTwo, KeepsTheFullestNodeNearTheAverage) {
  const auto policy = Make(PolicyKind::kRandomTwo);
  std::vector<Candidate> nodes = MakeNodes(std::vector<uint32_t>(100, 1));
  Random random(3);
  for (int i = 0; i < 10'000; ++i) ++nodes[policy->Pick(nodes, Key(i), random)].connections;
  for (const Candidate& node : nodes) EXPECT_LE(node.connections, 103u);
}

TEST(RandomTwo, TheBusierOfTwoGetsNothing) {
  const auto policy = Make(PolicyKind::kRandomTwo);
  EXPECT_EQ(Picks(*policy, MakeNodes({1, 1}, {9, 8}), 5), "bbbbb");
  EXPECT_EQ(Picks(*policy, MakeNodes({1}, {9}), 3), "aaa");
}

TEST(RandomTwo, TheSameSeedMakesTheSamePicks) {
  const std::vector<Candidate> nodes = MakeNodes(std::vector<uint32_t>(20, 3));
  EXPECT_EQ(Picks(*Make(PolicyKind::kRandomTwo), nodes, 100),
            Picks(*Make(PolicyKind::kRandomTwo), nodes, 100));
}

TEST(SourceHash, KeepsAClientWhateverItsPort) {
  const auto policy = Make(PolicyKind::kSourceHash);
  const std::vector<Candidate> nodes = MakeNodes(std::vector<uint32_t>(10, 1));
  Random random(1);
  for (uint32_t client = 0; client < 50; ++client) {
    const size_t first = policy->Pick(nodes, Key(client, 1), random);
    for (uint16_t port = 2; port < 20; ++port) {
      EXPECT_EQ(policy->Pick(nodes, Key(client, port), random), first);
    }
  }
}

TEST(SourceHash, IsEven) {
  const auto policy = Make(PolicyKind::kSourceHash);
  const std::vector<Candidate> nodes = MakeNodes(std::vector<uint32_t>(100, 1));
  Random random(1);
  std::vector<double> seen(100);
  constexpr uint32_t kClients = 100'000;
  // Neighbours in one network, as clients are.
  for (uint32_t i = 0; i < kClients; ++i) {
    ++seen[policy->Pick(nodes, Key(Ipv4(10, 0, 0, 0).bits() + i), random)];
  }
  EXPECT_LT(ChiSquare(seen, std::vector<double>(100, kClients / 100.0)), kChi99);
}

TEST(SourceHash, OnlyTheClientsOfANodeThatLeavesMove) {
  const auto policy = Make(PolicyKind::kSourceHash);
  const std::vector<Candidate> all = MakeNodes(std::vector<uint32_t>(10, 1));
  std::vector<Candidate> fewer = all;
  fewer.erase(fewer.begin() + 4);
  Random random(1);
  int moved = 0;
  for (uint32_t client = 0; client < 1000; ++client) {
    const std::string_view before = all[policy->Pick(all, Key(client), random)].name;
    const std::string_view after = fewer[policy->Pick(fewer, Key(client), random)].name;
    if (before == all[4].name) {
      ++moved;
    } else {
      EXPECT_EQ(before, after);
    }
  }
  EXPECT_NEAR(moved, 100, 40);
}

// The worked example of the paper's figure cannot be taken over (its table has 7 places), but what
// it shows can: every place is filled, and nodes differ by one place at most.
TEST(Maglev, IsEvenToOnePlace) {
  for (const size_t count : {1, 2, 3, 10, 100}) {
    const MaglevTable table({NodeNames().begin(), NodeNames().begin() + count});
    std::vector<uint32_t> places(count);
    for (const uint32_t index : table.places()) ++places.at(index);
    const auto [least, most] = std::minmax_element(places.begin(), places.end());
    EXPECT_LE(*most - *least, 1u) << count;
  }
}

// The paper's section 5.3: with a table much larger than the nodes, one node's leaving moves few
// connections of the others.
TEST(Maglev, ANodeThatLeavesMovesFewOfTheOthersPlaces) {
  const std::vector<std::string> all(NodeNames().begin(), NodeNames().begin() + 20);
  std::vector<std::string> fewer = all;
  fewer.erase(fewer.begin() + 7);
  const MaglevTable before(all);
  const MaglevTable after(fewer);
  double moved = 0;
  double kept = 0;
  for (uint32_t place = 0; place < MaglevTable::kSize; ++place) {
    const std::string& old_name = all[before.places()[place]];
    if (old_name == all[7]) continue;
    ++(fewer[after.places()[place]] == old_name ? kept : moved);
  }
  EXPECT_LT(moved / (moved + kept), 0.03);  // modulo hashing would move 95 %
  EXPECT_GT(kept, 0);
}

TEST(Maglev, SpreadsTheConnectionsOfOneClientEvenly) {
  const auto policy = Make(PolicyKind::kMaglev);
  const std::vector<Candidate> nodes = MakeNodes(std::vector<uint32_t>(10, 1));
  Random random(1);
  std::vector<double> seen(10);
  for (uint32_t port = 1024; port < 61024; ++port) {
    ++seen[policy->Pick(nodes, Key(1, static_cast<uint16_t>(port)), random)];
  }
  EXPECT_LT(ChiSquare(seen, std::vector<double>(10, 6000)), kChi9);
}

TEST(Maglev, TheSameConnectionAlwaysGoesToTheSameNode) {
  const auto one = Make(PolicyKind::kMaglev);
  const auto other = Make(PolicyKind::kMaglev);  // another load balancer
  const std::vector<Candidate> nodes = MakeNodes(std::vector<uint32_t>(10, 1));
  Random random(1);
  for (uint32_t client = 0; client < 200; ++client) {
    EXPECT_EQ(one->Pick(nodes, Key(client), random), other->Pick(nodes, Key(client), random));
  }
}

TEST(MaglevTables, AreSharedAndBounded) {
  MaglevTables tables;
  const auto first = tables.Get({"a", "b"});
  EXPECT_EQ(tables.Get({"a", "b"}), first);
  for (size_t i = 0; i < MaglevTables::kTablesMax + 10; ++i) {
    tables.Get({"a", "n" + std::to_string(i)});
  }
  EXPECT_EQ(tables.size(), MaglevTables::kTablesMax);
  EXPECT_NE(tables.Get({"a", "b"}), first);  // it was forgotten
  EXPECT_EQ(tables.Get({"a", "b"})->places(), first->places());
}

}  // namespace
}  // namespace kubemu
