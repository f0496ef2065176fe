#include <charconv>
#include <cstdio>
#include <string>

#include "messages/core/strings.h"
#include "node/iptables/save_format.h"

namespace kubemu::iptables {
namespace {

std::string Hex(uint32_t value) {
  char digits[8];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, value, 16).ptr);
}

std::string_view Not(bool negated) {
  return negated ? " !" : "";
}

// Quotes as libxtables does when it saves: quotes only where needed, a backslash before " ' \ .
std::string Quoted(std::string_view text) {
  static constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string PortText(std::string_view option, const std::optional<PortRange>& range) {
  if (!range) return "";
  std::string text = StrCat(Not(range->negated), " ", option, " ", range->first);
  if (range->first != range->last) StrAppend(&text, ":", range->last);
  return text;
}

std::string MarkText(uint32_t value, uint32_t mask) {
  std::string text = StrCat("0x", Hex(value));
  if (mask != 0xffffffff) StrAppend(&text, "/0x", Hex(mask));
  return text;
}

std::string StatesText(uint8_t states) {
  static constexpr std::pair<uint8_t, std::string_view> kNames[] = {{kCtInvalid, "INVALID"},
                                                                    {kCtNew, "NEW"},
                                                                    {kCtRelated, "RELATED"},
                                                                    {kCtEstablished, "ESTABLISHED"},
                                                                    {kCtUntracked, "UNTRACKED"},
                                                                    {kCtSnat, "SNAT"},
                                                                    {kCtDnat, "DNAT"}};
  std::string text;
  for (const auto& [bit, name] : kNames) {
    if ((states & bit) != 0) StrAppend(&text, text.empty() ? "" : ",", name);
  }
  return text;
}

std::string TypeText(std::string_view option, AddrTypeMatch::Want want) {
  if (want == AddrTypeMatch::Want::kAnything) return "";
  return StrCat(Not(want == AddrTypeMatch::Want::kNotLocal), " ", option, " LOCAL");
}

struct MatchPrinter {
  std::string operator()(const PortsMatch& m) const {
    return StrCat(" -m ", ProtocolName(m.protocol), PortText("--sport", m.source),
                  PortText("--dport", m.destination));
  }
  std::string operator()(const CommentMatch& m) const {
    return StrCat(" -m comment --comment ", Quoted(m.text));
  }
  std::string operator()(const MarkMatch& m) const {
    return StrCat(" -m mark", Not(m.negated), " --mark ", MarkText(m.value, m.mask));
  }
  std::string operator()(const CtStateMatch& m) const {
    return StrCat(" -m conntrack", Not(m.negated), " --ctstate ", StatesText(m.states));
  }
  std::string operator()(const AddrTypeMatch& m) const {
    return StrCat(" -m addrtype", TypeText("--src-type", m.source),
                  TypeText("--dst-type", m.destination));
  }
  std::string operator()(const StatisticMatch& m) const {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.11f", static_cast<double>(m.threshold) / kStatisticOne);
    return StrCat(" -m statistic --mode random", Not(m.negated), " --probability ", digits);
  }
  std::string operator()(const RecentMatch& m) const {
    std::string text = StrCat(" -m recent", Not(m.negated),
                              m.action == RecentMatch::Action::kSet ? " --set" : " --rcheck");
    if (m.seconds != 0) StrAppend(&text, " --seconds ", m.seconds);
    if (m.reap) StrAppend(&text, " --reap");
    return StrCat(text, " --name ", m.name, " --mask 255.255.255.255 --rsource");
  }
};

std::string_view RejectName(Reject::With with) {
  switch (with) {
    case Reject::With::kPortUnreachable:
      return "icmp-port-unreachable";
    case Reject::With::kHostUnreachable:
      return "icmp-host-unreachable";
    case Reject::With::kAdminProhibited:
      return "icmp-admin-prohibited";
    case Reject::With::kTcpReset:
      return "tcp-reset";
  }
  return "";
}

struct TargetPrinter {
  std::string operator()(std::monostate) const { return ""; }
  std::string operator()(const Accept&) const { return " -j ACCEPT"; }
  std::string operator()(const Drop&) const { return " -j DROP"; }
  std::string operator()(const Return&) const { return " -j RETURN"; }
  std::string operator()(const Reject& t) const {
    return StrCat(" -j REJECT --reject-with ", RejectName(t.with));
  }
  std::string operator()(const Jump& t) const { return StrCat(" -j ", t.chain); }
  std::string operator()(const SetMark& t) const {
    return StrCat(" -j MARK --set-xmark 0x", Hex(t.value), "/0x", Hex(t.mask));
  }
  std::string operator()(const Masquerade& t) const {
    return t.random_fully ? " -j MASQUERADE --random-fully" : " -j MASQUERADE";
  }
  std::string operator()(const Dnat& t) const {
    return StrCat(" -j DNAT --to-destination ",
                  t.to.port == 0 ? t.to.ip.ToString() : t.to.ToString());
  }
};

void AppendNetwork(std::string_view option, const std::optional<AddressMatch>& match,
                   std::string* text) {
  if (!match) return;
  StrAppend(text, Not(match->negated), " ", option, " ", match->network.ToString());
}

void AppendInterface(std::string_view option, const std::optional<InterfaceMatch>& match,
                     std::string* text) {
  if (match) StrAppend(text, Not(match->negated), " ", option, " ", match->name);
}

}  // namespace

std::string RuleText(const Rule& rule) {
  std::string text;
  AppendNetwork("-s", rule.source, &text);
  AppendNetwork("-d", rule.destination, &text);
  AppendInterface("-i", rule.in_interface, &text);
  AppendInterface("-o", rule.out_interface, &text);
  if (rule.protocol != Protocol::kAny) {
    StrAppend(&text, Not(rule.protocol_negated), " -p ", ProtocolName(rule.protocol));
  }
  for (const Match& match : rule.matches) text += std::visit(MatchPrinter(), match);
  text += std::visit(TargetPrinter(), rule.target);
  return text.empty() ? text : text.substr(1);
}

std::string PrintRestore(const RestoreInput& input) {
  std::string text;
  for (const TableUpdate& update : input) {
    StrAppend(&text, "*", TableName(update.table), "\n");
    for (const TableUpdate::Chain& chain : update.chains) {
      if (!chain.declared) continue;
      const std::optional<bool>& policy = chain.content.policy_accept;
      StrAppend(&text, ":", chain.content.name, " ", policy ? (*policy ? "ACCEPT" : "DROP") : "-",
                " [", chain.counters.packets, ":", chain.counters.bytes, "]\n");
    }
    for (const TableUpdate::Chain& chain : update.chains) {
      if (chain.flush) StrAppend(&text, "-F ", chain.content.name, "\n");
      for (const Rule& rule : chain.content.rules) {
        const std::string rule_text = RuleText(rule);
        StrAppend(&text, "-A ", chain.content.name, rule_text.empty() ? "" : " ", rule_text, "\n");
      }
    }
    for (const std::string& name : update.removed) StrAppend(&text, "-X ", name, "\n");
    StrAppend(&text, "COMMIT\n");
  }
  return text;
}

}  // namespace kubemu::iptables
