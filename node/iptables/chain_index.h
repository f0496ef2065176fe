#ifndef KUBEMU_NODE_IPTABLES_CHAIN_INDEX_H_
#define KUBEMU_NODE_IPTABLES_CHAIN_INDEX_H_

#include <cstdint>
#include <memory>
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

  // What Next begins to load of the place that the rule it found leads to.
  static constexpr size_t kAheadBytes = 192;

  // `leads_to` is by position: what is read first if that rule matches (null: nothing). Null if no
  // run is long enough.
  static std::unique_ptr<const ChainIndex> Of(const std::vector<Rule>& rules,
                                              const std::vector<const void*>& leads_to);

  // The first position >= from whose rule has to be checked; count if there is none. `from` must
  // be 0 or one more than the position returned before.
  size_t Next(size_t from, Protocol protocol, Ipv4 destination, uint16_t port) const;

 private:
  static constexpr uint64_t kNoKey = 0;
  static constexpr uint32_t kNone = ~uint32_t{0};
  // All that is needed of it in one place: a packet touches no other line of a table that fits into
  // no cache.
  struct Slot {
    uint64_t key = kNoKey;
    const void* leads_to = nullptr;
    uint32_t first = kNone;  // position of the first rule with that key
  };
  struct Run {
    uint32_t begin = 0;
    uint32_t end = 0;
    bool one_address = false;  // it has rules for one address
    bool any_address = false;  // and such for any
    std::vector<Slot> slots;   // open addressing
  };

  static uint64_t MakeKey(Protocol protocol, Ipv4 destination, uint16_t port) {
    return uint64_t{destination.bits()} << 24 | uint64_t{port} << 8 |
           static_cast<uint64_t>(protocol);
  }
  static uint64_t KeyOf(const Rule& rule);
  static bool IsForAny(uint64_t key) { return key >> 24 == 0; }
  static size_t SlotOf(const Run& run, uint64_t key);
  void BuildRuns(const std::vector<const void*>& leads_to);
  void Insert(Run* run, uint32_t position, const void* leads_to);
  uint32_t FirstAtOrAfter(const Run& run, uint64_t key, size_t from) const;

  std::vector<uint64_t> keys_;  // by position; kNoKey: not indexable
  std::vector<uint32_t> next_;  // by position: the next one with the same key in its run
  std::vector<Run> runs_;       // in order
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_CHAIN_INDEX_H_
