#include "node/proxy/compile_rules.h"

#include <algorithm>

#include "messages/core/strings.h"

namespace kubemu::proxy {
namespace {

constexpr Ipv4 kLocalhost(127, 0, 0, 1);
constexpr char kNew[] = "-m conntrack --ctstate NEW ";

std::string Jump(std::string_view state, std::string_view comment, std::string_view chain) {
  return StrCat(state, "-m comment --comment \"", comment, "\" -j ", chain);
}

// kube-proxy and kubelet put each jump in front of the ones before, so the last made comes first.
void AddJumps(CompiledRules* rules) {
  const std::string external =
      Jump(kNew, "kubernetes externally-visible service portals", "KUBE-EXTERNAL-SERVICES");
  const std::string health = Jump("", "kubernetes health check service ports", "KUBE-NODEPORTS");
  const std::string services = Jump(kNew, "kubernetes service portals", "KUBE-SERVICES");
  const std::string forward = Jump("", "kubernetes forwarding rules", "KUBE-FORWARD");
  const std::string firewall =
      Jump(kNew, "kubernetes load balancer firewall", "KUBE-PROXY-FIREWALL");
  rules->filter["INPUT"] = {"-j KUBE-FIREWALL", firewall, health, external};
  rules->filter["FORWARD"] = {firewall, forward, services, external};
  rules->filter["OUTPUT"] = {"-j KUBE-FIREWALL", firewall, services};
  const std::string nat_services = Jump("", "kubernetes service portals", "KUBE-SERVICES");
  rules->nat["PREROUTING"] = {nat_services};
  rules->nat["INPUT"] = {};
  rules->nat["OUTPUT"] = {nat_services};
  rules->nat["POSTROUTING"] = {Jump("", "kubernetes postrouting rules", "KUBE-POSTROUTING")};
}

bool IsBuiltin(std::string_view chain) {
  return !chain.starts_with("KUBE-");
}

void AppendTable(std::string_view table, const ChainRules& chains,
                 const std::vector<std::string>& removed, std::string* text) {
  if (chains.empty() && removed.empty()) return;
  StrAppend(text, "*", table, "\n");
  for (const auto& [name, rules] : chains) {
    StrAppend(text, ":", name, IsBuiltin(name) ? " ACCEPT" : " -", " [0:0]\n");
  }
  for (const std::string& name : removed) StrAppend(text, ":", name, " - [0:0]\n");
  for (const auto& [name, rules] : chains) {
    for (const std::string& rule : rules) StrAppend(text, "-A ", name, " ", rule, "\n");
  }
  for (const std::string& name : removed) StrAppend(text, "-X ", name, "\n");
  StrAppend(text, "COMMIT\n");
}

void AppendDiff(std::string_view table, const ChainRules& before, const ChainRules& after,
                std::string* text) {
  ChainRules changed;
  std::vector<std::string> removed;
  for (const auto& [name, rules] : after) {
    const auto old = before.find(name);
    if (old == before.end() || old->second != rules) changed[name] = rules;
  }
  for (const auto& [name, rules] : before) {
    if (!after.contains(name)) removed.push_back(name);
  }
  AppendTable(table, changed, removed, text);
}

}  // namespace

std::string_view TopChainName(TopChain chain) {
  switch (chain) {
    case kFilterServices:
    case kNatServices:
      return "KUBE-SERVICES";
    case kFilterExternalServices:
      return "KUBE-EXTERNAL-SERVICES";
    case kFilterNodePorts:
    case kNatNodePorts:
      return "KUBE-NODEPORTS";
    case kFilterProxyFirewall:
      return "KUBE-PROXY-FIREWALL";
    case kTopChainCount:
      break;
  }
  return "";
}

bool InNat(TopChain chain) {
  return chain == kNatServices || chain == kNatNodePorts;
}

Rules TopChainLastRules(TopChain chain, const ProxyNode& node) {
  if (chain != kNatServices) return {};
  const std::string rest =
      "-m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in "
      "this chain\"";
  if (node.node_port_addresses.empty()) {
    const std::string elsewhere =
        node.localhost_node_ports ? "" : StrCat("! -d ", node.localnet.ToString(), " ");
    return {StrCat(elsewhere, rest, " -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")};
  }
  Rules rules;
  const bool serves_localhost =
      node.localhost_node_ports &&
      std::any_of(node.node_port_addresses.begin(), node.node_port_addresses.end(),
                  [](const Ipv4Network& network) { return network.Contains(kLocalhost); });
  for (Ipv4 ip : {kLocalhost, node.ip}) {
    const bool wanted =
        ip == kLocalhost
            ? serves_localhost
            : std::any_of(node.node_port_addresses.begin(), node.node_port_addresses.end(),
                          [ip](const Ipv4Network& n) { return n.Contains(ip); });
    if (wanted) rules.push_back(StrCat("-d ", ip.ToString(), "/32 ", rest, " -j KUBE-NODEPORTS"));
  }
  return rules;
}

CompiledRules FixedChains(const ProxyNode& node) {
  CompiledRules rules;
  AddJumps(&rules);
  rules.filter["KUBE-PROXY-CANARY"] = {};
  rules.nat["KUBE-PROXY-CANARY"] = {};
  const std::string localnet = node.localnet.ToString();
  rules.filter["KUBE-FIREWALL"] = {
      StrCat("! -s ", localnet, " -d ", localnet,
             " -m comment --comment \"block incoming localnet connections\" -m conntrack ! "
             "--ctstate RELATED,ESTABLISHED,DNAT -j DROP")};
  const std::string mark = StrCat(kMasqueradeMark, "/", kMasqueradeMark);
  rules.filter["KUBE-FORWARD"] = {
      "-m conntrack --ctstate INVALID -j DROP",
      StrCat("-m comment --comment \"kubernetes forwarding rules\" -m mark --mark ", mark,
             " -j ACCEPT"),
      "-m comment --comment \"kubernetes forwarding conntrack rule\" -m conntrack --ctstate "
      "RELATED,ESTABLISHED -j ACCEPT"};
  rules.nat["KUBE-POSTROUTING"] = {
      StrCat("-m mark ! --mark ", mark, " -j RETURN"),
      StrCat("-j MARK --set-xmark ", kMasqueradeMark, "/0x0"),
      "-m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE "
      "--random-fully"};
  rules.nat["KUBE-MARK-MASQ"] = {StrCat("-j MARK --set-xmark ", mark)};
  return rules;
}

CompiledRules CompileRules(const ServiceMap& services, const ProxyNode& node) {
  CompiledRules rules = FixedChains(node);
  const bool large_cluster = services.endpoint_count() > kLargeClusterEndpoints;
  std::array<Rules, kTopChainCount> top;
  for (const auto& [service, ports] : services.services()) {
    for (const auto& [name, info] : ports) {
      CompiledPort port = CompilePort(name, info, services.Endpoints(name), node, large_cluster);
      for (size_t i = 0; i < kTopChainCount; ++i) {
        top[i].insert(top[i].end(), port.top[i].begin(), port.top[i].end());
      }
      rules.nat.merge(port.nat_chains);
    }
  }
  for (size_t i = 0; i < kTopChainCount; ++i) {
    const auto chain = static_cast<TopChain>(i);
    for (std::string& rule : TopChainLastRules(chain, node)) top[i].push_back(std::move(rule));
    (InNat(chain) ? rules.nat : rules.filter)[std::string(TopChainName(chain))] = std::move(top[i]);
  }
  return rules;
}

std::string RestoreText(const CompiledRules& rules) {
  std::string text;
  AppendTable("filter", rules.filter, {}, &text);
  AppendTable("nat", rules.nat, {}, &text);
  return text;
}

std::string DiffText(const CompiledRules& before, const CompiledRules& after) {
  std::string text;
  AppendDiff("filter", before.filter, after.filter, &text);
  AppendDiff("nat", before.nat, after.nat, &text);
  return text;
}

}  // namespace kubemu::proxy
