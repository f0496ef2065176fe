#include "node/iptables/fast_rule.h"

#include <variant>

namespace kubemu::iptables {

FastRule FastRule::Of(const Rule& rule) {
  FastRule fast;
  if (rule.in_interface || rule.out_interface || rule.protocol_negated) return fast;
  fast.protocol_ = rule.protocol;
  if (rule.source) {
    fast.source_ = rule.source->network.base().bits();
    fast.source_prefix_ = static_cast<uint8_t>(rule.source->network.prefix());
    fast.source_negated_ = rule.source->negated;
  }
  if (rule.destination) {
    fast.destination_ = rule.destination->network.base().bits();
    fast.destination_prefix_ = static_cast<uint8_t>(rule.destination->network.prefix());
    fast.destination_negated_ = rule.destination->negated;
  }
  for (const Match& match : rule.matches) {
    if (!fast.TakeMatch(match)) return FastRule();
  }
  fast.usable_ = true;
  return fast;
}

// False if it cannot be said here: each kind can once. A draw comes last: what stands behind it in
// the rule would have to fail without one.
bool FastRule::TakeMatch(const Match& match) {
  if (std::holds_alternative<CommentMatch>(match)) return true;
  if (threshold_ != kStatisticOne) return false;
  if (const auto* ports = std::get_if<PortsMatch>(&match)) return TakePorts(*ports);
  if (const auto* mark = std::get_if<MarkMatch>(&match)) return TakeMark(*mark);
  if (const auto* states = std::get_if<CtStateMatch>(&match)) return TakeStates(*states);
  const auto* draw = std::get_if<StatisticMatch>(&match);
  return draw != nullptr && TakeDraw(*draw);
}

bool FastRule::TakePorts(const PortsMatch& ports) {
  if (ports.source || first_port_ != 0 || last_port_ != 65535) return false;
  if (!ports.destination) return true;
  first_port_ = ports.destination->first;
  last_port_ = ports.destination->last;
  return !ports.destination->negated;
}

bool FastRule::TakeMark(const MarkMatch& mark) {
  if (mark_mask_ != 0 || mark.mask == 0) return false;
  mark_ = mark.value;
  mark_mask_ = mark.mask;
  mark_negated_ = mark.negated;
  return true;
}

bool FastRule::TakeStates(const CtStateMatch& match) {
  if (states_ != 0 || match.states == 0) return false;
  states_ = match.states;
  states_negated_ = match.negated;
  return true;
}

bool FastRule::TakeDraw(const StatisticMatch& match) {
  if (match.negated || match.threshold == kStatisticOne) return false;
  threshold_ = match.threshold;
  return true;
}

}  // namespace kubemu::iptables
