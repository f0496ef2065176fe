#ifndef KUBEMU_NODE_IPTABLES_CHAIN_INDEX_H_
#define KUBEMU_NODE_IPTABLES_CHAIN_INDEX_H_

#include <cstdint>
#include <vector>

#include "node/iptables/rule.h"

namespace kubemu::iptables {

// Finds, among the rules of one chain, those that a packet can match at all, without looking at
// each. Runs of rules that want one destination port of one protocol, and one destination address
// or any, are kept as a hash table; what such a rule says besides is still to be checked. With it a
// first packet's way through KUBE-SERVICES costs the same with 100 Services as with 10,000, and the
// first match in chain order still wins.
class ChainIndex {
 public:
  // Shorter runs are faster read one by one.
  static constexpr size_t kRunMin = 8;

  // The rule at position i of the chain is rules(i).
  template <typename RuleAt>
  void Build(size_t count, RuleAt rules) {
    keys_.clear();
    for (size_t i = 0; i < count; ++i) keys_.push_back(KeyOf(rules(i)));
    BuildRuns();
  }

  // The first position >= from whose rule has to be checked; count if there is none. `from` must
  // be 0 or one more than the position returned before.
  size_t Next(size_t from, Protocol protocol, Ipv4 destination, uint16_t port) const;

 private:
  static constexpr uint64_t kNoKey = 0;
  static constexpr uint32_t kNone = ~uint32_t{0};
  struct Run {
    uint32_t begin = 0;
    uint32_t end = 0;
    std::vector<uint32_t> slots;  // open addressing; first position of each key
  };

  static uint64_t MakeKey(Protocol protocol, Ipv4 destination, uint16_t port) {
    return uint64_t{destination.bits()} << 24 | uint64_t{port} << 8 |
           static_cast<uint64_t>(protocol);
  }
  static uint64_t KeyOf(const Rule& rule);
  void BuildRuns();
  void Insert(Run* run, uint32_t position);
  const uint32_t* SlotOf(const Run& run, uint64_t key) const;
  uint32_t FirstAtOrAfter(const Run& run, uint64_t key, size_t from) const;

  std::vector<uint64_t> keys_;  // by position; kNoKey: not indexable
  std::vector<uint32_t> next_;  // by position: the next one with the same key in its run
  std::vector<Run> runs_;       // in order
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_CHAIN_INDEX_H_
