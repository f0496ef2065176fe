#ifndef KUBEMU_NODE_IPTABLES_RULE_PARSER_H_
#define KUBEMU_NODE_IPTABLES_RULE_PARSER_H_

// Internal to save_format.h: words of one line, and the reader of one rule's words.

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "messages/core/strings.h"
#include "node/iptables/rule.h"

namespace kubemu::iptables {

// Splits at spaces; "..." is one word, in which a backslash takes the next character literally.
// InvalidArgument: a quote is not closed.
absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view line);

inline std::string_view MessageOf(const absl::Status& status) {
  return std::string_view(status.message().data(), status.message().size());
}

template <typename... Parts>
absl::Status Bad(const Parts&... parts) {
  return absl::InvalidArgumentError(StrCat(parts...));
}

// Reads the words of one rule. Used once.
class RuleParser {
 public:
  // `words` must outlive the parser.
  explicit RuleParser(const std::vector<std::string>& words, size_t first)
      : words_(words), next_(first) {}
  absl::StatusOr<Rule> Parse();

 private:
  using Handler = absl::Status (RuleParser::*)(bool negated);
  static Handler FindHandler(std::string_view option);

  // The value behind the current option.
  absl::StatusOr<std::string_view> Value();
  absl::Status NotNegatable(bool negated) const;
  absl::Status Address(bool negated, std::optional<AddressMatch>* into);
  absl::Status Interface(bool negated, std::optional<InterfaceMatch>* into);
  absl::Status Ports(bool negated, bool source);
  absl::Status AddrType(bool negated, bool source);
  absl::Status Xmark(bool negated, void (*spell)(SetMark*));
  // The latest match of that kind, or an error: "--opt needs -m name before it".
  template <typename T>
  absl::StatusOr<T*> Latest(std::string_view name);
  template <typename T>
  absl::StatusOr<T*> TargetOf(std::string_view name);

  absl::Status Source(bool negated) { return Address(negated, &rule_.source); }
  absl::Status Destination(bool negated) { return Address(negated, &rule_.destination); }
  absl::Status InInterface(bool negated) { return Interface(negated, &rule_.in_interface); }
  absl::Status OutInterface(bool negated) { return Interface(negated, &rule_.out_interface); }
  absl::Status ProtocolOption(bool negated);
  absl::Status MatchOption(bool negated);
  absl::Status JumpOption(bool negated);
  absl::Status SourcePort(bool negated) { return Ports(negated, true); }
  absl::Status DestinationPort(bool negated) { return Ports(negated, false); }
  absl::Status SourceType(bool negated) { return AddrType(negated, true); }
  absl::Status DestinationType(bool negated) { return AddrType(negated, false); }
  absl::Status Comment(bool negated);
  absl::Status Mark(bool negated);
  absl::Status CtStates(bool negated);
  absl::Status Mode(bool negated);
  absl::Status Probability(bool negated);
  absl::Status RecentSet(bool negated);
  absl::Status RecentRcheck(bool negated);
  absl::Status RecentName(bool negated);
  absl::Status RecentSeconds(bool negated);
  absl::Status RecentReap(bool negated);
  absl::Status RecentMask(bool negated);
  absl::Status RecentSource(bool negated);
  absl::Status SetXmark(bool negated);
  absl::Status SetMarkOption(bool negated);
  absl::Status OrMark(bool negated);
  absl::Status AndMark(bool negated);
  absl::Status XorMark(bool negated);
  absl::Status RandomFully(bool negated);
  absl::Status ToDestination(bool negated);
  absl::Status RejectWith(bool negated);
  // What can only be said once the whole line is read.
  absl::Status CheckWhole() const;

  const std::vector<std::string>& words_;
  size_t next_;
  std::string_view option_;  // the one being read
  Rule rule_;
  bool statistic_mode_ = false;
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_RULE_PARSER_H_
