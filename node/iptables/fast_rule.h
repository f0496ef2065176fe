#ifndef KUBEMU_NODE_IPTABLES_FAST_RULE_H_
#define KUBEMU_NODE_IPTABLES_FAST_RULE_H_

#include <cstdint>

#include "messages/core/random.h"
#include "node/iptables/packet.h"
#include "node/iptables/rule.h"

namespace kubemu::iptables {

// The conditions of a rule in 32 bytes, for the kinds that there are many of: addresses, a
// protocol, a destination port, a draw. Says the same as RuleMatches.
class FastRule {
 public:
  // usable() is false if the rule has other conditions.
  static FastRule Of(const Rule& rule);
  bool usable() const { return usable_; }

  // REQUIRES: usable().
  bool Matches(const Packet& packet, Random& random) const {
    if (((packet.source.bits() & source_mask_) == source_) == source_negated_) return false;
    if (((packet.destination.bits() & destination_mask_) == destination_) == destination_negated_) {
      return false;
    }
    if (protocol_ != Protocol::kAny && packet.protocol != protocol_) return false;
    if (packet.destination_port < first_port_ || packet.destination_port > last_port_) return false;
    return threshold_ == kStatisticOne || random.Next() >> 33 < threshold_;
  }

 private:
  bool TakeMatch(const Match& match);
  static void TakeAddress(const std::optional<AddressMatch>& match, uint32_t* bits, uint32_t* mask,
                          bool* negated);

  uint32_t source_ = 0;
  uint32_t source_mask_ = 0;
  uint32_t destination_ = 0;
  uint32_t destination_mask_ = 0;
  uint32_t threshold_ = kStatisticOne;  // no draw
  uint16_t first_port_ = 0;
  uint16_t last_port_ = 65535;
  Protocol protocol_ = Protocol::kAny;
  bool source_negated_ = false;
  bool destination_negated_ = false;
  bool usable_ = false;
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_FAST_RULE_H_
