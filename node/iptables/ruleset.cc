#include "node/iptables/ruleset.h"

#include <algorithm>

#include "messages/core/check.h"
#include "messages/core/strings.h"

namespace kubemu::iptables {
namespace {

template <typename... Parts>
absl::Status BadTable(Table table, const Parts&... parts) {
  return absl::InvalidArgumentError(StrCat("table ", TableName(table), ": ", parts...));
}

const RecentMatch* RecentOf(const Rule& rule, size_t i) {
  return std::get_if<RecentMatch>(&rule.matches[i]);
}

}  // namespace

Ruleset::Ruleset() {
  for (Table table : kAllTables) {
    for (std::string_view name : BuiltinChains(table)) {
      auto chain = std::make_unique<Chain>();
      chain->name = name;
      chain->builtin = true;
      chains_[Index(table)].emplace(name, std::move(chain));
    }
    for (size_t i = 0; i < kHookCount; ++i) {
      builtin_[Index(table)][i] = Find(table, HookName(static_cast<Hook>(i)));
    }
  }
}

absl::Status Ruleset::Restore(RestoreInput input, bool noflush) {
  std::vector<Stage> stages;
  std::set<Table> tables;
  for (TableUpdate& update : input) {
    if (!tables.insert(update.table).second) {
      return BadTable(update.table, "comes twice in one input");
    }
    stages.emplace_back();
    absl::Status status = Prepare(update, noflush, &stages.back());
    if (!status.ok()) return status;
  }
  for (Stage& stage : stages) Apply(std::move(stage));
  return absl::OkStatus();
}

absl::Status Ruleset::Prepare(TableUpdate& update, bool noflush, Stage* stage) {
  stage->table = update.table;
  if (!noflush) FlushAll(update, stage);
  for (TableUpdate::Chain& chain : update.chains) {
    if (absl::Status status = TakeChain(chain, stage); !status.ok()) return status;
  }
  if (absl::Status status = TakeRemoved(update, stage); !status.ok()) return status;
  if (absl::Status status = ResolveJumps(stage); !status.ok()) return status;
  if (absl::Status status = CheckRemoved(*stage); !status.ok()) return status;
  return CheckLoops(*stage);
}

// Without --noflush the table begins empty: what is not declared goes, policies are ACCEPT again.
void Ruleset::FlushAll(const TableUpdate& update, Stage* stage) {
  std::set<std::string_view> declared;
  for (const TableUpdate::Chain& chain : update.chains) {
    if (chain.declared) declared.insert(chain.content.name);
  }
  for (const auto& [name, chain] : chains_[Index(stage->table)]) {
    if (chain->builtin) {
      stage->replaced[name];
      stage->policies[name] = true;
    } else if (!declared.contains(name)) {
      stage->removed.insert(name);
    }
  }
}

absl::Status Ruleset::TakeChain(TableUpdate::Chain& update, Stage* stage) {
  const std::string& name = update.content.name;
  Chain* chain = FindStaged(*stage, name);
  const bool builtin = chain != nullptr && chain->builtin;
  if (chain == nullptr) {
    if (!update.declared) {
      return BadTable(stage->table, "chain ", name, " is not there; declare it with \":", name,
                      " - [0:0]\"");
    }
    auto added = std::make_unique<Chain>();
    added->name = name;
    chain = added.get();
    stage->added.emplace(name, std::move(added));
  }
  if (update.content.policy_accept) stage->policies[name] = *update.content.policy_accept;
  if (builtin && !update.flush && update.content.rules.empty()) return absl::OkStatus();
  const auto [rules, fresh] = stage->replaced.try_emplace(name);
  const bool keeps = fresh && !update.flush && (builtin || !update.declared);
  if (keeps) rules->second = chain->rules;
  rules->second.reserve(rules->second.size() + update.content.rules.size());
  for (Rule& rule : update.content.rules) rules->second.emplace_back().rule = std::move(rule);
  return absl::OkStatus();
}

absl::Status Ruleset::TakeRemoved(const TableUpdate& update, Stage* stage) {
  for (const std::string& name : update.removed) {
    const Chain* chain = FindStaged(*stage, name);
    if (chain == nullptr)
      return BadTable(stage->table, "chain ", name, " to be deleted is not there");
    if (chain->builtin)
      return BadTable(stage->table, "built-in chain ", name, " cannot be deleted");
    stage->replaced.erase(name);
    if (stage->added.erase(name) == 0) stage->removed.insert(name);
  }
  return absl::OkStatus();
}

Ruleset::Chain* Ruleset::FindStaged(const Stage& stage, std::string_view name) {
  if (const auto it = stage.added.find(name); it != stage.added.end()) return it->second.get();
  return stage.removed.contains(name) ? nullptr : Find(stage.table, name);
}

absl::Status Ruleset::ResolveJumps(Stage* stage) {
  for (auto& [name, rules] : stage->replaced) {
    for (LoadedRule& loaded : rules) {
      const auto* jump = std::get_if<Jump>(&loaded.rule.target);
      if (jump == nullptr) continue;
      loaded.jump = FindStaged(*stage, jump->chain);
      if (loaded.jump == nullptr) {
        return BadTable(stage->table, "chain ", name, " jumps to \"", jump->chain,
                        "\", which is neither a chain nor a supported target");
      }
      if (loaded.jump->builtin) {
        return BadTable(stage->table, "chain ", name, " jumps to the built-in chain ", jump->chain);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Ruleset::CheckRemoved(const Stage& stage) {
  for (const std::string& name : stage.removed) {
    const Chain* chain = Find(stage.table, name);
    for (const Chain* caller : chain->callers) {
      if (stage.replaced.contains(caller->name) || stage.removed.contains(caller->name)) continue;
      return BadTable(stage.table, "chain ", name, " cannot be deleted: other rules jump to it");
    }
  }
  return absl::OkStatus();
}

absl::Status Ruleset::CheckLoops(const Stage& stage) {
  ++epoch_;
  // A new loop leads through a chain whose rules are new.
  for (const auto& [name, rules] : stage.replaced) {
    absl::Status status = Visit(stage, FindStaged(stage, name), 0);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Ruleset::Visit(const Stage& stage, Chain* chain, int depth) {
  if (chain->visited == epoch_ && chain->height >= 0) return absl::OkStatus();
  if (chain->visited == epoch_ || depth > kJumpDepthMax) {
    return BadTable(stage.table, "chain ", chain->name, " leads back to itself, or more than ",
                    kJumpDepthMax, " jumps deep");
  }
  chain->visited = epoch_;
  chain->height = -1;
  const auto staged = stage.replaced.find(chain->name);
  const std::vector<LoadedRule>& rules =
      staged != stage.replaced.end() ? staged->second : chain->rules;
  int height = 0;
  for (const LoadedRule& loaded : rules) {
    if (loaded.jump == nullptr) continue;
    absl::Status status = Visit(stage, loaded.jump, depth + 1);
    if (!status.ok()) return status;
    height = std::max(height, loaded.jump->height + 1);
  }
  if (height > kJumpDepthMax) {
    return BadTable(stage.table, "chain ", chain->name, " leads more than ", kJumpDepthMax,
                    " jumps deep");
  }
  chain->height = height;
  return absl::OkStatus();
}

void Ruleset::Apply(Stage stage) {
  Chains& chains = chains_[Index(stage.table)];
  chains.merge(stage.added);
  for (auto& [name, accept] : stage.policies) Find(stage.table, name)->policy_accept = accept;
  for (auto& [name, rules] : stage.replaced) Replace(Find(stage.table, name), std::move(rules));
  for (const std::string& name : stage.removed) Replace(Find(stage.table, name), {});
  for (const std::string& name : stage.removed) chains.erase(name);
}

void Ruleset::Replace(Chain* chain, std::vector<LoadedRule> rules) {
  // The new references first: a list that old and new rules name is kept.
  for (const LoadedRule& loaded : rules) {
    for (size_t i = 0; i < loaded.rule.matches.size(); ++i) {
      if (const RecentMatch* m = RecentOf(loaded.rule, i)) recent_.Reference(m->name);
    }
  }
  for (const LoadedRule& loaded : chain->rules) {
    if (loaded.jump != nullptr) loaded.jump->callers.erase(chain);
    for (size_t i = 0; i < loaded.rule.matches.size(); ++i) {
      if (const RecentMatch* m = RecentOf(loaded.rule, i)) recent_.Release(m->name);
    }
  }
  chain->rules = std::move(rules);
  for (LoadedRule& loaded : chain->rules) {
    loaded.fast = FastRule::Of(loaded.rule);
    if (loaded.jump != nullptr) loaded.jump->callers.insert(chain);
  }
  chain->index.Build(chain->rules.size(),
                     [chain](size_t i) -> const Rule& { return chain->rules[i].rule; });
}

Ruleset::Chain* Ruleset::Find(Table table, std::string_view name) {
  const Chains& chains = chains_[Index(table)];
  const auto it = chains.find(name);
  return it == chains.end() ? nullptr : it->second.get();
}

size_t Ruleset::RuleCount(Table table) const {
  size_t count = 0;
  for (const auto& [name, chain] : chains_[Index(table)]) count += chain->rules.size();
  return count;
}

std::vector<const Ruleset::Chain*> Ruleset::AllChains(Table table) const {
  std::vector<const Chain*> order;
  for (std::string_view name : BuiltinChains(table)) order.push_back(Find(table, name));
  for (const auto& [name, chain] : chains_[Index(table)]) {
    if (!chain->builtin) order.push_back(chain.get());
  }
  return order;
}

std::string Ruleset::Save(Table table, bool with_counters) const {
  const std::vector<const Chain*> order = AllChains(table);
  std::string text = StrCat("*", TableName(table), "\n");
  for (const Chain* chain : order) {
    StrAppend(&text, ":", chain->name, " ",
              !chain->builtin        ? "-"
              : chain->policy_accept ? "ACCEPT"
                                     : "DROP",
              " [", chain->policy_counters.packets, ":", chain->policy_counters.bytes, "]\n");
  }
  for (const Chain* chain : order) {
    for (const LoadedRule& loaded : chain->rules) {
      if (with_counters) {
        StrAppend(&text, "[", loaded.counters.packets, ":", loaded.counters.bytes, "] ");
      }
      const std::string rule = RuleText(loaded.rule);
      StrAppend(&text, "-A ", chain->name, rule.empty() ? "" : " ", rule, "\n");
    }
  }
  StrAppend(&text, "COMMIT\n");
  return text;
}

}  // namespace kubemu::iptables
