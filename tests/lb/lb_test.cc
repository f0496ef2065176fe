// The load balancer: addresses, listeners, and the way of a connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lb/address_pool.h"
#include "lb/fronts.h"
#include "tests/lb/lb_world.h"

namespace kubemu {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

TEST(AddressPool, GivesLowestFreeAddressAndKeepsIt) {
  AddressPool pool(Ipv4Network(Ipv4(127, 2, 0, 0), 30));  // two usable addresses
  EXPECT_EQ(pool.Take("a", std::nullopt), Ipv4(127, 2, 0, 1));
  EXPECT_EQ(pool.Take("a", std::nullopt), Ipv4(127, 2, 0, 1));
  EXPECT_EQ(pool.Take("b", std::nullopt), Ipv4(127, 2, 0, 2));
  EXPECT_EQ(pool.Take("c", std::nullopt), std::nullopt);
  pool.Release("a");
  EXPECT_EQ(pool.Take("c", std::nullopt), Ipv4(127, 2, 0, 1));
}

TEST(AddressPool, GivesTheWantedAddressOrNone) {
  AddressPool pool(Ipv4Network(Ipv4(127, 2, 0, 0), 24));
  EXPECT_EQ(pool.Take("a", Ipv4(127, 2, 0, 9)), Ipv4(127, 2, 0, 9));
  EXPECT_EQ(pool.Take("b", Ipv4(127, 2, 0, 9)), std::nullopt);  // taken
  EXPECT_EQ(pool.Take("b", Ipv4(127, 2, 0, 0)), std::nullopt);  // the network itself
  EXPECT_EQ(pool.Take("b", Ipv4(127, 9, 0, 1)), std::nullopt);  // elsewhere
}

TEST(LoadBalancer, WritesTheAddressOnlyWhenItIsListenedOn) {
  LbWorld world;
  world.PutService();
  const auto listens = world.Take<bus::Listen>();
  ASSERT_THAT(listens, SizeIs(1));
  EXPECT_EQ(Ipv4(listens[0].ip()), Ipv4(127, 2, 0, 1));
  EXPECT_EQ(listens[0].port(), 8080u);
  EXPECT_THAT(world.TakeEvents(),
              testing::ElementsAre("Normal EnsuringLoadBalancer Ensuring load balancer"));
  EXPECT_THAT(world.Take<bus::ApiRequest>(), IsEmpty());
  world.Listening();
  const auto writes = world.Take<bus::ApiRequest>();
  ASSERT_THAT(writes, SizeIs(1));
  EXPECT_EQ(writes[0].subresource(), "status");
  const auto& written = world.last_taken().objects.at(0).As<k8s::core::v1::Service>();
  EXPECT_EQ(written.status().load_balancer().ingress(0).ip(), "127.2.0.1");
}

TEST(LoadBalancer, TriesABusyAddressAgainAndSaysSo) {
  LbWorld world;
  world.PutService();
  world.sent().clear();
  world.Listening(8080, "address already in use");
  EXPECT_THAT(world.TakeEvents(), Contains(StartsWith("Warning SyncLoadBalancerFailed")));
  EXPECT_THAT(world.Take<bus::Listen>(), IsEmpty());
  world.Advance(Fronts::kRetryInterval);
  EXPECT_THAT(world.Take<bus::Listen>(), SizeIs(1));
}

TEST(LoadBalancer, SpreadsConnectionsOverTheNodesInTurn) {
  LbWorld world;
  world.Ready(2);
  EXPECT_EQ(world.Open(1), "node-1");
  EXPECT_EQ(world.Open(2), "node-2");
  EXPECT_EQ(world.Open(3), "node-1");
  const auto opens = world.Take<bus::FlowOpen>();
  ASSERT_THAT(opens, SizeIs(3));
  EXPECT_EQ(Ipv4(opens[0].destination_ip()), Ipv4(127, 1, 0, 1));
  EXPECT_EQ(opens[0].destination_port(), 30080u);
  EXPECT_EQ(Ipv4(opens[0].source_ip()), Ipv4(203, 0, 113, 1));  // the client's own
}

TEST(LoadBalancer, ADoubledOpenChangesNothing) {
  LbWorld world;
  world.Ready(2);
  world.Open(1);
  world.Open(1);
  EXPECT_THAT(world.Take<bus::FlowOpen>(), SizeIs(1));
  EXPECT_EQ(world.Open(2), "node-2");
}

TEST(LoadBalancer, RefusesAConnectionWhenNoNodeAnswers) {
  LbWorld world;
  world.Ready(0);
  EXPECT_EQ(world.Open(1), "");
  const auto closes = world.Take<bus::FlowClose>();
  ASSERT_THAT(closes, SizeIs(1));
  EXPECT_EQ(closes[0].reason(), bus::FlowClose::UNREACHABLE);
  EXPECT_TRUE(closes[0].reply());
  EXPECT_THAT(world.last_taken().to, StartsWith("internet/"));
}

TEST(LoadBalancer, PassesDataBothWaysAndResetsOnALostMessage) {
  LbWorld world;
  world.Ready(2);
  world.Open(1);
  world.Accept(1);
  world.SendIn(1, "GET");
  bus::FlowData data;
  data.set_flow(1);
  data.set_data("GET");
  world.Deliver("internet/203.0.113.1:1", data);  // doubled: passed once
  const auto passed = world.Take<bus::FlowData>();
  ASSERT_THAT(passed, SizeIs(1));
  EXPECT_EQ(passed[0].flow(), world.FarFlow(1));
  EXPECT_EQ(world.last_taken().to, "node-1/iptables");
  bus::FlowData answer;
  answer.set_flow(world.FarFlow(1));
  answer.set_reply(true);
  answer.set_offset(5);  // the first five bytes were lost
  answer.set_data("late");
  world.Deliver("node-1/iptables", answer);
  EXPECT_THAT(world.Take<bus::FlowData>(), IsEmpty());
  EXPECT_THAT(world.Take<bus::FlowClose>(), SizeIs(2));  // both sides hear of it
}

TEST(LoadBalancer, StopsListeningWhenTheServiceChangesItsType) {
  LbWorld world;
  world.Ready(2);
  world.PutService(
      {}, [](k8s::core::v1::Service* service) { service->mutable_spec()->set_type("ClusterIP"); });
  EXPECT_THAT(world.Take<bus::Unlisten>(), SizeIs(1));
  EXPECT_EQ(world.Open(1), "");
  EXPECT_EQ(world.ClosedFor(1), bus::FlowClose::REFUSED);
}

}  // namespace
}  // namespace kubemu
