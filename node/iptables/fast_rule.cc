#include "node/iptables/fast_rule.h"

namespace kubemu::iptables {

void FastRule::TakeAddress(const std::optional<AddressMatch>& match, uint32_t* bits, uint32_t* mask,
                           bool* negated) {
  if (!match) return;
  const int prefix = match->network.prefix();
  *bits = match->network.base().bits();
  *mask = prefix == 0 ? 0 : ~uint32_t{0} << (32 - prefix);
  *negated = match->negated;
}

FastRule FastRule::Of(const Rule& rule) {
  FastRule fast;
  if (rule.in_interface || rule.out_interface || rule.protocol_negated) return fast;
  fast.protocol_ = rule.protocol;
  TakeAddress(rule.source, &fast.source_, &fast.source_mask_, &fast.source_negated_);
  TakeAddress(rule.destination, &fast.destination_, &fast.destination_mask_,
              &fast.destination_negated_);
  for (const Match& match : rule.matches) {
    if (!fast.TakeMatch(match)) return FastRule();
  }
  fast.usable_ = true;
  return fast;
}

// False if it cannot be said here. A draw comes last: what stands behind it in the rule would have
// to fail without one.
bool FastRule::TakeMatch(const Match& match) {
  if (std::holds_alternative<CommentMatch>(match)) return true;
  if (threshold_ != kStatisticOne) return false;
  if (const auto* ports = std::get_if<PortsMatch>(&match)) {
    if (ports->source || first_port_ != 0 || last_port_ != 65535) return false;
    if (!ports->destination) return true;
    first_port_ = ports->destination->first;
    last_port_ = ports->destination->last;
    return !ports->destination->negated;
  }
  const auto* statistic = std::get_if<StatisticMatch>(&match);
  if (statistic == nullptr || statistic->negated || statistic->threshold == kStatisticOne) {
    return false;
  }
  threshold_ = statistic->threshold;
  return true;
}

}  // namespace kubemu::iptables
