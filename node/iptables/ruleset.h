#ifndef KUBEMU_NODE_IPTABLES_RULESET_H_
#define KUBEMU_NODE_IPTABLES_RULESET_H_

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "node/iptables/chain_index.h"
#include "node/iptables/fast_rule.h"
#include "node/iptables/recent.h"
#include "node/iptables/rule.h"
#include "node/iptables/save_format.h"

namespace kubemu::iptables {

// The rules of one node, loaded: jumps are pointers, long chains are indexed, every rule has its
// counters. Changed only by Restore, whole or not at all.
class Ruleset {
 public:
  struct Chain;
  // What every packet that comes by has to touch stands in front, in a cache line of its own: with
  // many Services the rules do not fit into any cache.
  struct alignas(64) LoadedRule {
    FastRule fast{};
    Chain* jump = nullptr;  // of a Jump target
    Counters counters{};
    Rule rule{};
  };
  struct Chain {
    std::string name{};
    bool builtin = false;
    bool policy_accept = true;  // built-in chains
    std::vector<LoadedRule> rules{};
    ChainIndex index{};
    Counters policy_counters{};
    std::set<const Chain*> callers{};  // for "may it go"; never iterated into an output
    // Scratch of the loop check: which one it was seen by, and how deep its jumps go (-1: being
    // looked at).
    uint64_t visited = 0;
    int height = 0;
  };

  // Chains may call each other this deep (the kernel's NFT_JUMP_STACK_SIZE).
  static constexpr int kJumpDepthMax = 16;

  Ruleset();
  Ruleset(const Ruleset&) = delete;
  Ruleset& operator=(const Ruleset&) = delete;

  // As iptables-restore [--noflush] does: the tables named are changed in one step; noflush leaves
  // chains that are not named as they are. On an error (a jump to a chain that is not there, a
  // loop, a deleted chain that is still in use) nothing has changed; the text names table and
  // chain.
  absl::Status Restore(RestoreInput input, bool noflush);

  // None if there is no such chain.
  Chain* Find(Table table, std::string_view name);
  const Chain* Find(Table table, std::string_view name) const {
    return const_cast<Ruleset*>(this)->Find(table, name);
  }
  // A built-in chain. REQUIRES: the table has it.
  Chain* Builtin(Table table, Hook hook) {
    return builtin_[Index(table)][static_cast<size_t>(hook)];
  }
  // Built-in chains first, the others by name.
  std::vector<const Chain*> AllChains(Table table) const;
  size_t ChainCount(Table table) const { return chains_[Index(table)].size(); }
  size_t RuleCount(Table table) const;

  // As iptables-save [-c] prints it.
  std::string Save(Table table, bool with_counters) const;

  RecentLists& recent() { return recent_; }

 private:
  using Chains = std::map<std::string, std::unique_ptr<Chain>, std::less<>>;
  // One table's change, worked out beside the loaded rules.
  struct Stage {
    Table table;
    Chains added;
    std::map<std::string, std::vector<LoadedRule>, std::less<>> replaced{};  // by chain name
    std::map<std::string, bool> policies{};
    std::set<std::string, std::less<>> removed{};
  };
  static size_t Index(Table table) { return static_cast<size_t>(table); }

  absl::Status Prepare(TableUpdate& update, bool noflush, Stage* stage);
  void FlushAll(const TableUpdate& update, Stage* stage);
  absl::Status TakeChain(TableUpdate::Chain& update, Stage* stage);
  absl::Status TakeRemoved(const TableUpdate& update, Stage* stage);
  absl::Status ResolveJumps(Stage* stage);
  absl::Status CheckRemoved(const Stage& stage);
  absl::Status CheckLoops(const Stage& stage);
  absl::Status Visit(const Stage& stage, Chain* chain, int depth);
  Chain* FindStaged(const Stage& stage, std::string_view name);
  void Apply(Stage stage);
  void Replace(Chain* chain, std::vector<LoadedRule> rules);

  std::array<Chains, 2> chains_;
  std::array<std::array<Chain*, kHookCount>, 2> builtin_{};
  RecentLists recent_;
  uint64_t epoch_ = 0;
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_RULESET_H_
