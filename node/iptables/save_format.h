#ifndef KUBEMU_NODE_IPTABLES_SAVE_FORMAT_H_
#define KUBEMU_NODE_IPTABLES_SAVE_FORMAT_H_

// The text that iptables-save writes and iptables-restore reads (iptables 1.8, nf_tables variant).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "node/iptables/rule.h"

namespace kubemu::iptables {

// One "*table ... COMMIT" section of a restore input.
struct TableUpdate {
  Table table = Table::kFilter;
  // Chains that the section declares (":NAME POLICY [packets:bytes]") or appends to, in order of
  // first mention. A declared user chain is emptied before its rules are added, as iptables-restore
  // --noflush does; a declared built-in chain only gets its policy.
  struct Chain {
    ChainContent content{};
    bool declared = false;
    Counters counters{};  // of the policy; built-in chains
    bool flush = false;   // -F NAME
    bool operator==(const Chain&) const = default;
  };
  std::vector<Chain> chains{};
  std::vector<std::string> removed{};  // -X NAME, after everything else

  // The chain of that name, added at the end if there is none.
  Chain& Get(std::string_view name);
  bool operator==(const TableUpdate&) const = default;
};
using RestoreInput = std::vector<TableUpdate>;

inline constexpr size_t kRestoreTextMax = size_t{256} << 20;

// Reads a restore input. Accepted: comments (#), *table, :CHAIN, -A, -F, -X, COMMIT, options in any
// order and in both spellings (-s, --source, --src ...), rule counters "[packets:bytes] -A ..."
// (which are dropped). InvalidArgument names the line, and what on it is wrong or not supported
// ("line 7: match \"string\" is not supported; ...").
absl::StatusOr<RestoreInput> ParseRestore(std::string_view text);

// One rule as iptables-save prints it, without "-A CHAIN ".
std::string RuleText(const Rule& rule);
// Reads what stands behind "-A CHAIN ". The error has no line number.
absl::StatusOr<Rule> ParseRule(std::string_view text);

// A restore input (for iptables-restore --noflush). Reading it back gives an equal value.
std::string PrintRestore(const RestoreInput& input);

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_SAVE_FORMAT_H_
