#include "node/iptables/rule.h"

#include <algorithm>

namespace kubemu::iptables {

std::string_view TableName(Table table) {
  return table == Table::kFilter ? "filter" : "nat";
}

const std::vector<std::string_view>& BuiltinChains(Table table) {
  static const std::vector<std::string_view> filter = {"INPUT", "FORWARD", "OUTPUT"};
  static const std::vector<std::string_view> nat = {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"};
  return table == Table::kFilter ? filter : nat;
}

std::string_view HookName(Hook hook) {
  static constexpr std::string_view kNames[kHookCount] = {"PREROUTING", "INPUT", "FORWARD",
                                                          "OUTPUT", "POSTROUTING"};
  return kNames[static_cast<size_t>(hook)];
}

bool IsBuiltinChain(Table table, std::string_view name) {
  const std::vector<std::string_view>& names = BuiltinChains(table);
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view ProtocolName(Protocol protocol) {
  switch (protocol) {
    case Protocol::kAny:
      return "all";
    case Protocol::kIcmp:
      return "icmp";
    case Protocol::kTcp:
      return "tcp";
    case Protocol::kUdp:
      return "udp";
    case Protocol::kSctp:
      return "sctp";
  }
  return "all";
}

std::optional<Protocol> ProtocolFromName(std::string_view name) {
  for (Protocol protocol :
       {Protocol::kAny, Protocol::kIcmp, Protocol::kTcp, Protocol::kUdp, Protocol::kSctp}) {
    if (name == ProtocolName(protocol)) return protocol;
  }
  return std::nullopt;
}

std::string_view RuleComment(const Rule& rule) {
  for (const Match& match : rule.matches) {
    if (const auto* comment = std::get_if<CommentMatch>(&match)) return comment->text;
  }
  return "";
}

}  // namespace kubemu::iptables
