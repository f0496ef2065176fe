#ifndef KUBEMU_TESTS_NODE_IPTABLES_CLUSTER_FIXTURE_H_
#define KUBEMU_TESTS_NODE_IPTABLES_CLUSTER_FIXTURE_H_

#include <string>
#include <vector>

#include "messages/core/random.h"
#include "node/iptables/evaluate.h"
#include "node/proxy/compile_rules.h"
#include "node/proxy/service_map.h"

namespace kubemu {

Ipv4 Ip(std::string_view text);
SocketAddress At(std::string_view text);
Ipv4Network Net(std::string_view text);

// One Service port "ns1/svc1:p80" at 172.30.0.41:80, as upstream's proxier_test.go likes it, on a
// node "node-1" 192.168.0.2 of a cluster with pods in 10.0.0.0/8.
class ClusterFixture {
 public:
  ClusterFixture();

  // An endpoint of ns1/svc1:p80.
  proxy::EndpointInfo& AddEndpoint(std::string_view address, std::string node = "node-1");
  // The rules that kube-proxy writes now, loaded.
  void Load();
  // A packet from outside to `to`, after Load.
  iptables::Verdict Send(std::string_view from, std::string_view to,
                         iptables::PacketTrace* trace = nullptr);
  iptables::Verdict SendFromNode(std::string_view to);
  // "10.180.0.1:80, masq", "10.180.0.1:80", "REJECT", "DROP", "as is": as packetFlowTest has it.
  std::string Flow(std::string_view from, std::string_view to);
  std::string FlowFromNode(std::string_view to);
  proxy::CompiledRules Compile();

  proxy::ServicePortName name{"ns1/svc1", "p80", proxy::Protocol::kTcp};
  proxy::ServicePortInfo info;
  std::vector<proxy::EndpointInfo> endpoints;
  proxy::ProxyNode node;
  Time now{};

 private:
  iptables::Verdict Evaluate(iptables::Packet packet, iptables::PacketTrace* trace);

  iptables::Ruleset ruleset_;
  iptables::LocalAddresses local_;
  Random random_{7};
};

std::string FlowText(const iptables::Verdict& verdict);

}  // namespace kubemu

#endif  // KUBEMU_TESTS_NODE_IPTABLES_CLUSTER_FIXTURE_H_
