#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/node.pb.h"
#include "node/iptables/iptables.h"
#include "node/proxy/compile_rules.h"
#include "tests/node/iptables/cluster_fixture.h"
#include "tests/node/iptables/part_harness.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kClient[] = "internet/203.0.113.9:5000";
constexpr char kPod1[] = "node-1/pod/ns1/one";
constexpr char kPod2[] = "node-2/pod/ns1/two";

// Two nodes, 192.168.0.1 and 192.168.0.2, with pods 10.244.1.0/24 and 10.244.2.0/24; a pod on each.
class IptablesPartTest : public testing::Test {
 protected:
  IptablesPartTest() {
    bus_.Add("node-1/iptables", &node1_);
    bus_.Add("node-2/iptables", &node2_);
    info_.cluster_ip = Ip("10.96.0.10");
    info_.port = 80;
    info_.node_port = 30080;
    AddPod(1, kPod1, "10.244.1.5");
    AddPod(2, kPod2, "10.244.2.5");
  }

  static std::string Name(int node) { return StrCat("node-", node); }

  bus::NodeNetwork NetworkOf(int node) {
    bus::NodeNetwork network;
    for (int i = 1; i <= 2; ++i) {
      const std::string cidr = StrCat("10.244.", i, ".0/24");
      const uint32_t ip = Ip(StrCat("192.168.0.", i)).bits();
      if (i == node) {
        network.set_node_ip(ip);
        network.set_pod_cidr(cidr);
        network.add_listen_ports(30080);
        continue;
      }
      auto* peer = network.add_peers();
      peer->set_process(Name(i));
      peer->set_ip(ip);
      peer->set_pod_cidr(cidr);
    }
    return network;
  }

  // Brings the rules of both nodes to what `endpoints_` and `info_` say now.
  void Load() {
    proxy::ServiceMap services;
    services.SetService(name_.service, {{name_, info_}});
    services.SetSlice("ns1/svc1-a", name_.service, {{name_, endpoints_}});
    ++revision_;
    for (int i = 1; i <= 2; ++i) {
      proxy::ProxyNode node;
      node.name = Name(i);
      node.cluster_cidr = Net("10.244.0.0/16");
      bus::IptablesRestore restore;
      restore.set_revision(revision_);
      restore.set_full(true);
      restore.set_rules(proxy::RestoreText(proxy::CompileRules(services, node)));
      *restore.mutable_network() = NetworkOf(i);
      bus_.Send(Name(i) + "/kube-proxy", Name(i) + "/iptables", restore);
    }
    for (const auto& [message, restored] : bus_.Take<bus::IptablesRestored>()) {
      EXPECT_EQ(restored.error(), "");
    }
  }

  void AddPod(int node, const std::string& address, std::string_view ip) {
    bus::PodNetworkUpdate update;
    update.set_ip(Ip(ip).bits());
    update.set_address(address);
    bus_.Send(Name(node) + "/engine", Name(node) + "/iptables", update);
  }
  void RemovePod(int node, const std::string& address, std::string_view ip) {
    bus::PodNetworkUpdate update;
    update.set_ip(Ip(ip).bits());
    update.set_address(address);
    update.set_removed(true);
    bus_.Send(Name(node) + "/engine", Name(node) + "/iptables", update);
  }
  void AddEndpoint(std::string_view address, int node) {
    proxy::EndpointInfo endpoint;
    endpoint.address = At(address);
    endpoint.node = Name(node);
    endpoints_.push_back(endpoint);
  }

  void Open(const std::string& from, const std::string& to, std::string_view source,
            std::string_view destination, uint64_t flow = 1) {
    bus::FlowOpen open;
    open.set_flow(flow);
    open.set_protocol(bus::TCP);
    open.set_source_ip(At(source).ip.bits());
    open.set_source_port(At(source).port);
    open.set_destination_ip(At(destination).ip.bits());
    open.set_destination_port(At(destination).port);
    open.set_credit(1000);
    bus_.Send(from, to, open);
  }
  void OpenFromOutside(std::string_view destination = "192.168.0.1:30080", uint64_t flow = 1) {
    Open(kClient, "node-1/iptables", StrCat("203.0.113.9:", 5000 + flow), destination, flow);
  }

  // "to: source -> destination" of each flow opened to a pod.
  std::vector<std::string> Opened() {
    std::vector<std::string> texts;
    for (const auto& [message, open] : bus_.Take<bus::FlowOpen>()) {
      last_open_ = {message.from, open.flow()};
      texts.push_back(StrCat(message.to, ": ", Ipv4(open.source_ip()).ToString(), " -> ",
                             Ipv4(open.destination_ip()).ToString(), ":", open.destination_port()));
    }
    return texts;
  }
  // "to: REASON detail"
  std::vector<std::string> Closed() {
    std::vector<std::string> texts;
    for (const auto& [message, close] : bus_.Take<bus::FlowClose>()) {
      texts.push_back(StrCat(message.to, ": ", bus::FlowClose::Reason_Name(close.reason()), " ",
                             close.detail()));
    }
    return texts;
  }
  // The pod that got the last flow answers `data` on it.
  void AnswerFromPod(const std::string& pod, const std::string& data) {
    bus::FlowCredit credit;
    credit.set_flow(last_open_.second);
    credit.set_reply(true);
    credit.set_bytes(1000);
    bus_.Send(pod, last_open_.first, credit);
    bus::FlowData answer;
    answer.set_flow(last_open_.second);
    answer.set_reply(true);
    answer.set_data(data);
    bus_.Send(pod, last_open_.first, answer);
  }

  PartHarness bus_;
  Iptables node1_{{.node = "node-1"}};
  Iptables node2_{{.node = "node-2"}};
  proxy::ServicePortName name_{"ns1/svc1", "p80", proxy::Protocol::kTcp};
  proxy::ServicePortInfo info_;
  std::vector<proxy::EndpointInfo> endpoints_;
  uint64_t revision_ = 0;
  std::pair<std::string, uint64_t> last_open_;
};

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
  bus_.Pass(Iptables::kListenRetry);
  EXPECT_THAT(bus_.Take<bus::Listen>(), SizeIs(1));
  // More and more seldom: it may be another program's for good.
  bus_.Send("node-1/door", "node-1/iptables", busy);
  bus_.Pass(Iptables::kListenRetry);
  EXPECT_THAT(bus_.Take<bus::Listen>(), IsEmpty());
  bus_.Pass(Iptables::kListenRetry);
  EXPECT_THAT(bus_.Take<bus::Listen>(), SizeIs(1));

  bus::IptablesRestore restore;
  restore.set_revision(++revision_);
  *restore.mutable_network() = NetworkOf(1);
  restore.mutable_network()->clear_listen_ports();
  bus_.Send("node-1/kube-proxy", "node-1/iptables", restore);
  ASSERT_THAT(bus_.Take<bus::Unlisten>(), SizeIs(1));
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

class DatagramTest : public IptablesPartTest {
 protected:
  DatagramTest() { name_.protocol = proxy::Protocol::kUdp; }

  void Send(const std::string& from, const std::string& to, std::string_view source,
            std::string_view destination) {
    bus::Datagram datagram;
    datagram.set_protocol(bus::UDP);
    datagram.set_source_ip(At(source).ip.bits());
    datagram.set_source_port(At(source).port);
    datagram.set_destination_ip(At(destination).ip.bits());
    datagram.set_destination_port(At(destination).port);
    bus_.Send(from, to, datagram);
  }
  // "to: source -> destination"; the source port is kept for the answer.
  std::vector<std::string> Arrived() {
    std::vector<std::string> texts;
    for (const auto& [message, datagram] : bus_.Take<bus::Datagram>()) {
      port_ = datagram.source_port();
      texts.push_back(StrCat(message.to, ": ", Ipv4(datagram.source_ip()).ToString(), " -> ",
                             Ipv4(datagram.destination_ip()).ToString(), ":",
                             datagram.destination_port()));
    }
    return texts;
  }
  uint32_t port_ = 0;
};

TEST_F(DatagramTest, GoThereAndBackThroughBothNodes) {
  AddEndpoint("10.244.2.5:53", 2);
  Load();
  Send(kPod1, "node-1/iptables", "10.244.1.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), ElementsAre("node-2/pod/ns1/two: 10.244.1.5 -> 10.244.2.5:53"));
  Send(kPod2, "node-2/iptables", "10.244.2.5:53", StrCat("10.244.1.5:", port_));
  EXPECT_THAT(Arrived(), ElementsAre("node-1/pod/ns1/one: 10.96.0.10 -> 10.244.1.5:4000"));
  bus_.Pass(121s);
  EXPECT_EQ(node1_.conntrack().size(), 0u);
}

TEST_F(DatagramTest, AreNotSentToAPodThatNoLongerServes) {
  AddEndpoint("10.244.1.5:53", 1);
  Load();
  Send(kPod2, "node-1/iptables", "10.244.2.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("10.244.1.5:53")));
  endpoints_.clear();
  AddEndpoint("10.244.2.5:53", 2);
  Load();
  Send(kPod2, "node-1/iptables", "10.244.2.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("10.244.2.5:53")));
}

}  // namespace
}  // namespace kubemu
