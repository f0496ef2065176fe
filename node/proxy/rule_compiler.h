#ifndef KUBEMU_NODE_PROXY_RULE_COMPILER_H_
#define KUBEMU_NODE_PROXY_RULE_COMPILER_H_

#include <map>
#include <set>
#include <string>

#include "node/proxy/compile_rules.h"
#include "node/proxy/service_map.h"

namespace kubemu::proxy {

// Keeps what CompileRules makes of a ServiceMap and recompiles only the Services that changed: the
// cost of one endpoint's change does not depend on how many Services there are. What it hands out
// is the same as RestoreText and DiffText of the whole rule sets.
class RuleCompiler {
 public:
  // Compiles everything: RestoreText.
  std::string Full(const ServiceMap& services, const ProxyNode& node);

  // What changes because these Services ("namespace/name") changed: DiffText. If the cluster has
  // become large, or no longer is, that is all of them. REQUIRES: Full was called before, with the
  // same node.
  std::string Partial(const ServiceMap& services, const ProxyNode& node,
                      const std::set<std::string>& changed);

 private:
  using Ports = std::map<ServicePortName, CompiledPort>;
  Ports CompileService(const ServiceMap& services, const ProxyNode& node,
                       const std::string& service) const;
  // The top chains with the rules of all Services, where `wanted` says so.
  void AddTopChains(const std::array<bool, kTopChainCount>& wanted, const ProxyNode& node,
                    CompiledRules* rules) const;

  bool large_cluster_ = false;
  std::map<std::string, Ports> compiled_;  // by Service
};

}  // namespace kubemu::proxy

#endif  // KUBEMU_NODE_PROXY_RULE_COMPILER_H_
