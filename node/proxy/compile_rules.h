#ifndef KUBEMU_NODE_PROXY_COMPILE_RULES_H_
#define KUBEMU_NODE_PROXY_COMPILE_RULES_H_

// Services and endpoints to iptables rules, in upstream's layout (pkg/proxy/iptables/proxier.go).
// Rules are text as iptables-save prints it, without "-A CHAIN ".

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"
#include "node/proxy/service_map.h"

namespace kubemu::proxy {

// What the rules depend on besides Services and endpoints.
struct ProxyNode {
  std::string name;
  std::string zone;  // label topology.kubernetes.io/zone
  Ipv4 ip;
  // Traffic from here comes from pods, all else is masqueraded on its way to a ClusterIP
  // (--cluster-cidr); /0 with base 0.0.0.0: not known, nothing is masqueraded for that reason.
  Ipv4Network cluster_cidr;
  // The node's own loopback network, that others may not reach. Where node addresses are
  // themselves in 127.0.0.0/8 (all on one machine) it has to be a part that holds none of them.
  Ipv4Network localnet{Ipv4(127, 0, 0, 0), 8};
  bool masquerade_all = false;  // --masquerade-all
  // --iptables-localhost-nodeports; false: NodePorts are not served on the loopback network.
  bool localhost_node_ports = true;
  // --nodeport-addresses: NodePorts are served on this node's address only if one of these holds
  // it; empty: on every local address.
  std::vector<Ipv4Network> node_port_addresses{};

  bool operator==(const ProxyNode&) const = default;
};

// From this many endpoints on, rules of single endpoints have no comments.
inline constexpr size_t kLargeClusterEndpoints = 1000;
// --iptables-masquerade-bit 14.
inline constexpr std::string_view kMasqueradeMark = "0x4000";

// Chains to which several Services contribute rules.
enum TopChain : size_t {
  kFilterServices,
  kFilterExternalServices,
  kFilterNodePorts,
  kFilterProxyFirewall,
  kNatServices,
  kNatNodePorts,
  kTopChainCount,
};

using Rules = std::vector<std::string>;
using ChainRules = std::map<std::string, Rules>;

// What one Service port contributes.
struct CompiledPort {
  std::array<Rules, kTopChainCount> top;
  ChainRules nat_chains;  // KUBE-SVC-, -SVL-, -EXT-, -FW-, -SEP-

  bool operator==(const CompiledPort&) const = default;
};
CompiledPort CompilePort(const ServicePortName& name, const ServicePortInfo& info,
                         const std::vector<EndpointInfo>& endpoints, const ProxyNode& node,
                         bool large_cluster);

// A whole rule set: for each table, its chains. Built-in chains hold only the jumps to
// kube-proxy's.
struct CompiledRules {
  ChainRules filter;
  ChainRules nat;

  bool operator==(const CompiledRules&) const = default;
};
CompiledRules CompileRules(const ServiceMap& services, const ProxyNode& node);

// The chains that do not depend on Services: jumps, KUBE-FORWARD, KUBE-POSTROUTING ...
CompiledRules FixedChains(const ProxyNode& node);
// Table and name of a TopChain, and the rules that must stand last in it.
std::string_view TopChainName(TopChain chain);
bool InNat(TopChain chain);
Rules TopChainLastRules(TopChain chain, const ProxyNode& node);

// iptables-restore text with all chains, for a restore that replaces the tables.
std::string RestoreText(const CompiledRules& rules);
// iptables-restore --noflush text that makes `after` out of `before`: only the chains that differ,
// in order of their names; "" if there is none.
std::string DiffText(const CompiledRules& before, const CompiledRules& after);

}  // namespace kubemu::proxy

#endif  // KUBEMU_NODE_PROXY_COMPILE_RULES_H_
