#ifndef KUBEMU_TESTS_NODE_IPTABLES_IPTABLES_PART_FIXTURE_H_
#define KUBEMU_TESTS_NODE_IPTABLES_IPTABLES_PART_FIXTURE_H_

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/node.pb.h"
#include "node/iptables/iptables.h"
#include "node/proxy/compile_rules.h"
#include "tests/node/iptables/cluster_fixture.h"
#include "tests/node/iptables/part_harness.h"

namespace kubemu {

inline constexpr char kClient[] = "internet/203.0.113.9:5000";
inline constexpr char kPod1[] = "node-1/pod/ns1/one";
inline constexpr char kPod2[] = "node-2/pod/ns1/two";

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
      if (name_.protocol == proxy::Protocol::kUdp) *restore.add_udp_services() = UdpService();
      bus_.Send(Name(i) + "/kube-proxy", Name(i) + "/iptables", restore);
    }
    for (const auto& [message, restored] : bus_.Take<bus::IptablesRestored>()) {
      EXPECT_EQ(restored.error(), "");
    }
  }

  bus::UdpService UdpService() const {
    bus::UdpService udp;
    udp.add_ips(info_.cluster_ip.bits());
    udp.set_port(info_.port);
    udp.set_node_port(info_.node_port);
    for (const proxy::EndpointInfo& endpoint : endpoints_) {
      if (endpoint.serving) udp.add_endpoints(endpoint.address.ip.bits());
    }
    return udp;
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

}  // namespace kubemu

#endif  // KUBEMU_TESTS_NODE_IPTABLES_IPTABLES_PART_FIXTURE_H_
