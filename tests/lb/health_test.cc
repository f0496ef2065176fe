// Active health checks: HTTP over flows, thresholds, and how soon a node is out.
#include "lb/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lb/settings.h"
#include "tests/lb/lb_world.h"

namespace kubemu {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Health = LbWorld::Health;

// How long the balancer goes on to use node-2 after it has changed.
Duration TimeUntilOut(LbWorld& world, Health health) {
  world.SetHealth(2, health);
  const Time begin = world.now();
  for (uint64_t flow = 1; world.now() - begin < 20s; flow += 2) {
    if (world.Visit(flow) != "node-2" && world.Visit(flow + 1) != "node-2") break;
    world.Advance(20ms);
  }
  return world.now() - begin;
}

TEST(HealthChecks, ACheckIsAPlainHttpGetToTheNodesAddress) {
  Random random(1);
  HealthChecks checks(Ipv4(127, 2, 0, 0));
  Outbox outbox("lb", {});
  Env env{Time{}, WallTime{}, random, outbox};
  checks.SetTargets({{{"node-1", 10256}, Ipv4(127, 1, 0, 1)}}, env);
  checks.Tick(env);
  ASSERT_EQ(outbox.messages().size(), 1u);
  const Message& open = outbox.messages()[0];
  EXPECT_EQ(open.from, "lb/health");
  EXPECT_EQ(open.to, "node-1/iptables");
  EXPECT_EQ(Ipv4(open.As<bus::FlowOpen>().source_ip()), Ipv4(127, 2, 0, 0));
  EXPECT_EQ(Ipv4(open.As<bus::FlowOpen>().destination_ip()), Ipv4(127, 1, 0, 1));
  EXPECT_EQ(open.As<bus::FlowOpen>().destination_port(), 10256u);

  Outbox node("node-1/iptables", {});
  bus::FlowCredit credit;
  credit.set_flow(open.As<bus::FlowOpen>().flow());
  credit.set_reply(true);
  credit.set_bytes(500);
  node.Send("lb/health", std::move(credit));
  checks.Receive(node.messages()[0], env);
  ASSERT_EQ(outbox.messages().size(), 2u);
  EXPECT_EQ(outbox.messages()[1].As<bus::FlowData>().data(),
            "GET /healthz HTTP/1.1\r\nHost: 127.1.0.1:10256\r\nUser-Agent: kubemu-lb\r\n"
            "Connection: close\r\n\r\n");
}

TEST(HealthChecks, ANewNodeIsUpAfterItsFirstGoodCheck) {
  LbWorld world;
  world.Ready(1);
  EXPECT_EQ(world.Visit(1), "node-1");
}

TEST(HealthChecks, ASilentNodeIsOutWithinThreeSeconds) {
  LbWorld world;
  world.Ready(2);
  world.Advance(10s);
  const Duration out = TimeUntilOut(world, Health::kSilent);
  EXPECT_LE(out, 3s);
  EXPECT_GE(out, 3 * HealthChecks::kTimeout);  // and not before three checks failed
}

TEST(HealthChecks, ANodeThatRefusesOrSaysNoIsOutSooner) {
  for (const Health health : {Health::kRefuses, Health::kBad}) {
    LbWorld world;
    world.Ready(2);
    world.Advance(10s);
    EXPECT_LE(TimeUntilOut(world, health), 1500ms);
  }
}

TEST(HealthChecks, OneFailureTakesNobodyOut) {
  LbWorld world;
  world.Ready(2);
  world.Advance(10s);
  world.SetHealth(2, Health::kBad);
  world.Advance(HealthChecks::kInterval);  // exactly one check, then it is good again
  world.SetHealth(2, Health::kGood);
  world.Advance(10s);
  EXPECT_THAT(world.TakeEvents(), Not(Contains(HasSubstr("took out"))));
}

TEST(HealthChecks, TheStateIsToldOnTheNode) {
  LbWorld world;
  world.Ready(2);
  world.TakeEvents();
  world.SetHealth(2, Health::kBad);
  world.Advance(5s);
  EXPECT_THAT(world.TakeEvents(),
              ElementsAre("Warning LoadBalancerNodeDown Load balancer took out node node-2: 3 "
                          "health checks failed, the last one with: 503 Service Unavailable"));
  world.SetHealth(2, Health::kGood);
  world.Advance(5s);
  EXPECT_THAT(world.TakeEvents(), ElementsAre("Normal LoadBalancerNodeUp Load balancer sends to "
                                              "node node-2: it answers health checks"));
}

TEST(HealthChecks, ANodeThatWasDownNeedsTwoGoodChecks) {
  LbWorld world;
  world.Ready(2);
  world.SetHealth(2, Health::kRefuses);
  world.Advance(5s);
  world.TakeEvents();
  world.SetHealth(2, Health::kGood);
  // The first good check comes within kInterval, the second one kFastInterval later.
  world.Advance(HealthChecks::kInterval + HealthChecks::kFastInterval);
  EXPECT_THAT(world.TakeEvents(), Contains(HasSubstr("LoadBalancerNodeUp")));
}

TEST(HealthChecks, ALostLinkTakesANodeOutAtOnceAndALinkUpChecksAtOnce) {
  LbWorld world;
  world.Ready(2);
  world.Advance(10s);
  world.LinkDown(1);
  EXPECT_EQ(world.Visit(1), "node-2");
  EXPECT_EQ(world.Visit(2), "node-2");
  bus::LinkUp up;
  up.set_process("node-1");
  world.Deliver("lb/bus", std::move(up));
  world.Advance(HealthChecks::kFastInterval);
  EXPECT_EQ(std::set({world.Visit(3), world.Visit(4)}),
            (std::set<std::string>{"node-1", "node-2"}));
}

void LocalService(k8s::core::v1::Service* service) {
  service->mutable_spec()->set_external_traffic_policy("Local");
  service->mutable_spec()->set_health_check_node_port(32000);
}

TEST(HealthChecks, ALocalServiceGoesOnlyToNodesWhoseHealthPortSaysSo) {
  LbWorld world;
  world.SetHealth(1, Health::kBad, 32000);
  world.SetHealth(3, Health::kBad, 32000);
  world.Ready(3, {}, LocalService);
  for (uint64_t flow = 1; flow < 5; ++flow) EXPECT_EQ(world.Visit(flow), "node-2");
  // A pod moves from node-2 to node-3: no event, it is not the node that is ill.
  world.TakeEvents();
  world.SetHealth(2, Health::kBad, 32000);
  world.SetHealth(3, Health::kGood, 32000);
  world.Advance(3s);
  EXPECT_EQ(world.Visit(6), "node-3");
  EXPECT_EQ(world.Visit(7), "node-3");
  EXPECT_THAT(world.TakeEvents(), IsEmpty());
}

TEST(HealthChecks, AChangeOfTheTrafficPolicyChangesWhichPortDecides) {
  LbWorld world;
  world.SetHealth(1, Health::kBad, 32000);
  world.Ready(2, {}, LocalService);
  EXPECT_EQ(world.Visit(1), "node-2");
  EXPECT_EQ(world.Visit(2), "node-2");
  world.PutService();
  EXPECT_NE(world.Visit(3), world.Visit(4));
  world.PutService({}, LocalService);
  EXPECT_EQ(world.Visit(5), "node-2");
}

TEST(HealthChecks, GarbageIsAFailureAndNothingElse) {
  LbWorld world;
  world.Ready(1);
  for (const char* kind : {"credit", "data", "close"}) {
    bus::FlowData data;
    data.set_flow(77777);
    data.set_reply(true);
    data.set_data(kind);
    Outbox outbox("node-1/iptables", Trace{});
    outbox.Send(kCheckAddress, std::move(data));
    Random random(1);
    Outbox out("lb", Trace{});
    Env env{world.now(), WallTime{}, random, out};
    world.lb().Receive(outbox.messages()[0], env);
    EXPECT_THAT(out.messages(), IsEmpty());
  }
  EXPECT_EQ(world.Visit(1), "node-1");
}

}  // namespace
}  // namespace kubemu
