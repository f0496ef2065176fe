#ifndef KUBEMU_NODE_IPTABLES_RULESET_H_
#define KUBEMU_NODE_IPTABLES_RULESET_H_

#include <array>
#include <map>
#include <memory>
#include <memory_resource>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "node/iptables/chain_index.h"
#include "node/iptables/fast_rule.h"
#include "node/iptables/huge_pages.h"
#include "node/iptables/recent.h"
#include "node/iptables/rule.h"
#include "node/iptables/save_format.h"

namespace kubemu::iptables {

// The rules of one node, loaded: jumps are pointers, long chains are indexed, every rule has its
// counters. Changed only by Restore, whole or not at all.
//
// With many Services the rules fit into no cache, and a first packet's lookup costs as much as it
// waits for lines. So what a packet touches is apart from the rest: one line of a rule, and a chain
// with its few rules in one piece, so that a jump can ask for all of it at once.
class Ruleset {
 public:
  struct Chain;
  // What a rule does; kOther is read from Rule::target.
  struct Action {
    enum class Kind : uint8_t { kNothing, kJump, kReturn, kAccept, kDnat, kOther };
    Kind kind = Kind::kNothing;
    uint16_t port = 0;      // kDnat
    Ipv4 ip{};              // kDnat
    Chain* jump = nullptr;  // kJump
  };
  // A rule as packets see it; the whole of it is at the same position of Chain::rules.
  struct alignas(64) LoadedRule {
    FastRule fast{};
    Action action{};
    Counters counters{};
  };
  static_assert(sizeof(LoadedRule) == 64);
  struct alignas(64) Chain {
    // A Service of three endpoints has a chain of four rules, an endpoint one of two.
    static constexpr size_t kFewRules = 4;

    // Its rules as packets see them; as many as `rules`.
    std::span<LoadedRule> loaded() { return {count > kFewRules ? many.data() : few.data(), count}; }
    std::span<const LoadedRule> loaded() const { return const_cast<Chain*>(this)->loaded(); }
    std::vector<LoadedRule> many{};             // if there are more than kFewRules
    std::unique_ptr<const ChainIndex> index{};  // null: not worth it
    Counters policy_counters{};
    uint32_t count = 0;
    bool builtin = false;
    bool policy_accept = true;  // built-in chains
    std::array<LoadedRule, kFewRules> few{};
    // What no packet looks at.
    std::string name{};
    std::vector<Rule> rules{};
    uint32_t references = 0;  // rules that jump to it
    uint32_t visited = 0;     // by which loop check it was seen
    int height = 0;           // how deep its jumps go (-1: being looked at); of that check
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
  struct Delete {
    std::pmr::memory_resource* pool;
    void operator()(Chain* chain) const {
      std::pmr::polymorphic_allocator<>(pool).delete_object(chain);
    }
  };
  using ChainPtr = std::unique_ptr<Chain, Delete>;
  using Chains = std::map<std::string, ChainPtr, std::less<>>;
  struct Rules {
    std::vector<Rule> rules{};
    std::vector<LoadedRule> loaded{};
  };
  // One table's change, worked out beside the loaded rules.
  struct Stage {
    Table table;
    Chains added;
    std::map<std::string, Rules, std::less<>> replaced{};  // by chain name
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
  ChainPtr NewChain(std::string_view name);
  Chain* FindStaged(const Stage& stage, std::string_view name);
  void Apply(Stage stage);
  void Replace(Chain* chain, Rules rules);

  HugePages huge_pages_;
  std::pmr::unsynchronized_pool_resource pool_{&huge_pages_};  // of the chains
  std::array<Chains, 2> chains_;
  std::array<std::array<Chain*, kHookCount>, 2> builtin_{};
  RecentLists recent_;
  uint32_t epoch_ = 0;
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_RULESET_H_
