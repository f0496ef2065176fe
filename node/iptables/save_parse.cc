#include "node/iptables/save_format.h"

#include <map>

#include "messages/core/strings.h"
#include "node/iptables/rule_parser.h"

namespace kubemu::iptables {
namespace {

// Longest chain name of iptables (XT_EXTENSION_MAXNAMELEN - 1).
constexpr size_t kChainNameMax = 28;
constexpr size_t kLineShownMax = 200;  // of a line in an error
// Tables that other programs fill. Without rules they do nothing, so their text is taken.
constexpr std::string_view kOtherTables[] = {"mangle", "raw", "security"};

// "[12:3456]"
bool ParseCounters(std::string_view text, Counters* counters) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return false;
  text = text.substr(1, text.size() - 2);
  const size_t colon = text.find(':');
  return colon != std::string_view::npos &&
         ParseInteger(text.substr(0, colon), &counters->packets) &&
         ParseInteger(text.substr(colon + 1), &counters->bytes);
}

absl::Status CheckChainName(std::string_view name) {
  if (name.empty() || name.size() > kChainNameMax || name[0] == '-' || name[0] == '!') {
    return Bad("\"", name, "\" is not a chain name (1 to ", kChainNameMax,
               " characters, not beginning with - or !)");
  }
  return absl::OkStatus();
}

// What a target may only do in one of the tables.
absl::Status CheckTarget(Table table, const Rule& rule) {
  const bool nat_only =
      std::holds_alternative<Dnat>(rule.target) || std::holds_alternative<Masquerade>(rule.target);
  if (nat_only && table != Table::kNat) return Bad("DNAT and MASQUERADE need table nat");
  if (std::holds_alternative<Reject>(rule.target) && table != Table::kFilter) {
    return Bad("REJECT needs table filter");
  }
  return absl::OkStatus();
}

class RestoreParser {
 public:
  absl::StatusOr<RestoreInput> Parse(std::string_view text) {
    if (text.size() > kRestoreTextMax) {
      return Bad("the text has more than ", kRestoreTextMax, " bytes");
    }
    int number = 0;
    while (!text.empty()) {
      const size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      ++number;
      if (absl::Status status = Line(line); !status.ok()) {
        return Bad("line ", number, ": ", MessageOf(status),
                   " (in: ", line.substr(0, kLineShownMax),
                   line.size() > kLineShownMax ? "..." : "", ")");
      }
    }
    if (open_ || !other_.empty()) {
      return Bad("line ", number, ": table ", open_ ? TableName(Current().table) : other_,
                 " is not ended by COMMIT");
    }
    return std::move(input_);
  }

 private:
  absl::Status Line(std::string_view line) {
    if (line.empty() || line[0] == '#') return absl::OkStatus();
    if (line[0] == '*') return BeginTable(line.substr(1));
    absl::StatusOr<std::vector<std::string>> words = SplitWords(line);
    if (!words.ok()) return words.status();
    if (words->empty()) return absl::OkStatus();
    if (!other_.empty()) return OtherLine(*words);
    if (!open_) return Bad("a line \"*filter\" or \"*nat\" has to come first");
    if ((*words)[0] == "COMMIT") {
      open_ = false;
      return absl::OkStatus();
    }
    return line[0] == ':' ? Declare(*words) : Command(*words);
  }

  absl::Status BeginTable(std::string_view name) {
    name = StripSpaces(name);
    if (open_ || !other_.empty()) return Bad("the table before is not ended by COMMIT");
    for (std::string_view other : kOtherTables) {
      if (name != other) continue;
      other_ = other;
      return absl::OkStatus();
    }
    for (Table table : kAllTables) {
      if (name != TableName(table)) continue;
      input_.push_back(TableUpdate{.table = table});
      index_.clear();
      open_ = true;
      return absl::OkStatus();
    }
    return Bad("table \"", name, "\" is not supported; filter and nat are");
  }

  // A line of a table that is taken only if it does nothing.
  absl::Status OtherLine(const std::vector<std::string>& words) {
    if (words[0] == "COMMIT") {
      other_ = {};
      return absl::OkStatus();
    }
    const bool declares = words[0][0] == ':' && words.size() >= 2;
    if (declares && (words[1] == "ACCEPT" || words[1] == "-")) return absl::OkStatus();
    return Bad("table \"", other_, "\" is not supported unless it has no rules and policy ACCEPT; ",
               "filter and nat are");
  }

  // :NAME POLICY [packets:bytes]
  absl::Status Declare(const std::vector<std::string>& words) {
    const std::string_view name = std::string_view(words[0]).substr(1);
    if (absl::Status status = CheckChainName(name); !status.ok()) return status;
    if (words.size() < 2 || words.size() > 3) return Bad("a chain line is \":NAME POLICY [0:0]\"");
    TableUpdate::Chain& chain = ChainOf(name);
    chain.declared = true;
    const bool builtin = IsBuiltinChain(Current().table, name);
    if (builtin && (words[1] == "ACCEPT" || words[1] == "DROP")) {
      chain.content.policy_accept = words[1] == "ACCEPT";
    } else if (words[1] != "-") {
      return Bad("policy \"", words[1], "\" of chain ", name, " is not ",
                 builtin ? "ACCEPT or DROP" : "\"-\", only built-in chains have one");
    }
    if (words.size() == 3 && !ParseCounters(words[2], &chain.counters)) {
      return Bad("\"", words[2], "\" is not [packets:bytes]");
    }
    return absl::OkStatus();
  }

  absl::Status Command(const std::vector<std::string>& words) {
    Counters counters;
    const size_t first = words[0][0] == '[' ? 1 : 0;
    if (first == 1 && !ParseCounters(words[0], &counters)) {
      return Bad("\"", words[0], "\" is not [packets:bytes]");
    }
    if (words.size() < first + 2) return Bad("\"", words[0], "\" is not a whole command");
    const std::string& command = words[first];
    const std::string& name = words[first + 1];
    if (absl::Status status = CheckChainName(name); !status.ok()) return status;
    if (command == "-A" || command == "--append") return Append(name, words, first + 2);
    const bool removes = command == "-X" || command == "--delete-chain";
    if (!removes && command != "-F" && command != "--flush") {
      return Bad("command \"", command, "\" is not supported; -A, -F and -X are");
    }
    if (words.size() > first + 2) return Bad("\"", words[first + 2], "\" is too much here");
    if (removes) {
      Current().removed.push_back(name);
      return absl::OkStatus();
    }
    TableUpdate::Chain& chain = ChainOf(name);
    chain.flush = true;
    chain.content.rules.clear();
    return absl::OkStatus();
  }

  absl::Status Append(std::string_view name, const std::vector<std::string>& words, size_t first) {
    absl::StatusOr<Rule> rule = RuleParser(words, first).Parse();
    if (!rule.ok()) return rule.status();
    if (absl::Status status = CheckTarget(Current().table, *rule); !status.ok()) return status;
    ChainOf(name).content.rules.push_back(*std::move(rule));
    return absl::OkStatus();
  }

  TableUpdate& Current() { return input_.back(); }

  TableUpdate::Chain& ChainOf(std::string_view name) {
    std::vector<TableUpdate::Chain>& chains = Current().chains;
    const auto [it, added] = index_.try_emplace(std::string(name), chains.size());
    if (added) chains.push_back({.content = {.name = std::string(name)}});
    return chains[it->second];
  }

  RestoreInput input_;
  bool open_ = false;
  std::string_view other_;                            // the table being skipped; empty: none
  std::map<std::string, size_t, std::less<>> index_;  // chains of the current section
};

}  // namespace

TableUpdate::Chain& TableUpdate::Get(std::string_view name) {
  for (Chain& chain : chains) {
    if (chain.content.name == name) return chain;
  }
  chains.push_back({.content = {.name = std::string(name)}});
  return chains.back();
}

absl::StatusOr<RestoreInput> ParseRestore(std::string_view text) {
  return RestoreParser().Parse(text);
}

absl::StatusOr<Rule> ParseRule(std::string_view text) {
  absl::StatusOr<std::vector<std::string>> words = SplitWords(text);
  if (!words.ok()) return words.status();
  return RuleParser(*words, 0).Parse();
}

}  // namespace kubemu::iptables
