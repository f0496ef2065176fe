#include "node/iptables/rule_parser.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <map>

namespace kubemu::iptables {
namespace {

// A -m name as the match it starts; false: not supported.
bool StartMatch(std::string_view name, Match* match) {
  if (name == "comment") {
    *match = CommentMatch();
  } else if (name == "mark") {
    *match = MarkMatch();
  } else if (name == "conntrack") {
    *match = CtStateMatch();
  } else if (name == "addrtype") {
    *match = AddrTypeMatch();
  } else if (name == "statistic") {
    *match = StatisticMatch();
  } else if (name == "recent") {
    *match = RecentMatch{.name = "DEFAULT"};
  } else if (name == "tcp" || name == "udp" || name == "sctp") {
    *match = PortsMatch{.protocol = *ProtocolFromName(name)};
  } else {
    return false;
  }
  return true;
}

Target StartTarget(std::string_view name) {
  if (name == "ACCEPT") return Accept();
  if (name == "DROP") return Drop();
  if (name == "RETURN") return Return();
  if (name == "REJECT") return Reject();
  if (name == "MARK") return SetMark();
  if (name == "MASQUERADE") return Masquerade();
  if (name == "DNAT") return Dnat();
  return Jump{std::string(name)};
}

// "10.1.0.0/255.255.0.0" as "10.1.0.0/16"; anything else as it is.
std::string WithPrefix(std::string_view network) {
  const size_t slash = network.find('/');
  const auto mask = Ipv4::Parse(slash == std::string_view::npos ? "" : network.substr(slash + 1));
  if (!mask.ok() || std::countl_one(mask->bits()) != std::popcount(mask->bits())) {
    return std::string(network);
  }
  return StrCat(network.substr(0, slash), "/", std::popcount(mask->bits()));
}

// Targets of iptables that are no chains and are not supported here.
bool IsOtherTarget(std::string_view name) {
  static constexpr std::string_view kOthers[] = {
      "AUDIT",    "CHECKSUM", "CLASSIFY",    "CLUSTERIP", "CONNMARK", "CONNSECMARK", "CT",
      "DNPT",     "DSCP",     "ECN",         "HL",        "HMARK",    "IDLETIMER",   "LED",
      "LOG",      "MIRROR",   "NETMAP",      "NFLOG",     "NFQUEUE",  "NOTRACK",     "QUEUE",
      "RATEEST",  "REDIRECT", "SAME",        "SECMARK",   "SET",      "SNAT",        "SNPT",
      "SYNPROXY", "TCPMSS",   "TCPOPTSTRIP", "TEE",       "TOS",      "TPROXY",      "TRACE",
      "TTL",      "ULOG"};
  return std::find(std::begin(kOthers), std::end(kOthers), name) != std::end(kOthers);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  bool started = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '\\' && i + 1 < line.size()) {
      word += line[++i];
    } else if (c == '"') {
      quoted = !quoted;
      started = true;
    } else if (!quoted && (c == ' ' || c == '\t' || c == '\r')) {
      if (started) words.push_back(std::move(word));
      word.clear();
      started = false;
    } else {
      word += c;
      started = true;
    }
  }
  if (quoted) return Bad("a quote (\") is not closed");
  if (started) words.push_back(std::move(word));
  return words;
}

RuleParser::Handler RuleParser::FindHandler(std::string_view option) {
  using P = RuleParser;
  static const std::map<std::string_view, Handler> handlers = {
      {"-s", &P::Source},
      {"--src", &P::Source},
      {"--source", &P::Source},
      {"-d", &P::Destination},
      {"--dst", &P::Destination},
      {"--destination", &P::Destination},
      {"-p", &P::ProtocolOption},
      {"--proto", &P::ProtocolOption},
      {"--protocol", &P::ProtocolOption},
      {"-i", &P::InInterface},
      {"--in-interface", &P::InInterface},
      {"-o", &P::OutInterface},
      {"--out-interface", &P::OutInterface},
      {"-m", &P::MatchOption},
      {"--match", &P::MatchOption},
      {"-j", &P::JumpOption},
      {"--jump", &P::JumpOption},
      {"--sport", &P::SourcePort},
      {"--source-port", &P::SourcePort},
      {"--dport", &P::DestinationPort},
      {"--destination-port", &P::DestinationPort},
      {"--comment", &P::Comment},
      {"--mark", &P::Mark},
      {"--ctstate", &P::CtStates},
      {"--src-type", &P::SourceType},
      {"--dst-type", &P::DestinationType},
      {"--mode", &P::Mode},
      {"--probability", &P::Probability},
      {"--set", &P::RecentSet},
      {"--rcheck", &P::RecentRcheck},
      {"--name", &P::RecentName},
      {"--seconds", &P::RecentSeconds},
      {"--reap", &P::RecentReap},
      {"--mask", &P::RecentMask},
      {"--rsource", &P::RecentSource},
      {"--set-xmark", &P::SetXmark},
      {"--set-mark", &P::SetMarkOption},
      {"--or-mark", &P::OrMark},
      {"--and-mark", &P::AndMark},
      {"--xor-mark", &P::XorMark},
      {"--random-fully", &P::RandomFully},
      {"--to-destination", &P::ToDestination},
      {"--reject-with", &P::RejectWith},
  };
  const auto it = handlers.find(option);
  return it == handlers.end() ? nullptr : it->second;
}

absl::StatusOr<Rule> RuleParser::Parse() {
  while (next_ < words_.size()) {
    const bool negated = words_[next_] == "!";
    if (negated) ++next_;
    if (next_ == words_.size()) return Bad("\"!\" is not followed by an option");
    option_ = words_[next_++];
    const Handler handler = FindHandler(option_);
    if (handler == nullptr) {
      return Bad("\"", option_, "\" is not a supported option; leave the rule out");
    }
    if (absl::Status status = (this->*handler)(negated); !status.ok()) return status;
  }
  if (absl::Status status = CheckWhole(); !status.ok()) return status;
  return std::move(rule_);
}

absl::StatusOr<std::string_view> RuleParser::Value() {
  if (next_ == words_.size()) return Bad("\"", option_, "\" needs a value");
  return std::string_view(words_[next_++]);
}

absl::Status RuleParser::NotNegatable(bool negated) const {
  return negated ? Bad("\"! ", option_, "\" is not possible") : absl::OkStatus();
}

absl::Status RuleParser::Address(bool negated, std::optional<AddressMatch>* into) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  if (into->has_value()) return Bad("\"", option_, "\" is given twice");
  if (value->find(':') != std::string_view::npos) {
    return Bad("\"", option_, " ", *value,
               "\" is IPv6, which is not supported; this text is for "
               "ip6tables");
  }
  absl::StatusOr<Ipv4Network> network = Ipv4Network::Parse(WithPrefix(*value));
  if (!network.ok()) return Bad("\"", option_, "\": ", MessageOf(network.status()));
  // 0.0.0.0/0 says nothing; iptables leaves it out too.
  if (network->prefix() > 0 || negated) *into = AddressMatch{*network, negated};
  return absl::OkStatus();
}

absl::Status RuleParser::Interface(bool negated, std::optional<InterfaceMatch>* into) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  if (value->empty() || value->size() > 15) {
    return Bad("\"", *value, "\" is not an interface name (1 to 15 characters)");
  }
  *into = InterfaceMatch{std::string(*value), negated};
  return absl::OkStatus();
}

absl::Status RuleParser::ProtocolOption(bool negated) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  std::optional<Protocol> protocol = ProtocolFromName(*value);
  for (Protocol known : {Protocol::kIcmp, Protocol::kTcp, Protocol::kUdp, Protocol::kSctp}) {
    if (*value == StrCat(static_cast<int>(known))) protocol = known;
  }
  if (!protocol) {
    return Bad("protocol \"", *value, "\" is not supported; tcp, udp, sctp, icmp and all are");
  }
  rule_.protocol = *protocol;
  rule_.protocol_negated = negated;
  return absl::OkStatus();
}

absl::Status RuleParser::MatchOption(bool negated) {
  absl::StatusOr<std::string_view> name = Value();
  if (!name.ok()) return name.status();
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  Match match;
  if (!StartMatch(*name, &match)) {
    return Bad("match \"", *name,
               "\" is not supported; comment, mark, conntrack, addrtype, statistic, recent, tcp, "
               "udp and sctp are");
  }
  rule_.matches.push_back(std::move(match));
  return absl::OkStatus();
}

absl::Status RuleParser::JumpOption(bool negated) {
  absl::StatusOr<std::string_view> name = Value();
  if (!name.ok()) return name.status();
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  if (IsOtherTarget(*name)) {
    return Bad("target \"", *name,
               "\" is not supported; ACCEPT, DROP, RETURN, REJECT, MARK, MASQUERADE, DNAT and the "
               "names of chains are");
  }
  if (rule_.target.index() != 0) return Bad("\"", option_, "\" is given twice");
  rule_.target = StartTarget(*name);
  return absl::OkStatus();
}

absl::Status RuleParser::CheckWhole() const {
  for (const Match& match : rule_.matches) {
    if (const auto* ports = std::get_if<PortsMatch>(&match)) {
      if (rule_.protocol != ports->protocol || rule_.protocol_negated) {
        const std::string_view name = ProtocolName(ports->protocol);
        return Bad("\"-m ", name, "\" needs \"-p ", name, "\"");
      }
    }
    const auto* states = std::get_if<CtStateMatch>(&match);
    if (states != nullptr && states->states == 0) return Bad("\"-m conntrack\" needs --ctstate");
    const auto* recent = std::get_if<RecentMatch>(&match);
    if (recent != nullptr && recent->reap && recent->seconds == 0) {
      return Bad("\"--reap\" needs \"--seconds\"");
    }
    if (std::holds_alternative<StatisticMatch>(match) && !statistic_mode_) {
      return Bad("\"-m statistic\" needs \"--mode random --probability P\"");
    }
  }
  const auto* dnat = std::get_if<Dnat>(&rule_.target);
  if (dnat != nullptr && dnat->to.ip.IsNone()) return Bad("\"-j DNAT\" needs --to-destination");
  if (dnat != nullptr && dnat->to.port != 0 &&
      (rule_.protocol_negated || rule_.protocol == Protocol::kAny ||
       rule_.protocol == Protocol::kIcmp)) {
    return Bad("\"-j DNAT\" to a port needs -p tcp, -p udp or -p sctp");
  }
  const auto* reject = std::get_if<Reject>(&rule_.target);
  if (reject != nullptr && reject->with == Reject::With::kTcpReset &&
      (rule_.protocol != Protocol::kTcp || rule_.protocol_negated)) {
    return Bad("\"--reject-with tcp-reset\" needs -p tcp");
  }
  return absl::OkStatus();
}

}  // namespace kubemu::iptables
