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
  template <typename... Parts>
  bool Yes(const Parts&... parts) const {
    if (why != nullptr) StrAppend(why, why->empty() ? "" : ", ", parts...);
    return true;
  }

  // "source 10.0.0.1 is not 10.0.0.2/32"
  bool Address(std::string_view what, Ipv4 ip, const std::optional<AddressMatch>& match) const {
    if (!match) return true;
    const bool inside = match->network.Contains(ip);
    const std::string_view is = NotWord(!inside);
    if (inside == match->negated) {
      return No(what, " ", ip.ToString(), " is ", is, match->network.ToString());
    }
    return Yes(what, " ", ip.ToString(), " is ", is, match->network.ToString());
  }

  bool Interface(std::string_view what, const std::string& name,
                 const std::optional<InterfaceMatch>& match) const {
    if (!match) return true;
    const bool known = !name.empty();
    if (!InterfaceIs(*match, name)) {
      return known ? No(what, " interface is \"", name, "\"") : No(what, " interface is not known");
    }
    return known ? Yes(what, " interface is \"", name, "\"") : Yes(what, " interface is not known");
  }

  bool Head(const Rule& rule) const {
    if (!Address("source", packet.source, rule.source)) return false;
    if (!Address("destination", packet.destination, rule.destination)) return false;
    if (!Interface("incoming", packet.in_interface, rule.in_interface)) return false;
    if (!Interface("outgoing", packet.out_interface, rule.out_interface)) return false;
    if (rule.protocol == Protocol::kAny) return true;
    const std::string_view name = ProtocolName(packet.protocol);
    if ((rule.protocol == packet.protocol) == rule.protocol_negated) {
      return No("protocol is ", name);
    }
    return Yes("protocol is ", name);
  }

  bool Port(std::string_view what, uint16_t port, const std::optional<PortRange>& range) const {
    if (!range) return true;
    if (!InRange(*range, port)) return No(what, " port ", port, " is not ", RangeText(*range));
    return Yes(what, " port ", port, " is ", RangeText(*range));
  }

  bool operator()(const PortsMatch& m) const {
    return Port("source", packet.source_port, m.source) &&
           Port("destination", packet.destination_port, m.destination);
  }

  bool operator()(const CommentMatch&) const { return true; }

  bool operator()(const MarkMatch& m) const {
    if (((packet.mark & m.mask) == m.value) == m.negated) return No("the mark is ", packet.mark);
    return Yes("the mark is ", packet.mark);
  }

  bool operator()(const CtStateMatch& m) const {
    const std::string_view is = NotWord((packet.ct_state & m.states) == 0);
    if (((packet.ct_state & m.states) != 0) == m.negated) {
      return No("the connection is ", is, "in one of the states asked for");
    }
    return Yes("the connection is ", is, "in one of the states asked for");
  }

  bool Local(std::string_view what, Ipv4 ip, AddrTypeMatch::Want want) const {
    if (want == AddrTypeMatch::Want::kAnything) return true;
    const bool local = surroundings.local.Contains(ip);
    if (local != (want == AddrTypeMatch::Want::kLocal)) {
      return No(what, " ", ip.ToString(), " is ", NotWord(!local), "an address of this node");
    }
    return Yes(what, " ", ip.ToString(), " is ", NotWord(!local), "an address of this node");
  }

  bool operator()(const AddrTypeMatch& m) const {
    return Local("source", packet.source, m.source) &&
           Local("destination", packet.destination, m.destination);
  }

  bool operator()(const StatisticMatch& m) const {
    if (Rehearsal* rehearsal = surroundings.rehearsal) return Planned(m, rehearsal);
    // As the kernel draws: 31 random bits below the threshold.
    const bool hit = surroundings.random.Next() >> 33 < m.threshold;
    if (hit == m.negated) return No("the random draw said no");
    return Yes("the random draw said yes");
  }

  bool Planned(const StatisticMatch& m, Rehearsal* rehearsal) const {
    const uint32_t hits = m.negated ? kStatisticOne - m.threshold : m.threshold;
    const size_t number = rehearsal->draws.size();
    const bool hit = number >= rehearsal->plan.size() || rehearsal->plan[number];
    rehearsal->draws.push_back({static_cast<double>(hits) / kStatisticOne, hit});
    if (!hit) return No("this time its draw says no");
    return Yes("this time its draw says yes");
  }

  bool operator()(const RecentMatch& m) const {
    if (m.action == RecentMatch::Action::kSet) {
      if (surroundings.rehearsal == nullptr) {
        recent.Set(m.name, packet.source, surroundings.now);
      }
      if (m.negated) return No("--set always matches");
      return Yes("the source goes into the list ", m.name);
    }
    const bool hit = surroundings.rehearsal != nullptr
                         ? recent.Contains(m.name, packet.source, m.seconds, surroundings.now)
                         : recent.Check(m.name, packet.source, m.seconds, m.reap, surroundings.now);
    const std::string_view is = NotWord(!hit);
    if (hit == m.negated) {
      return No("source ", packet.source.ToString(), " is ", is, "in the list ", m.name);
    }
    return Yes("source ", packet.source.ToString(), " is ", is, "in the list ", m.name);
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
  if (why != nullptr && why->empty()) *why = "it takes every packet";
  return true;
}

}  // namespace kubemu::iptables
