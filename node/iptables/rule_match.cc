#include "node/iptables/rule_match.h"

#include "messages/core/strings.h"

namespace kubemu::iptables {
namespace {

std::string_view NotWord(bool negated) {
  return negated ? "not " : "";
}

bool InRange(const PortRange& range, uint16_t port) {
  return (port >= range.first && port <= range.last) != range.negated;
}

std::string RangeText(const PortRange& range) {
  std::string text = StrCat(NotWord(range.negated), range.first);
  if (range.last != range.first) StrAppend(&text, ":", range.last);
  return text;
}

// A final '+' stands for any rest.
bool InterfaceIs(const InterfaceMatch& match, std::string_view name) {
  const std::string_view want = match.name;
  const bool same = want.ends_with('+')
                        ? !name.empty() && name.starts_with(want.substr(0, want.size() - 1))
                        : name == want;
  return same != match.negated;
}

struct Matcher {
  const Packet& packet;
  const Surroundings& surroundings;
  RecentLists& recent;
  std::string* why;

  template <typename... Parts>
  bool No(const Parts&... parts) const {
    if (why != nullptr) *why = StrCat(parts...);
    return false;
  }

  bool Addresses(const Rule& rule) const {
    if (rule.source && rule.source->network.Contains(packet.source) == rule.source->negated) {
      return No("source ", packet.source.ToString(), " is ", NotWord(!rule.source->negated),
                rule.source->network.ToString());
    }
    const std::optional<AddressMatch>& to = rule.destination;
    if (to && to->network.Contains(packet.destination) == to->negated) {
      return No("destination ", packet.destination.ToString(), " is ", NotWord(!to->negated),
                to->network.ToString());
    }
    return true;
  }

  bool Head(const Rule& rule) const {
    if (!Addresses(rule)) return false;
    if (rule.in_interface && !InterfaceIs(*rule.in_interface, packet.in_interface)) {
      return No("incoming interface is \"", packet.in_interface, "\"");
    }
    if (rule.out_interface && !InterfaceIs(*rule.out_interface, packet.out_interface)) {
      return No("outgoing interface is \"", packet.out_interface, "\"");
    }
    if (rule.protocol != Protocol::kAny &&
        (rule.protocol == packet.protocol) == rule.protocol_negated) {
      return No("protocol is ", ProtocolName(packet.protocol));
    }
    return true;
  }

  bool operator()(const PortsMatch& m) const {
    if (m.source && !InRange(*m.source, packet.source_port)) {
      return No("source port ", packet.source_port, " is not ", RangeText(*m.source));
    }
    if (m.destination && !InRange(*m.destination, packet.destination_port)) {
      return No("destination port ", packet.destination_port, " is not ",
                RangeText(*m.destination));
    }
    return true;
  }

  bool operator()(const CommentMatch&) const { return true; }

  bool operator()(const MarkMatch& m) const {
    if (((packet.mark & m.mask) == m.value) != m.negated) return true;
    return No("the mark is ", packet.mark);
  }

  bool operator()(const CtStateMatch& m) const {
    if (((packet.ct_state & m.states) != 0) != m.negated) return true;
    return No("the connection is ", NotWord(!m.negated), "in one of the states asked for");
  }

  bool operator()(const AddrTypeMatch& m) const {
    using Want = AddrTypeMatch::Want;
    if (m.source != Want::kAnything &&
        surroundings.local.Contains(packet.source) != (m.source == Want::kLocal)) {
      return No("source ", packet.source.ToString(), " is ", NotWord(m.source == Want::kLocal),
                "an address of this node");
    }
    if (m.destination != Want::kAnything &&
        surroundings.local.Contains(packet.destination) != (m.destination == Want::kLocal)) {
      return No("destination ", packet.destination.ToString(), " is ",
                NotWord(m.destination == Want::kLocal), "an address of this node");
    }
    return true;
  }

  bool operator()(const StatisticMatch& m) const {
    // As the kernel draws: 31 random bits below the threshold.
    const bool hit = surroundings.random.Next() >> 33 < m.threshold;
    return hit != m.negated || No("the random draw said no");
  }

  bool operator()(const RecentMatch& m) const {
    if (m.action == RecentMatch::Action::kSet) {
      recent.Set(m.name, packet.source, surroundings.now);
      return !m.negated || No("--set always matches");
    }
    const bool hit = recent.Check(m.name, packet.source, m.seconds, m.reap, surroundings.now);
    return hit != m.negated || No("source ", packet.source.ToString(), " is ", NotWord(!m.negated),
                                  "in the list ", m.name);
  }
};

}  // namespace

bool RuleMatches(const Rule& rule, const Packet& packet, const Surroundings& surroundings,
                 RecentLists& recent, std::string* why) {
  const Matcher matcher{packet, surroundings, recent, why};
  if (!matcher.Head(rule)) return false;
  for (const Match& match : rule.matches) {
    if (!std::visit(matcher, match)) return false;
  }
  return true;
}

}  // namespace kubemu::iptables
