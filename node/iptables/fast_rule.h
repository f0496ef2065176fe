#ifndef KUBEMU_NODE_IPTABLES_FAST_RULE_H_
#define KUBEMU_NODE_IPTABLES_FAST_RULE_H_

#include <cstdint>

#include "messages/core/random.h"
#include "node/iptables/packet.h"
#include "node/iptables/rule.h"

namespace kubemu::iptables {

// The conditions of a rule in 32 bytes, for the kinds that there are many of or that every packet
// meets: addresses, a protocol, a destination port, a mark, conntrack's states, a draw. Says the
// same as RuleMatches.
class FastRule {
 public:
  // usable() is false if the rule has other conditions.
  static FastRule Of(const Rule& rule);
  bool usable() const { return usable_; }

  // REQUIRES: usable().
  bool Matches(const Packet& packet, Random& random) const {
    if (IsIn(packet.source, source_, source_prefix_) == source_negated_) return false;
    if (IsIn(packet.destination, destination_, destination_prefix_) == destination_negated_) {
      return false;
    }
    if (protocol_ != Protocol::kAny && packet.protocol != protocol_) return false;
    if (packet.destination_port < first_port_ || packet.destination_port > last_port_) return false;
    if (((packet.mark & mark_mask_) == mark_) == mark_negated_) return false;
    if (states_ != 0 && ((packet.ct_state & states_) != 0) == states_negated_) return false;
    return threshold_ == kStatisticOne || random.Next() >> 33 < threshold_;
  }

 private:
  static bool IsIn(Ipv4 ip, uint32_t base, uint8_t prefix) {
    return uint64_t{ip.bits() ^ base} >> (32 - prefix) == 0;
  }
  bool TakeMatch(const Match& match);
  bool TakePorts(const PortsMatch& ports);
  bool TakeMark(const MarkMatch& mark);
  bool TakeStates(const CtStateMatch& match);
  bool TakeDraw(const StatisticMatch& match);

  uint32_t source_ = 0;
  uint32_t destination_ = 0;
  uint32_t mark_ = 0;
  uint32_t mark_mask_ = 0;
  uint32_t threshold_ = kStatisticOne;  // no draw
  uint16_t first_port_ = 0;
  uint16_t last_port_ = 65535;
  uint8_t source_prefix_ = 0;
  uint8_t destination_prefix_ = 0;
  Protocol protocol_ = Protocol::kAny;
  uint8_t states_ = 0;  // 0: any
  bool source_negated_ : 1 = false;
  bool destination_negated_ : 1 = false;
  bool mark_negated_ : 1 = false;
  bool states_negated_ : 1 = false;
  bool usable_ : 1 = false;
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_FAST_RULE_H_
