#include "node/iptables/foreign_rules.h"

namespace kubemu::iptables {
namespace {

bool IsForeign(const Rule& rule) {
  const auto* jump = std::get_if<Jump>(&rule.target);
  return jump == nullptr || !jump->chain.starts_with("KUBE-");
}

}  // namespace

void KeepForeignRules(const Ruleset& ruleset, RestoreInput* input) {
  for (TableUpdate& update : *input) {
    for (const Ruleset::Chain* chain : ruleset.AllChains(update.table)) {
      if (chain->name.starts_with("KUBE-")) continue;
      std::vector<Rule> kept;
      for (const Rule& rule : chain->rules) {
        if (!chain->builtin || IsForeign(rule)) kept.push_back(rule);
      }
      TableUpdate::Chain& target = update.Get(chain->name);
      if (chain->builtin) target.content.policy_accept = chain->policy_accept;
      target.declared = true;
      target.content.rules.insert(target.content.rules.end(), kept.begin(), kept.end());
    }
  }
}

}  // namespace kubemu::iptables
