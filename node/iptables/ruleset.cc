#include "node/iptables/ruleset.h"

#include <algorithm>
#include <utility>

#include "messages/core/check.h"
#include "messages/core/strings.h"

namespace kubemu::iptables {
namespace {

template <typename... Parts>
absl::Status BadTable(Table table, const Parts&... parts) {
  return absl::InvalidArgumentError(StrCat("table ", TableName(table), ": ", parts...));
}

// Calls `each` with the name of every list that a rule's matches use.
template <typename Each>
void ForRecentLists(const std::vector<Rule>& rules, Each each) {
  for (const Rule& rule : rules) {
    for (const Match& match : rule.matches) {
      if (const auto* recent = std::get_if<RecentMatch>(&match)) each(recent->name);
    }
  }
}

// Of a jump: without the chain.
Ruleset::Action ActionOf(const Target& target) {
  using Kind = Ruleset::Action::Kind;
  if (std::holds_alternative<std::monostate>(target)) return {.kind = Kind::kNothing};
  if (std::holds_alternative<Jump>(target)) return {.kind = Kind::kJump};
  if (std::holds_alternative<Return>(target)) return {.kind = Kind::kReturn};
  if (std::holds_alternative<Accept>(target)) return {.kind = Kind::kAccept};
  if (const auto* dnat = std::get_if<Dnat>(&target)) {
    return {.kind = Kind::kDnat, .port = dnat->to.port, .ip = dnat->to.ip};
  }
  return {.kind = Kind::kOther};
}

}  // namespace

Ruleset::Ruleset() {
  for (Table table : kAllTables) {
    for (std::string_view name : BuiltinChains(table)) {
      ChainPtr chain = NewChain(name);
      chain->builtin = true;
      chains_[Index(table)].emplace(name, std::move(chain));
    }
    for (size_t i = 0; i < kHookCount; ++i) {
      builtin_[Index(table)][i] = Find(table, HookName(static_cast<Hook>(i)));
    }
  }
}

Ruleset::ChainPtr Ruleset::NewChain(std::string_view name) {
  ChainPtr chain(std::pmr::polymorphic_allocator<>(&pool_).new_object<Chain>(), Delete{&pool_});
  chain->name = name;
  return chain;
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
    chain = stage->added.emplace(name, NewChain(name)).first->second.get();
  }
  if (update.content.policy_accept) stage->policies[name] = *update.content.policy_accept;
  if (builtin && !update.flush && update.content.rules.empty()) return absl::OkStatus();
  const auto [it, fresh] = stage->replaced.try_emplace(name);
  Rules& staged = it->second;
  const bool keeps = fresh && !update.flush && (builtin || !update.declared);
  if (keeps) staged = {chain->rules, {chain->loaded().begin(), chain->loaded().end()}};
  staged.rules.reserve(staged.rules.size() + update.content.rules.size());
  for (Rule& rule : update.content.rules) staged.rules.push_back(std::move(rule));
  staged.loaded.resize(staged.rules.size());
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
  for (auto& [name, staged] : stage->replaced) {
    for (size_t i = 0; i < staged.rules.size(); ++i) {
      Action& action = staged.loaded[i].action;
      action = ActionOf(staged.rules[i].target);
      const auto* jump = std::get_if<Jump>(&staged.rules[i].target);
      if (jump == nullptr) continue;
      action.jump = FindStaged(*stage, jump->chain);
      if (action.jump == nullptr) {
        return BadTable(stage->table, "chain ", name, " jumps to \"", jump->chain,
                        "\", which is neither a chain nor a supported target");
      }
      if (action.jump->builtin) {
        return BadTable(stage->table, "chain ", name, " jumps to the built-in chain ", jump->chain);
      }
    }
  }
  return absl::OkStatus();
}

// A chain may go if all rules that jump to it go too.
absl::Status Ruleset::CheckRemoved(const Stage& stage) {
  if (stage.removed.empty()) return absl::OkStatus();
  std::map<const Chain*, size_t> going;  // of a chain's references
  const auto count = [&](std::string_view name) {
    const Chain* chain = Find(stage.table, name);
    if (chain == nullptr) return;
    for (const LoadedRule& loaded : chain->loaded()) {
      if (loaded.action.jump != nullptr) ++going[loaded.action.jump];
    }
  };
  for (const auto& [name, rules] : stage.replaced) count(name);
  for (const std::string& name : stage.removed) count(name);
  for (const std::string& name : stage.removed) {
    const Chain* chain = Find(stage.table, name);
    const auto it = going.find(chain);
    if (chain->references == (it == going.end() ? 0 : it->second)) continue;
    return BadTable(stage.table, "chain ", name, " cannot be deleted: other rules jump to it");
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
  const std::span<const LoadedRule> rules =
      staged != stage.replaced.end() ? staged->second.loaded : std::as_const(*chain).loaded();
  int height = 0;
  for (const LoadedRule& loaded : rules) {
    Chain* jump = loaded.action.jump;
    if (jump == nullptr) continue;
    absl::Status status = Visit(stage, jump, depth + 1);
    if (!status.ok()) return status;
    height = std::max(height, jump->height + 1);
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

void Ruleset::Replace(Chain* chain, Rules rules) {
  // The new references first: a list that old and new rules name is kept.
  ForRecentLists(rules.rules, [&](const std::string& name) { recent_.Reference(name); });
  ForRecentLists(chain->rules, [&](const std::string& name) { recent_.Release(name); });
  for (const LoadedRule& loaded : chain->loaded()) {
    if (loaded.action.jump != nullptr) --loaded.action.jump->references;
  }
  for (size_t i = 0; i < rules.rules.size(); ++i) {
    LoadedRule& loaded = rules.loaded[i];
    loaded.fast = FastRule::Of(rules.rules[i]);
    if (loaded.action.jump != nullptr) ++loaded.action.jump->references;
  }
  chain->rules = std::move(rules.rules);
  chain->count = static_cast<uint32_t>(chain->rules.size());
  if (chain->count > Chain::kFewRules) {
    chain->many = std::move(rules.loaded);
  } else {
    chain->many = {};
    std::copy(rules.loaded.begin(), rules.loaded.end(), chain->few.begin());
  }
  std::vector<const void*> leads_to;
  for (const LoadedRule& loaded : chain->loaded()) leads_to.push_back(loaded.action.jump);
  chain->index = ChainIndex::Of(chain->rules, leads_to);
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
    for (size_t i = 0; i < chain->rules.size(); ++i) {
      if (with_counters) {
        const Counters& counters = chain->loaded()[i].counters;
        StrAppend(&text, "[", counters.packets, ":", counters.bytes, "] ");
      }
      const std::string rule = RuleText(chain->rules[i]);
      StrAppend(&text, "-A ", chain->name, rule.empty() ? "" : " ", rule, "\n");
    }
  }
  StrAppend(&text, "COMMIT\n");
  return text;
}

}  // namespace kubemu::iptables
