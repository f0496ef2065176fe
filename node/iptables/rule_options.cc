// The options of matches and targets, one function each.

#include <charconv>
#include <cmath>

#include "node/iptables/rule_parser.h"

namespace kubemu::iptables {
namespace {

// Decimal, or hexadecimal with 0x, as strtoul with base 0 takes it (octal is refused: nobody
// means it).
bool ParseUint32(std::string_view text, uint32_t* value) {
  if (text.substr(0, 2) == "0x" || text.substr(0, 2) == "0X") {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + 2, end, *value, 16);
    return text.size() > 2 && error == std::errc() && stop == end;
  }
  if (text.size() > 1 && text[0] == '0') return false;
  return ParseInteger(text, value);
}

bool ParseFraction(std::string_view text, double* value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && stop == end;
}

bool ParsePort(std::string_view text, uint16_t* port) {
  return ParseInteger(text, port);
}

// "value" or "value/mask".
bool ParseMark(std::string_view text, uint32_t* value, uint32_t* mask) {
  const size_t slash = text.find('/');
  *mask = 0xffffffff;
  if (!ParseUint32(text.substr(0, slash), value)) return false;
  return slash == std::string_view::npos || ParseUint32(text.substr(slash + 1), mask);
}

uint8_t StateFromName(std::string_view name) {
  if (name == "NEW") return kCtNew;
  if (name == "ESTABLISHED") return kCtEstablished;
  if (name == "RELATED") return kCtRelated;
  if (name == "INVALID") return kCtInvalid;
  if (name == "DNAT") return kCtDnat;
  if (name == "SNAT") return kCtSnat;
  if (name == "UNTRACKED") return kCtUntracked;
  return 0;
}

}  // namespace

template <typename T>
absl::StatusOr<T*> RuleParser::Latest(std::string_view name) {
  for (auto it = rule_.matches.rbegin(); it != rule_.matches.rend(); ++it) {
    if (T* match = std::get_if<T>(&*it)) return match;
  }
  return Bad("\"", option_, "\" needs \"-m ", name, "\" before it");
}

template <typename T>
absl::StatusOr<T*> RuleParser::TargetOf(std::string_view name) {
  if (T* target = std::get_if<T>(&rule_.target)) return target;
  return Bad("\"", option_, "\" needs \"-j ", name, "\" before it");
}

absl::Status RuleParser::Ports(bool negated, bool source) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  absl::StatusOr<PortsMatch*> match = Latest<PortsMatch>("tcp");
  if (!match.ok()) {  // "-p tcp --dport 80" loads -m tcp by itself
    if (rule_.protocol == Protocol::kAny || rule_.protocol == Protocol::kIcmp) {
      return Bad("\"", option_, "\" needs \"-p tcp\", \"-p udp\" or \"-p sctp\" before it");
    }
    rule_.matches.push_back(PortsMatch{.protocol = rule_.protocol});
    match = &std::get<PortsMatch>(rule_.matches.back());
  }
  PortRange range{.negated = negated};
  const size_t colon = value->find(':');
  const std::string_view first = value->substr(0, colon);
  const std::string_view last = colon == std::string_view::npos ? first : value->substr(colon + 1);
  if (first.empty() && colon != std::string_view::npos) {
    range.first = 0;
  } else if (!ParsePort(first, &range.first)) {
    return Bad("\"", *value, "\" is not a port or a range of ports such as 80 or 8000:8080");
  }
  if (last.empty()) {
    range.last = 65535;
  } else if (!ParsePort(last, &range.last) || range.last < range.first) {
    return Bad("\"", *value, "\" is not a port or a range of ports such as 80 or 8000:8080");
  }
  (source ? (*match)->source : (*match)->destination) = range;
  return absl::OkStatus();
}

absl::Status RuleParser::Comment(bool negated) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  absl::StatusOr<CommentMatch*> match = Latest<CommentMatch>("comment");
  if (!match.ok()) return match.status();
  if (value->size() >= kCommentMax) {
    return Bad("a comment has at most ", kCommentMax - 1, " bytes, this one has ", value->size());
  }
  (*match)->text = *value;
  return absl::OkStatus();
}

absl::Status RuleParser::Mark(bool negated) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  absl::StatusOr<MarkMatch*> match = Latest<MarkMatch>("mark");
  if (!match.ok()) return match.status();
  (*match)->negated = negated;
  if (!ParseMark(*value, &(*match)->value, &(*match)->mask)) {
    return Bad("\"", *value, "\" is not a mark such as 0x4000/0x4000");
  }
  return absl::OkStatus();
}

absl::Status RuleParser::CtStates(bool negated) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  absl::StatusOr<CtStateMatch*> match = Latest<CtStateMatch>("conntrack");
  if (!match.ok()) return match.status();
  (*match)->negated = negated;
  for (std::string_view name : StrSplit(*value, ',')) {
    const uint8_t state = StateFromName(name);
    if (state == 0) return Bad("\"", name, "\" is not a connection state such as NEW");
    (*match)->states |= state;
  }
  return absl::OkStatus();
}

absl::Status RuleParser::AddrType(bool negated, bool source) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  absl::StatusOr<AddrTypeMatch*> match = Latest<AddrTypeMatch>("addrtype");
  if (!match.ok()) return match.status();
  if (*value != "LOCAL") return Bad("address type \"", *value, "\" is not supported; LOCAL is");
  (source ? (*match)->source : (*match)->destination) =
      negated ? AddrTypeMatch::Want::kNotLocal : AddrTypeMatch::Want::kLocal;
  return absl::OkStatus();
}

absl::Status RuleParser::Mode(bool negated) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  if (*value != "random") return Bad("statistic mode \"", *value, "\" is not supported; random is");
  statistic_mode_ = true;
  return Latest<StatisticMatch>("statistic").status();
}

absl::Status RuleParser::Probability(bool negated) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  absl::StatusOr<StatisticMatch*> match = Latest<StatisticMatch>("statistic");
  if (!match.ok()) return match.status();
  double p = 0;
  if (!ParseFraction(*value, &p) || !(p >= 0 && p <= 1)) {
    return Bad("\"", *value, "\" is not a probability from 0 to 1");
  }
  (*match)->threshold = static_cast<uint32_t>(std::lround(p * kStatisticOne));
  (*match)->negated = negated;
  return absl::OkStatus();
}

absl::Status RuleParser::RecentSet(bool negated) {
  absl::StatusOr<RecentMatch*> match = Latest<RecentMatch>("recent");
  if (!match.ok()) return match.status();
  (*match)->action = RecentMatch::Action::kSet;
  (*match)->negated = negated;
  return absl::OkStatus();
}

absl::Status RuleParser::RecentRcheck(bool negated) {
  absl::StatusOr<RecentMatch*> match = Latest<RecentMatch>("recent");
  if (!match.ok()) return match.status();
  (*match)->action = RecentMatch::Action::kRcheck;
  (*match)->negated = negated;
  return absl::OkStatus();
}

absl::Status RuleParser::RecentName(bool negated) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  absl::StatusOr<RecentMatch*> match = Latest<RecentMatch>("recent");
  if (!match.ok()) return match.status();
  if (value->empty() || value->size() > 199) return Bad("\"--name\" takes 1 to 199 characters");
  (*match)->name = *value;
  return absl::OkStatus();
}

absl::Status RuleParser::RecentSeconds(bool negated) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  absl::StatusOr<RecentMatch*> match = Latest<RecentMatch>("recent");
  if (!match.ok()) return match.status();
  if (!ParseUint32(*value, &(*match)->seconds) || (*match)->seconds == 0) {
    return Bad("\"", *value, "\" is not a number of seconds from 1");
  }
  return absl::OkStatus();
}

absl::Status RuleParser::RecentReap(bool negated) {
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  absl::StatusOr<RecentMatch*> match = Latest<RecentMatch>("recent");
  if (match.ok()) (*match)->reap = true;
  return match.status();
}

absl::Status RuleParser::RecentMask(bool negated) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  if (*value != "255.255.255.255") return Bad("only \"--mask 255.255.255.255\" is supported");
  return Latest<RecentMatch>("recent").status();
}

absl::Status RuleParser::RecentSource(bool negated) {
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  return Latest<RecentMatch>("recent").status();
}

absl::Status RuleParser::Xmark(bool negated, void (*spell)(SetMark*)) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  absl::StatusOr<SetMark*> target = TargetOf<SetMark>("MARK");
  if (!target.ok()) return target.status();
  if (!ParseMark(*value, &(*target)->value, &(*target)->mask)) {
    return Bad("\"", *value, "\" is not a mark such as 0x4000/0x4000");
  }
  spell(*target);
  return absl::OkStatus();
}

absl::Status RuleParser::SetXmark(bool negated) {
  return Xmark(negated, [](SetMark*) {});
}
absl::Status RuleParser::SetMarkOption(bool negated) {
  return Xmark(negated, [](SetMark* mark) { mark->mask |= mark->value; });
}
absl::Status RuleParser::OrMark(bool negated) {
  return Xmark(negated, [](SetMark* mark) { mark->mask = mark->value; });
}
absl::Status RuleParser::AndMark(bool negated) {
  return Xmark(negated, [](SetMark* mark) { *mark = {.value = 0, .mask = ~mark->value}; });
}
absl::Status RuleParser::XorMark(bool negated) {
  return Xmark(negated, [](SetMark* mark) { mark->mask = 0; });
}

absl::Status RuleParser::RandomFully(bool negated) {
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  absl::StatusOr<Masquerade*> target = TargetOf<Masquerade>("MASQUERADE");
  if (target.ok()) (*target)->random_fully = true;
  return target.status();
}

absl::Status RuleParser::ToDestination(bool negated) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  absl::StatusOr<Dnat*> target = TargetOf<Dnat>("DNAT");
  if (!target.ok()) return target.status();
  const bool has_port = value->find(':') != std::string_view::npos;
  absl::StatusOr<SocketAddress> to =
      SocketAddress::Parse(has_port ? std::string(*value) : StrCat(*value, ":0"));
  if (!to.ok() || to->ip.IsNone() || (has_port && to->port == 0)) {
    return Bad("\"", *value, "\" is not one address to translate to, such as 10.244.1.2:80");
  }
  (*target)->to = *to;
  return absl::OkStatus();
}

absl::Status RuleParser::RejectWith(bool negated) {
  absl::StatusOr<std::string_view> value = Value();
  if (!value.ok()) return value.status();
  if (absl::Status status = NotNegatable(negated); !status.ok()) return status;
  absl::StatusOr<Reject*> target = TargetOf<Reject>("REJECT");
  if (!target.ok()) return target.status();
  if (*value == "icmp-port-unreachable" || *value == "port-unreach") {
    (*target)->with = Reject::With::kPortUnreachable;
  } else if (*value == "icmp-host-unreachable" || *value == "host-unreach") {
    (*target)->with = Reject::With::kHostUnreachable;
  } else if (*value == "icmp-admin-prohibited" || *value == "admin-prohib") {
    (*target)->with = Reject::With::kAdminProhibited;
  } else if (*value == "tcp-reset") {
    (*target)->with = Reject::With::kTcpReset;
  } else if (value->starts_with("icmp6-")) {
    return Bad("\"--reject-with ", *value,
               "\" is IPv6, which is not supported; this text is for "
               "ip6tables");
  } else {
    return Bad("\"--reject-with ", *value,
               "\" is not supported; icmp-port-unreachable, icmp-host-unreachable, "
               "icmp-admin-prohibited and tcp-reset are");
  }
  return absl::OkStatus();
}

}  // namespace kubemu::iptables
