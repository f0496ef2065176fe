#include "node/proxy/rule_compiler.h"

#include <utility>

namespace kubemu::proxy {
namespace {

using TopFlags = std::array<bool, kTopChainCount>;

// Notes which top chains differ and moves differing chains of two versions of a Service's port into
// the two sides of a diff.
void Compare(const CompiledPort& before, const CompiledPort& after, TopFlags* top,
             CompiledRules* old_side, CompiledRules* new_side) {
  for (size_t i = 0; i < kTopChainCount; ++i) {
    if (before.top[i] != after.top[i]) (*top)[i] = true;
  }
  for (const auto& [name, rules] : before.nat_chains) {
    const auto other = after.nat_chains.find(name);
    if (other == after.nat_chains.end() || other->second != rules) old_side->nat[name] = rules;
  }
  for (const auto& [name, rules] : after.nat_chains) {
    const auto other = before.nat_chains.find(name);
    if (other == before.nat_chains.end() || other->second != rules) new_side->nat[name] = rules;
  }
}

const CompiledPort& PortOf(const std::map<ServicePortName, CompiledPort>& ports,
                           const ServicePortName& name) {
  static const CompiledPort nothing;
  const auto it = ports.find(name);
  return it == ports.end() ? nothing : it->second;
}

}  // namespace

RuleCompiler::Ports RuleCompiler::CompileService(const ServiceMap& services, const ProxyNode& node,
                                                 const std::string& service) const {
  Ports ports;
  const auto it = services.services().find(service);
  if (it == services.services().end()) return ports;
  for (const auto& [name, info] : it->second) {
    ports.emplace(name, CompilePort(name, info, services.Endpoints(name), node, large_cluster_));
  }
  return ports;
}

std::string RuleCompiler::Full(const ServiceMap& services, const ProxyNode& node) {
  large_cluster_ = services.endpoint_count() > kLargeClusterEndpoints;
  compiled_.clear();
  CompiledRules rules = FixedChains(node);
  for (const auto& [service, unused] : services.services()) {
    Ports ports = CompileService(services, node, service);
    for (const auto& [name, port] : ports) {
      rules.nat.insert(port.nat_chains.begin(), port.nat_chains.end());
    }
    compiled_.emplace(service, std::move(ports));
  }
  TopFlags all;
  all.fill(true);
  AddTopChains(all, node, &rules);
  return RestoreText(rules);
}

std::string RuleCompiler::Partial(const ServiceMap& services, const ProxyNode& node,
                                  const std::set<std::string>& changed) {
  std::set<std::string> affected = changed;
  const bool large_cluster = services.endpoint_count() > kLargeClusterEndpoints;
  if (large_cluster != std::exchange(large_cluster_, large_cluster)) {
    for (const auto& [service, ports] : services.services()) affected.insert(service);
  }
  TopFlags top{};
  CompiledRules before;
  CompiledRules after;
  for (const std::string& service : affected) {
    Ports ports = CompileService(services, node, service);
    Ports& old_ports = compiled_[service];
    for (const auto& [name, port] : old_ports) {
      Compare(port, PortOf(ports, name), &top, &before, &after);
    }
    for (const auto& [name, port] : ports) {
      if (!old_ports.contains(name)) Compare({}, port, &top, &before, &after);
    }
    if (ports.empty()) {
      compiled_.erase(service);
    } else {
      old_ports = std::move(ports);
    }
  }
  AddTopChains(top, node, &after);
  return DiffText(before, after);
}

void RuleCompiler::AddTopChains(const TopFlags& wanted, const ProxyNode& node,
                                CompiledRules* rules) const {
  for (size_t i = 0; i < kTopChainCount; ++i) {
    if (!wanted[i]) continue;
    const auto chain = static_cast<TopChain>(i);
    Rules& all = (InNat(chain) ? rules->nat : rules->filter)[std::string(TopChainName(chain))];
    for (const auto& [service, ports] : compiled_) {
      for (const auto& [name, port] : ports) {
        all.insert(all.end(), port.top[i].begin(), port.top[i].end());
      }
    }
    for (std::string& rule : TopChainLastRules(chain, node)) all.push_back(std::move(rule));
  }
}

}  // namespace kubemu::proxy
