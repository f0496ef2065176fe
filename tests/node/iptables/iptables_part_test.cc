#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/iptables/iptables_part_fixture.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(IptablesPartTest, ANodeWithoutAPodPassesTheRequestToTheNodeThatHasOne) {
  AddEndpoint("10.244.2.5:8080", 2);
  Load();
  OpenFromOutside();
  EXPECT_THAT(Opened(), ElementsAre("node-2/pod/ns1/two: 192.168.0.1 -> 10.244.2.5:8080"));
  AnswerFromPod(kPod2, "hello");
  const auto data = bus_.Take<bus::FlowData>();
  ASSERT_THAT(data, SizeIs(1));
  EXPECT_EQ(data[0].first.to, kClient);
  EXPECT_EQ(data[0].second.data(), "hello");
  EXPECT_EQ(node1_.statistics().forwarded, 1u);
  EXPECT_EQ(node2_.conntrack().connections().begin()->second.state,
            iptables::Connection::State::kEstablished);
}

TEST_F(IptablesPartTest, OwnPodsSeeTheBridgesAddressAndPodsEachOthers) {
  AddEndpoint("10.244.1.5:8080", 1);
  Load();
  OpenFromOutside();
  EXPECT_THAT(Opened(), ElementsAre("node-1/pod/ns1/one: 10.244.1.1 -> 10.244.1.5:8080"));
  Open(kPod2, "node-2/iptables", "10.244.2.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Opened(), ElementsAre("node-1/pod/ns1/one: 10.244.2.5 -> 10.244.1.5:8080"));
  Open(kPod1, "node-1/iptables", "10.244.1.5:4000", "10.244.2.5:9");
  EXPECT_THAT(Opened(), ElementsAre("node-2/pod/ns1/two: 10.244.1.5 -> 10.244.2.5:9"));
}

TEST_F(IptablesPartTest, RejectRefusesAndNamesTheRule) {
  Load();
  OpenFromOutside();
  EXPECT_THAT(Closed(), ElementsAre("internet/203.0.113.9:5000: REFUSED iptables: "
                                    "KUBE-EXTERNAL-SERVICES rule 1 (ns1/svc1:p80 has no "
                                    "endpoints)"));
  EXPECT_EQ(node1_.statistics().rejected, 1u);
  EXPECT_EQ(node1_.conntrack().size(), 0u);
}

TEST_F(IptablesPartTest, DropIsSilentAndCounted) {
  AddEndpoint("10.244.2.5:8080", 2);
  info_.external_policy_local = true;
  Load();
  bus_.Take<bus::Listen>();
  OpenFromOutside();
  EXPECT_THAT(bus_.outside(), IsEmpty());
  EXPECT_EQ(node1_.statistics().dropped, 1u);
}

TEST_F(IptablesPartTest, AddressesThatNobodyHasAreUnreachable) {
  OpenFromOutside();
  EXPECT_THAT(Closed(), ElementsAre(HasSubstr("UNREACHABLE iptables: this node has no network")));
  Load();
  OpenFromOutside("10.244.1.77:80");
  EXPECT_THAT(Closed(), ElementsAre(HasSubstr("UNREACHABLE no route to 10.244.1.77:80")));
  OpenFromOutside("198.51.100.1:80");
  EXPECT_THAT(Closed(), ElementsAre(HasSubstr("UNREACHABLE no route to 198.51.100.1:80")));
  OpenFromOutside("192.168.0.1:22");
  EXPECT_THAT(Closed(), ElementsAre(HasSubstr("REFUSED nobody listens on 192.168.0.1:22")));
}

TEST_F(IptablesPartTest, AnUnknownPodIsAskedForOnceInAWhile) {
  Load();
  OpenFromOutside("10.244.1.77:80", 1);
  OpenFromOutside("10.244.1.77:80", 2);
  const auto asked = bus_.Take<bus::PodNetworkUpdate>();
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_EQ(asked[0].first.to, "node-1/engine");
  AddPod(1, "node-1/pod/ns1/late", "10.244.1.77");
  OpenFromOutside("10.244.1.77:80", 3);
  EXPECT_THAT(Opened(), SizeIs(1));
  bus_.Pass(Iptables::kAskInterval);
  OpenFromOutside("10.244.1.78:80", 4);
  EXPECT_THAT(bus_.Take<bus::PodNetworkUpdate>(), SizeIs(1));
}

TEST_F(IptablesPartTest, AConnectionKeepsItsPodWhileTheRulesChange) {
  AddEndpoint("10.244.1.5:8080", 1);
  Load();
  OpenFromOutside();
  EXPECT_THAT(Opened(), ElementsAre(HasSubstr("10.244.1.5:8080")));
  endpoints_.clear();
  AddEndpoint("10.244.2.5:8080", 2);
  Load();
  bus::FlowData request;
  request.set_flow(1);
  request.set_data("still here?");
  bus_.Send(kClient, "node-1/iptables", request);
  const auto data = bus_.Take<bus::FlowData>();
  ASSERT_THAT(data, SizeIs(1));
  EXPECT_EQ(data[0].first.to, kPod1);
  OpenFromOutside("192.168.0.1:30080", 2);
  EXPECT_THAT(Opened(), ElementsAre(HasSubstr("10.244.2.5:8080")));
}

TEST_F(IptablesPartTest, APodsEndResetsItsConnectionsAndOnlyThose) {
  AddEndpoint("10.244.1.5:8080", 1);
  Load();
  OpenFromOutside("192.168.0.1:30080", 1);
  OpenFromOutside("10.244.2.5:8080", 2);
  Opened();
  RemovePod(1, kPod1, "10.244.1.5");
  EXPECT_THAT(Closed(), ElementsAre("internet/203.0.113.9:5000: RESET pod node-1/pod/ns1/one is "
                                    "gone",
                                    "node-1/pod/ns1/one: RESET pod node-1/pod/ns1/one is gone"));
  EXPECT_EQ(node1_.conntrack().size(), 1u);
}

TEST_F(IptablesPartTest, ALostLinkResetsWhatPassedThroughIt) {
  AddEndpoint("10.244.2.5:8080", 2);
  Load();
  OpenFromOutside();
  Opened();
  bus::LinkDown down;
  down.set_process("node-2");
  bus_.Send("node-1/bus", "node-1/iptables", down);
  EXPECT_THAT(Closed(), testing::Contains(HasSubstr("internet/203.0.113.9:5000: RESET")));
  EXPECT_EQ(node1_.conntrack().size(), 0u);
}

TEST_F(IptablesPartTest, ANodeWithoutLinkIsRefusedAtOnceUntilItAnswersAgain) {
  AddEndpoint("10.244.2.5:8080", 2);
  Load();
  bus::LinkDown down;
  down.set_process("node-2");
  bus_.Send("node-1/bus", "node-1/iptables", down);
  OpenFromOutside("192.168.0.1:30080", 1);
  OpenFromOutside("192.168.0.1:30080", 2);
  const std::string refused = "UNREACHABLE no link to node-2, where 10.244.2.5:8080 is";
  EXPECT_THAT(Closed(), ElementsAre(HasSubstr(refused), HasSubstr(refused)));
  const auto checks = bus_.Take<bus::HealthCheck>();
  ASSERT_THAT(checks, SizeIs(1));
  EXPECT_EQ(checks[0].first.to, "node-2/kube-proxy");
  bus_.Pass(Iptables::kProbeInterval);
  OpenFromOutside("192.168.0.1:30080", 3);
  EXPECT_THAT(bus_.Take<bus::HealthCheck>(), SizeIs(1));
  bus_.Send("node-2/kube-proxy", "node-1/iptables", bus::HealthCheckResult());
  OpenFromOutside("192.168.0.1:30080", 4);
  EXPECT_THAT(Opened(), SizeIs(1));
}

TEST_F(IptablesPartTest, ADoubledOpenChangesNothing) {
  AddEndpoint("10.244.1.5:8080", 1);
  Load();
  OpenFromOutside();
  OpenFromOutside();
  EXPECT_THAT(Opened(), SizeIs(1));
  EXPECT_THAT(Closed(), IsEmpty());
  EXPECT_EQ(node1_.conntrack().size(), 1u);
}

TEST_F(IptablesPartTest, OneClientPortMayComeTwoWays) {
  AddEndpoint("10.244.1.5:8080", 1);
  info_.external_policy_local = true;
  Load();
  Open(kClient, "node-1/iptables", "203.0.113.9:5000", "192.168.0.1:30080");
  Open("lb", "node-1/iptables", "203.0.113.9:5000", "192.168.0.1:30080");
  EXPECT_THAT(Opened(), SizeIs(2));
  EXPECT_THAT(Closed(), IsEmpty());
  EXPECT_EQ(node1_.conntrack().size(), 2u);
}

TEST_F(IptablesPartTest, AnEndedConnectionIsForgotten) {
  AddEndpoint("10.244.1.5:8080", 1);
  Load();
  OpenFromOutside();
  bus::FlowClose close;
  close.set_flow(1);
  close.set_reason(bus::FlowClose::RESET);
  bus_.Send(kClient, "node-1/iptables", close);
  EXPECT_EQ(node1_.conntrack().size(), 0u);
  EXPECT_EQ(node1_.NextWake(), kNever);
}

TEST_F(IptablesPartTest, AConnectionWithoutAnswerTimesOut) {
  AddEndpoint("10.244.1.5:8080", 1);
  Load();
  OpenFromOutside();
  bus_.Pass(121s);
  EXPECT_THAT(Closed(), testing::Contains(HasSubstr("internet/203.0.113.9:5000: TIMED_OUT")));
  EXPECT_EQ(node1_.conntrack().size(), 0u);
}

TEST_F(IptablesPartTest, NodesThatDisagreeAboutAPodDoNotPlayBall) {
  Load();
  // node-2 sends here what, as node-1 knows, is on node-2.
  Open("node-2/iptables", "node-1/iptables", "203.0.113.9:5000", "10.244.2.5:80");
  EXPECT_THAT(Opened(), IsEmpty());
  EXPECT_EQ(node1_.statistics().unreachable, 1u);
}

TEST_F(IptablesPartTest, PartialRestoresNeedTheRevisionBefore) {
  Load();
  bus::IptablesRestore restore;
  restore.set_revision(3);
  restore.set_rules("*nat\n:KUBE-NODEPORTS - [0:0]\nCOMMIT\n");
  bus_.Send("node-1/kube-proxy", "node-1/iptables", restore);
  auto answers = bus_.Take<bus::IptablesRestored>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_THAT(answers[0].second.error(), HasSubstr("revision 1 is in force"));
  restore.set_revision(2);
  restore.set_rules("*nat\n:KUBE-NODEPORTS - [0:0]\n-A KUBE-NODEPORTS -j NOBODY\nCOMMIT\n");
  bus_.Send("node-1/kube-proxy", "node-1/iptables", restore);
  answers = bus_.Take<bus::IptablesRestored>();
  EXPECT_THAT(answers[0].second.error(), HasSubstr("NOBODY"));
  EXPECT_EQ(node1_.revision(), 1u);
  restore.set_rules("*nat\n:KUBE-NODEPORTS - [0:0]\nCOMMIT\n");
  bus_.Send("node-1/kube-proxy", "node-1/iptables", restore);
  EXPECT_EQ(bus_.Take<bus::IptablesRestored>()[0].second.error(), "");
  EXPECT_EQ(node1_.revision(), 2u);
}

TEST_F(IptablesPartTest, AFullRestoreKeepsOtherPeoplesRules) {
  const auto input = iptables::ParseRestore(
      "*filter\n:INPUT DROP [0:0]\n:MINE - [0:0]\n-A INPUT -s 203.0.113.0/24 -j MINE\n-A MINE -j "
      "DROP\nCOMMIT\n");
  ASSERT_TRUE(input.ok()) << input.status();
  ASSERT_TRUE(node1_.ruleset().Restore(*input, true).ok());
  Load();
  Load();
  const std::string saved = node1_.ruleset().Save(iptables::Table::kFilter, false);
  EXPECT_THAT(saved, HasSubstr(":INPUT DROP [0:0]"));
  EXPECT_THAT(saved, HasSubstr("-j KUBE-EXTERNAL-SERVICES\n-A INPUT -s 203.0.113.0/24 -j MINE\n"));
  EXPECT_THAT(saved, HasSubstr("-A MINE -j DROP\n"));
  EXPECT_EQ(node1_.ruleset().Find(iptables::Table::kFilter, "INPUT")->rules.size(), 5u);
}

TEST_F(IptablesPartTest, NodePortsAreListenedOnUntilTheyAreGone) {
  Load();
  auto listens = bus_.Take<bus::Listen>();
  ASSERT_THAT(listens, SizeIs(2));
  EXPECT_EQ(listens[0].first.to, "node-1/door");
  EXPECT_EQ(Ipv4(listens[0].second.ip()), Ip("192.168.0.1"));
  EXPECT_EQ(listens[0].second.port(), 30080u);
  Load();
  EXPECT_THAT(bus_.Take<bus::Listen>(), IsEmpty());

  bus::ListenResult busy;
  busy.set_ip(Ip("192.168.0.1").bits());
  busy.set_port(30080);
  busy.set_error("Address already in use");
  bus_.Send("node-1/door", "node-1/iptables", busy);
  // kube-proxy is told, so that people are.
  const auto told = bus_.Take<bus::ListenResult>();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].first.to, "node-1/kube-proxy");
  EXPECT_EQ(told[0].second.error(), "Address already in use");
  bus_.Pass(Iptables::kListenRetry);
  EXPECT_THAT(bus_.Take<bus::Listen>(), SizeIs(1));
  // More and more seldom: it may be another program's for good.
  bus_.Send("node-1/door", "node-1/iptables", busy);
  bus_.Pass(Iptables::kListenRetry);
  EXPECT_THAT(bus_.Take<bus::Listen>(), IsEmpty());
  bus_.Pass(Iptables::kListenRetry);
  EXPECT_THAT(bus_.Take<bus::Listen>(), SizeIs(1));
  EXPECT_THAT(bus_.Take<bus::ListenResult>(), IsEmpty());  // once for all tries
  // When it was listened on in between, it is news again.
  bus::ListenResult free = busy;
  free.clear_error();
  bus_.Send("node-1/door", "node-1/iptables", free);
  bus_.Send("node-1/door", "node-1/iptables", busy);
  EXPECT_THAT(bus_.Take<bus::ListenResult>(), SizeIs(1));
  bus_.Pass(Iptables::kListenRetryMax);
  EXPECT_THAT(bus_.Take<bus::Listen>(), SizeIs(1));

  bus::IptablesRestore restore;
  restore.set_revision(++revision_);
  *restore.mutable_network() = NetworkOf(1);
  restore.mutable_network()->clear_listen_ports();
  bus_.Send("node-1/kube-proxy", "node-1/iptables", restore);
  ASSERT_THAT(bus_.Take<bus::Unlisten>(), SizeIs(1));
}

TEST_F(IptablesPartTest, UdpNodePortsAreListenedOnBesideTcpOnes) {
  Load();
  bus_.Take<bus::Listen>();
  bus::IptablesRestore restore;
  restore.set_revision(++revision_);
  *restore.mutable_network() = NetworkOf(1);
  restore.mutable_network()->add_listen_udp_ports(30080);
  bus_.Send("node-1/kube-proxy", "node-1/iptables", restore);
  const auto listens = bus_.Take<bus::Listen>();
  ASSERT_THAT(listens, SizeIs(1));
  EXPECT_EQ(listens[0].second.protocol(), bus::UDP);
  EXPECT_EQ(listens[0].second.port(), 30080u);

  bus::ListenResult busy;  // of UDP: the TCP port of that number stays as it is
  busy.set_ip(Ip("192.168.0.1").bits());
  busy.set_port(30080);
  busy.set_protocol(bus::UDP);
  busy.set_error("Address already in use");
  bus_.Send("node-1/door", "node-1/iptables", busy);
  bus_.Pass(Iptables::kListenRetry);
  const auto again = bus_.Take<bus::Listen>();
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].second.protocol(), bus::UDP);
}

TEST_F(IptablesPartTest, HostNetworkPodsAreReachedOnTheNodesAddress) {
  Load();
  bus::PodNetworkUpdate update;
  update.set_ip(Ip("192.168.0.1").bits());
  update.set_address("node-1/pod/ns1/host");
  update.set_host_network(true);
  update.add_ports(9100);
  bus_.Send("node-1/engine", "node-1/iptables", update);
  OpenFromOutside("192.168.0.1:9100");
  EXPECT_THAT(Opened(), ElementsAre("node-1/pod/ns1/host: 203.0.113.9 -> 192.168.0.1:9100"));
}

// As the kernel does: who is new is dropped, who is there goes on.
TEST_F(IptablesPartTest, AFullConntrackTableDropsNewcomersSilently) {
  Iptables small({.node = "node-1", .conntrack_max = 2});
  bus_.Add("node-1/iptables", &small);
  AddPod(1, kPod1, "10.244.1.5");
  AddEndpoint("10.244.1.5:80", 1);
  Load();
  OpenFromOutside("192.168.0.1:30080", 1);
  OpenFromOutside("192.168.0.1:30080", 2);
  EXPECT_THAT(Opened(), SizeIs(2));
  OpenFromOutside("192.168.0.1:30080", 3);
  EXPECT_THAT(Opened(), IsEmpty());
  EXPECT_THAT(Closed(), IsEmpty());
  EXPECT_EQ(small.statistics().table_full, 1u);
  EXPECT_EQ(small.statistics().forwarded, 2u);
  bus_.Pass(121s);  // nobody answered: both are forgotten
  Closed();
  OpenFromOutside("192.168.0.1:30080", 4);
  EXPECT_THAT(Opened(), SizeIs(1));
}

// CLOSE_WAIT is forgotten after an hour, an established connection after a day.
TEST_F(IptablesPartTest, AHalfClosedConnectionIsForgottenSooner) {
  AddEndpoint("10.244.1.5:80", 1);
  Load();
  OpenFromOutside();
  EXPECT_THAT(Opened(), SizeIs(1));
  bus::FlowCredit accepted;
  accepted.set_flow(last_open_.second);
  accepted.set_reply(true);
  accepted.set_bytes(1000);
  bus_.Send(kPod1, "node-1/iptables", accepted);
  bus_.Pass(2h);
  ASSERT_EQ(node1_.conntrack().size(), 1u);
  bus::FlowData fin;
  fin.set_flow(1);
  fin.set_fin(true);
  bus_.Send(kClient, "node-1/iptables", fin);
  EXPECT_EQ(node1_.conntrack().connections().begin()->second.state,
            iptables::Connection::State::kClosing);
  bus_.Pass(61min);
  EXPECT_EQ(node1_.conntrack().size(), 0u);
  EXPECT_THAT(Closed(), testing::Contains(HasSubstr("TIMED_OUT")));
}

}  // namespace
}  // namespace kubemu
