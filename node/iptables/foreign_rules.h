#ifndef KUBEMU_NODE_IPTABLES_FOREIGN_RULES_H_
#define KUBEMU_NODE_IPTABLES_FOREIGN_RULES_H_

#include "node/iptables/ruleset.h"
#include "node/iptables/save_format.h"

namespace kubemu::iptables {

// Adds to a whole rule set of kube-proxy's what else is in the tables that it replaces: chains not
// named KUBE-..., and in the built-in chains, behind kube-proxy's own, rules that do not jump to a
// chain named KUBE-..., and their policies. Upstream leaves these alone too, by never replacing a
// built-in chain.
void KeepForeignRules(const Ruleset& ruleset, RestoreInput* input);

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_FOREIGN_RULES_H_
