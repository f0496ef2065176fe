#ifndef KUBEMU_NODE_IPTABLES_RULE_MATCH_H_
#define KUBEMU_NODE_IPTABLES_RULE_MATCH_H_

// Internal to evaluate.h: does one rule match one packet?

#include <string>

#include "node/iptables/evaluate.h"

namespace kubemu::iptables {

// True if all conditions of the rule hold. Conditions that remember or draw (recent, statistic) do
// so when they are reached, unless it is a rehearsal. *why, unless null, has to be empty; it gets
// the condition that does not hold, or all that do.
bool RuleMatches(const Rule& rule, const Packet& packet, const Surroundings& surroundings,
                 RecentLists& recent, std::string* why);

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_RULE_MATCH_H_
