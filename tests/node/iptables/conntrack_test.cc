#include "node/iptables/conntrack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "messages/core/strings.h"
#include "tests/node/iptables/cluster_fixture.h"

namespace kubemu::iptables {
namespace {

class ConntrackTest : public testing::Test {
 protected:
  static Packet From(std::string_view source, Protocol protocol = Protocol::kTcp) {
    Packet packet;
    packet.protocol = protocol;
    packet.source = At(source).ip;
    packet.source_port = At(source).port;
    packet.destination = Ip("172.30.0.41");
    packet.destination_port = 80;
    return packet;
  }
  static Verdict ToPod(bool masquerade) {
    Verdict verdict;
    verdict.dnat = At("10.180.0.1:8080");
    verdict.masquerade = masquerade;
    return verdict;
  }

  const Ipv4 node_ip_ = Ip("192.168.0.2");
  Random random_{3};
};

TEST_F(ConntrackTest, TheReplyIsFoundAndLeadsBack) {
  Conntrack table;
  const auto added = table.Add(From("10.1.1.1:4000"), ToPod(true), node_ip_, random_, Time{});
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ((*added)->translated().ToString(), "tcp 192.168.0.2:4000 -> 10.180.0.1:8080");
  bool is_reply = false;
  Connection* reply =
      table.Find({Protocol::kTcp, At("10.180.0.1:8080"), At("192.168.0.2:4000")}, &is_reply);
  EXPECT_EQ(reply, *added);
  EXPECT_TRUE(is_reply);
  EXPECT_EQ(table.Find((*added)->original, &is_reply), *added);
  EXPECT_FALSE(is_reply);
}

TEST_F(ConntrackTest, TwoClientsWithOnePortGetTwoPorts) {
  Conntrack table;
  const auto one = table.Add(From("10.1.1.1:4000"), ToPod(true), node_ip_, random_, Time{});
  const auto two = table.Add(From("10.1.1.2:4000"), ToPod(true), node_ip_, random_, Time{});
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ((*one)->translated().source.port, 4000);
  EXPECT_NE((*two)->translated().source.port, 4000);
  EXPECT_GE((*two)->translated().source.port, Conntrack::kPortMin);
}

TEST_F(ConntrackTest, MasqueradedPortsAreUniqueUnderManyClients) {
  Conntrack table;
  Verdict verdict = ToPod(true);
  verdict.random_fully = true;
  std::set<uint16_t> ports;
  for (int i = 0; i < 20000; ++i) {
    const std::string source = StrCat("10.1.", i / 200, ".", i % 200, ":4000");
    const auto added = table.Add(From(source), verdict, node_ip_, random_, Time{});
    ASSERT_TRUE(added.ok()) << added.status();
    EXPECT_TRUE(ports.insert((*added)->translated().source.port).second);
  }
}

TEST_F(ConntrackTest, AFullTableSaysSo) {
  Conntrack table({}, 1);
  ASSERT_TRUE(table.Add(From("10.1.1.1:4000"), ToPod(false), node_ip_, random_, Time{}).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(
      table.Add(From("10.1.1.1:4000"), ToPod(false), node_ip_, random_, Time{}).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(
      table.Add(From("10.1.1.1:4001"), ToPod(false), node_ip_, random_, Time{}).status()));
  EXPECT_EQ(table.size(), 1u);
}

TEST_F(ConntrackTest, TimeoutsFollowTheState) {
  Conntrack table;
  Connection* tcp =
      table.Add(From("10.1.1.1:4000"), ToPod(false), node_ip_, random_, Time{}).value();
  Connection* udp =
      table.Add(From("10.1.1.1:4000", Protocol::kUdp), ToPod(false), node_ip_, random_, Time{})
          .value();
  EXPECT_EQ(tcp->expires, Time(120s));
  EXPECT_EQ(udp->expires, Time(30s));
  table.Touch(tcp, true, Time(1s));
  EXPECT_EQ(tcp->state, Connection::State::kEstablished);
  EXPECT_EQ(tcp->expires, Time(24h + 1s));
  table.Touch(udp, false, Time(2s));
  EXPECT_EQ(udp->expires, Time(32s));
  table.Touch(udp, true, Time(3s));
  EXPECT_EQ(udp->expires, Time(123s));
  table.SetState(tcp, Connection::State::kClosing, Time(4s));
  EXPECT_EQ(tcp->expires, Time(1h + 4s));
  table.SetState(tcp, Connection::State::kClosed, Time(5s));
  EXPECT_EQ(tcp->expires, Time(125s));
}

TEST_F(ConntrackTest, ExpireReturnsWhatIsDueAndKeepsWhatWasTouched) {
  Conntrack table;
  Connection* kept =
      table.Add(From("10.1.1.1:4000", Protocol::kUdp), ToPod(false), node_ip_, random_, Time{})
          .value();
  table.Add(From("10.1.1.1:4001", Protocol::kUdp), ToPod(false), node_ip_, random_, Time{}).value();
  table.Touch(kept, false, Time(20s));
  EXPECT_EQ(table.NextExpiry(), Time(30s));
  const std::vector<Connection> expired = table.Expire(Time(30s));
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].original.source.port, 4001);
  EXPECT_EQ(table.NextExpiry(), Time(50s));
  EXPECT_EQ(table.Expire(Time(50s)).size(), 1u);
  EXPECT_EQ(table.NextExpiry(), kNever);
}

TEST_F(ConntrackTest, RemovedConnectionsLeaveNothingBehind) {
  Conntrack table;
  for (int i = 0; i < 100; ++i) {
    Connection* added =
        table.Add(From("10.1.1.1:4000"), ToPod(true), node_ip_, random_, Time{}).value();
    table.Touch(added, true, Time{});
    table.Remove(added->id);
  }
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.NextExpiry(), kNever);
}

}  // namespace
}  // namespace kubemu::iptables
