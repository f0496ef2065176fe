// What the annotations of a Service do to its connections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "lb/backend.h"
#include "lb/balancer.h"
#include "tests/lb/lb_world.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Health = LbWorld::Health;
using Counts = std::map<std::string, int>;

// Visits the Service and counts who answered. Flows from `first` on.
Counts VisitMany(LbWorld& world, uint64_t first, int count) {
  Counts counts;
  for (int i = 0; i < count; ++i) ++counts[world.Visit(first + i)];
  return counts;
}

TEST(Traffic, PolicyWeightedFollowsTheNodesWeights) {
  LbWorld world;
  world.Ready(3, {{"policy", "weighted"}});
  world.AddNode(1, {{"kubemu.io/lb-weight", "3"}});
  world.AddNode(3, {{"kubemu.io/lb-weight", "0"}});
  EXPECT_EQ(VisitMany(world, 1, 40), (Counts{{"node-1", 30}, {"node-2", 10}}));
}

TEST(Traffic, AWrongWeightIsToldOnce) {
  LbWorld world;
  world.Ready(1);
  world.AddNode(1, {{"kubemu.io/lb-weight", "heavy"}});
  world.AddNode(1, {{"kubemu.io/lb-weight", "heavy"}});
  EXPECT_THAT(world.TakeEvents(),
              ElementsAre("Warning InvalidLoadBalancerAnnotation kubemu.io/lb-weight: \"heavy\" is "
                          "not allowed: a number from 0 to 256; 1 is used"));
}

TEST(Traffic, LeastConnectionsCountsWhatRuns) {
  LbWorld world;
  world.Ready(2, {{"policy", "least-connections"}});
  const std::string busy = world.Open(1);
  world.Accept(1);
  for (uint64_t flow = 2; flow < 6; ++flow) EXPECT_NE(world.Visit(flow), busy);
}

TEST(Traffic, SourceHashKeepsAClient) {
  LbWorld world;
  world.Ready(5, {{"policy", "source-hash"}});
  std::set<std::string> used;
  for (uint8_t client = 1; client < 40; ++client) {
    const std::string node = world.Visit(client * 10, Ipv4(203, 0, 113, client));
    for (uint64_t i = 1; i < 4; ++i) {
      EXPECT_EQ(world.Visit(client * 10 + i, Ipv4(203, 0, 113, client)), node);
    }
    used.insert(node);
  }
  EXPECT_EQ(used.size(), 5u);
}

TEST(Traffic, AWrongAnnotationIsToldOnceAndTheDefaultUsed) {
  LbWorld world;
  for (int node = 1; node <= 2; ++node) world.AddNode(node);
  world.TakeEvents();
  world.PutService({{"policy", "best"}});
  world.PutService({{"policy", "best"}, {"drain-time", "1m"}});
  world.Listening();
  std::vector<std::string> warnings;
  for (const std::string& event : world.TakeEvents()) {
    if (event.starts_with("Warning")) warnings.push_back(event);
  }
  EXPECT_THAT(warnings,
              ElementsAre("Warning InvalidLoadBalancerAnnotation annotation kubemu.io/lb-policy: "
                          "\"best\" is not allowed: round-robin, least-connections, random-two, "
                          "weighted, source-hash, maglev; round-robin is used"));
  EXPECT_EQ(VisitMany(world, 1, 4), (Counts{{"node-1", 2}, {"node-2", 2}}));
}

TEST(Traffic, ANewcomersShareRisesInSlowStart) {
  LbWorld world;
  world.Ready(2, {{"slow-start", "100s"}});
  world.Advance(200s);
  world.AddNode(3);
  // At first a tenth, Envoy's least.
  const Counts first = VisitMany(world, 1000, 210);
  EXPECT_NEAR(first.at("node-3"), 10, 1);
  world.Advance(50s);
  const Counts half = VisitMany(world, 2000, 250);
  EXPECT_NEAR(half.at("node-3"), 50, 2);
  world.Advance(50s);
  EXPECT_EQ(VisitMany(world, 3000, 300),
            (Counts{{"node-1", 100}, {"node-2", 100}, {"node-3", 100}}));
}

TEST(Traffic, ANodeThatComesBackStartsSlowlyAgain) {
  LbWorld world;
  world.Ready(2, {{"slow-start", "100s"}});
  world.Advance(200s);
  world.SetHealth(2, Health::kRefuses);
  world.Advance(5s);
  world.SetHealth(2, Health::kGood);
  world.Advance(2s);
  EXPECT_LT(VisitMany(world, 1, 110).at("node-2"), 15);
}

TEST(Traffic, MoreConnectionsThanTheLimitAreRefused) {
  LbWorld world;
  world.Ready(2, {{"max-connections", "2"}});
  world.Open(1);
  world.Accept(1);
  world.Open(2);
  EXPECT_EQ(world.Open(3), "");
  EXPECT_EQ(world.ClosedFor(3), bus::FlowClose::LIMIT);
  world.SendIn(1, "", true);
  world.SendOut(1, "", true);  // one has ended
  EXPECT_NE(world.Open(4), "");
}

TEST(Traffic, ASilentConnectionIsReset) {
  LbWorld world;
  world.Ready(1, {{"idle-timeout", "10s"}});
  world.Open(1);
  world.Accept(1);
  world.Advance(9s);
  world.SendIn(1, "x");
  world.Advance(9s);
  world.SendOut(1, "y");
  world.Advance(9900ms);
  EXPECT_EQ(world.NodeOf(1), "node-1");
  world.Advance(100ms);
  EXPECT_EQ(world.ClosedFor(1), bus::FlowClose::RESET);
  EXPECT_THAT(world.Take<bus::FlowClose>(), testing::SizeIs(2));  // both sides hear of it
}

TEST(Traffic, TheIdleTimeOfRunningConnectionsChangesWithTheAnnotation) {
  LbWorld world;
  world.Ready(1, {{"idle-timeout", "0s"}});
  world.Open(1);
  world.Accept(1);
  world.Advance(10h);
  EXPECT_EQ(world.NodeOf(1), "node-1");
  world.SendIn(1, "x");
  world.PutService({{"idle-timeout", "5s"}});
  world.Advance(4s);
  EXPECT_EQ(world.NodeOf(1), "node-1");
  world.Advance(1s);
  EXPECT_EQ(world.ClosedFor(1), bus::FlowClose::RESET);
}

TEST(Traffic, ClientsOutsideTheSourceRangesAreRefused) {
  LbWorld world;
  world.Ready(1, {}, [](k8s::core::v1::Service* service) {
    service->mutable_spec()->add_load_balancer_source_ranges("10.0.0.0/8");
  });
  EXPECT_EQ(world.Visit(1, Ipv4(10, 1, 2, 3)), "node-1");
  EXPECT_EQ(world.Visit(2, Ipv4(11, 1, 2, 3)), "");
  EXPECT_EQ(world.ClosedFor(2), bus::FlowClose::REFUSED);
}

// The four ways a node goes: its connections run on for the drain time, new ones go elsewhere.
class Draining : public testing::TestWithParam<int> {};

TEST_P(Draining, ANodeThatGoesKeepsItsConnectionsForTheDrainTime) {
  LbWorld world;
  world.Ready(2, {{"drain-time", "30s"}, {"policy", "least-connections"}});
  ASSERT_EQ(world.Open(1), "node-1");
  world.Accept(1);
  const Time begin = world.now();
  switch (GetParam()) {
    case 0:
      world.AddNode(1, {}, {{"node.kubernetes.io/exclude-from-external-load-balancers", ""}});
      break;
    case 1:
      world.AddNode(1, {}, {}, "ToBeDeletedByClusterAutoscaler");
      break;
    case 2:
      world.RemoveNode(1);
      break;
    case 3:
      world.SetHealth(1, Health::kRefuses);
      world.Advance(5s);
      break;
  }
  for (uint64_t flow = 10; flow < 14; ++flow) EXPECT_EQ(world.Visit(flow), "node-2");
  world.SendIn(1, "still here");
  EXPECT_EQ(world.Arrived(1), "still here");
  world.Advance(begin + 30s - world.now() - 1ms);
  EXPECT_EQ(world.ClosedFor(1), bus::FlowClose::REASON_UNSPECIFIED);
  world.Advance(5s);
  EXPECT_EQ(world.ClosedFor(1), bus::FlowClose::RESET);
}
INSTANTIATE_TEST_SUITE_P(Reasons, Draining, testing::Range(0, 4));

TEST(Traffic, ANodeThatComesBackInTimeKeepsItsConnections) {
  LbWorld world;
  world.Ready(2, {{"drain-time", "30s"}});
  const std::map<std::string, std::string> exclude = {
      {"node.kubernetes.io/exclude-from-external-load-balancers", "true"}};
  ASSERT_EQ(world.Open(1), "node-1");
  world.Accept(1);
  world.AddNode(1, {}, exclude);
  world.Advance(29s);
  world.AddNode(1);
  world.Advance(100s);
  EXPECT_EQ(world.ClosedFor(1), bus::FlowClose::REASON_UNSPECIFIED);
}

TEST(Traffic, TheConnectionsOfAServiceThatIsRemovedDrain) {
  LbWorld world;
  world.Ready(1, {{"drain-time", "30s"}});
  world.Open(1);
  world.Accept(1);
  world.RemoveService();
  EXPECT_EQ(world.Visit(2), "");
  world.SendIn(1, "x");
  EXPECT_EQ(world.Arrived(1), "x");
  world.Advance(31s);
  EXPECT_EQ(world.ClosedFor(1), bus::FlowClose::RESET);
}

TEST(Traffic, OnlyTheConnectionsOfANodeWhoseProcessEndsAreReset) {
  LbWorld world;
  world.Ready(2);
  std::set<std::string> nodes;
  for (uint64_t flow = 1; flow <= 4; ++flow) {
    world.Open(flow);
    world.Accept(flow);
  }
  world.LinkDown(1);
  for (uint64_t flow = 1; flow <= 4; ++flow) {
    EXPECT_EQ(world.ClosedFor(flow),
              flow % 2 == 1 ? bus::FlowClose::RESET : bus::FlowClose::REASON_UNSPECIFIED);
  }
}

TEST(Traffic, AConnectionThatIsNotMadeYetGoesToAnotherNode) {
  LbWorld world;
  world.Ready(3);
  ASSERT_EQ(world.Open(1), "node-1");
  world.LinkDown(1);  // its process ends
  EXPECT_EQ(world.NodeOf(1), "node-2");
  world.Advance(Balancer::kConnectTimeout);  // node-2 does not answer
  EXPECT_EQ(world.NodeOf(1), "node-3");
  world.Accept(1);
  world.SendIn(1, "hello");
  EXPECT_EQ(world.Arrived(1), "hello");
}

TEST(Traffic, ThreeNodesAreTriedAndNoMore) {
  LbWorld world;
  world.Ready(5);
  const std::string first = world.Open(1);
  for (size_t i = 1; i < Balancer::kAttemptsMax; ++i) {
    world.Refuse(1, bus::FlowClose::UNREACHABLE);
    EXPECT_NE(world.NodeOf(1), "");
  }
  world.Refuse(1, bus::FlowClose::UNREACHABLE);
  EXPECT_EQ(world.ClosedFor(1), bus::FlowClose::UNREACHABLE);
}

TEST(Traffic, ANodeThatRefusesIsBelieved) {
  LbWorld world;
  world.Ready(3);
  world.Open(1);
  world.Refuse(1, bus::FlowClose::REFUSED);
  EXPECT_EQ(world.ClosedFor(1), bus::FlowClose::REFUSED);
}

// Lets node-1 fail `count` connections in a row.
void FailOn1(LbWorld& world, uint64_t* flow, int count) {
  while (count > 0) {
    const std::string node = world.Open(++*flow);
    if (node == "node-1") {
      --count;
      world.Refuse(*flow, bus::FlowClose::UNREACHABLE);
    }
    world.Accept(*flow);
    world.SendIn(*flow, "", true);
    world.SendOut(*flow, "", true);
  }
}

bool Uses1(LbWorld& world, uint64_t* flow) {
  for (int i = 0; i < 6; ++i) {
    if (world.Visit(++*flow) == "node-1") return true;
  }
  return false;
}

TEST(Traffic, ANodeThatFailsConnectionsIsEjectedForLongerEachTime) {
  LbWorld world;
  world.Ready(3);
  uint64_t flow = 0;
  FailOn1(world, &flow, 4);
  EXPECT_TRUE(Uses1(world, &flow));  // a good one in between: counted from the beginning
  world.TakeEvents();
  FailOn1(world, &flow, 5);
  EXPECT_THAT(world.TakeEvents(),
              ElementsAre("Warning LoadBalancerNodeEjected Load balancer ejected node node-1 for "
                          "30s: 5 connections in a row could not be made, the last one: test"));
  EXPECT_FALSE(Uses1(world, &flow));
  world.Advance(Backend::kEjectionBase - 1ms);
  EXPECT_FALSE(Uses1(world, &flow));
  world.Advance(1ms);
  EXPECT_TRUE(Uses1(world, &flow));
  FailOn1(world, &flow, 5);
  world.Advance(2 * Backend::kEjectionBase - 1ms);
  EXPECT_FALSE(Uses1(world, &flow));
  world.Advance(1ms);
  EXPECT_TRUE(Uses1(world, &flow));
}

TEST(Traffic, AtMostATenthOfTheNodesIsEjectedButOneMayBe) {
  LbWorld world;
  world.Ready(3);
  uint64_t flow = 0;
  FailOn1(world, &flow, 5);
  world.TakeEvents();
  // node-2 fails as well, but one of three is out already.
  for (int failed = 0; failed < 10;) {
    if (world.Open(++flow) == "node-2") {
      ++failed;
      world.Refuse(flow, bus::FlowClose::UNREACHABLE);
    }
    world.Accept(flow);
    world.SendIn(flow, "", true);
    world.SendOut(flow, "", true);
  }
  EXPECT_THAT(world.TakeEvents(), IsEmpty());
}

TEST(Traffic, TheLastNodeIsNeverEjected) {
  LbWorld world;
  world.Ready(1);
  for (uint64_t flow = 1; flow < 20; ++flow) {
    EXPECT_EQ(world.Open(flow), "node-1");
    world.Refuse(flow, bus::FlowClose::UNREACHABLE);
  }
}

TEST(Traffic, EjectionMayBeSwitchedOff) {
  LbWorld world;
  world.Ready(2, {{"ejection-failures", "0"}});
  uint64_t flow = 0;
  FailOn1(world, &flow, 20);
  EXPECT_TRUE(Uses1(world, &flow));
}

// Everything that can change, changes, under connections that run.
TEST(Traffic, AChangeOfSettingsLosesNoConnection) {
  LbWorld world;
  world.Ready(2);
  for (uint64_t flow = 1; flow <= 4; ++flow) {
    world.Open(flow);
    world.Accept(flow);
    world.SendIn(flow, "a");
  }
  uint64_t next = 100;
  for (const char* policy :
       {"maglev", "weighted", "random-two", "source-hash", "least-connections", "nonsense"}) {
    world.PutService({{"policy", policy},
                      {"max-connections", "1"},
                      {"slow-start", "10s"},
                      {"proxy-protocol", "v1"},
                      {"drain-time", "1s"},
                      {"idle-timeout", "100s"}});
    EXPECT_EQ(world.Open(++next), "");  // the new limit holds
  }
  world.PutService({}, [](k8s::core::v1::Service* service) {  // another port altogether
    service->mutable_spec()->mutable_ports(0)->set_port(9090);
    service->mutable_spec()->mutable_ports(0)->set_node_port(30090);
  });
  EXPECT_THAT(world.Take<bus::Unlisten>(), testing::SizeIs(1));
  EXPECT_NE(world.Open(++next, Ipv4(203, 0, 113, 1), 9090), "");
  for (uint64_t flow = 1; flow <= 4; ++flow) {
    world.SendIn(flow, "b");
    world.SendOut(flow, "c");
    EXPECT_EQ(world.Arrived(flow), "ab");
    EXPECT_EQ(world.ClosedFor(flow), bus::FlowClose::REASON_UNSPECIFIED);
  }
}

TEST(Traffic, TheProxyHeaderGoesFirst) {
  LbWorld world;
  world.Ready(1, {{"proxy-protocol", "v1"}});
  world.Open(1, Ipv4(203, 0, 113, 9));
  EXPECT_EQ(world.Arrived(1), "");  // the node has not accepted yet
  world.Accept(1, 1000);
  const std::string header = "PROXY TCP4 203.0.113.9 127.2.0.1 30001 8080\r\n";
  EXPECT_EQ(world.Arrived(1), header);
  // The client may send what is left of the node's credit.
  EXPECT_EQ(world.Take<bus::FlowCredit>().at(0).bytes(), 1000 - header.size());
  world.SendIn(1, "GET /");
  world.SendIn(1, "", true);
  EXPECT_EQ(world.Arrived(1), header + "GET /");
  EXPECT_EQ(world.Take<bus::FlowData>().back().offset(), header.size() + 5);
}

TEST(Traffic, TheProxyHeaderFollowsTheNodesCredit) {
  LbWorld world;
  world.Ready(1, {{"proxy-protocol", "v2"}});
  world.Open(1, Ipv4(203, 0, 113, 9));
  world.Accept(1, 10);
  EXPECT_EQ(world.Arrived(1).size(), 10u);
  EXPECT_EQ(world.Take<bus::FlowCredit>().at(0).bytes(), 0u);
  world.Accept(1, 20);
  EXPECT_EQ(world.Arrived(1), ProxyHeader(ProxyVersion::kV2, {Ipv4(203, 0, 113, 9), 30001},
                                          {Ipv4(127, 2, 0, 1), 8080}));
  EXPECT_EQ(world.Take<bus::FlowCredit>().at(0).bytes(), 2u);
}

TEST(Traffic, TheProxyHeaderGoesToTheNodeThatAcceptsInTheEnd) {
  LbWorld world;
  world.Ready(2, {{"proxy-protocol", "v1"}});
  ASSERT_EQ(world.Open(1), "node-1");
  world.Refuse(1, bus::FlowClose::UNREACHABLE);
  ASSERT_EQ(world.NodeOf(1), "node-2");
  world.Accept(1);
  EXPECT_EQ(world.Arrived(1), "PROXY TCP4 203.0.113.1 127.2.0.1 30001 8080\r\n");
}

}  // namespace
}  // namespace kubemu
