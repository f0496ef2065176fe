#include "node/iptables/chain_index.h"

#include <algorithm>
#include <bit>

namespace kubemu::iptables {

uint64_t ChainIndex::KeyOf(const Rule& rule) {
  if (rule.protocol == Protocol::kAny || rule.protocol_negated) return kNoKey;
  Ipv4 destination;
  if (rule.destination) {
    if (rule.destination->negated || rule.destination->network.prefix() != 32) return kNoKey;
    destination = rule.destination->network.base();
    if (destination.IsNone()) return kNoKey;
  }
  uint64_t key = kNoKey;
  for (const Match& match : rule.matches) {
    // These do something even if the rule does not match in the end, so no such rule is skipped.
    if (std::holds_alternative<StatisticMatch>(match)) return kNoKey;
    if (std::holds_alternative<RecentMatch>(match)) return kNoKey;
    const auto* ports = std::get_if<PortsMatch>(&match);
    if (ports == nullptr || !ports->destination) continue;
    const PortRange& range = *ports->destination;
    if (range.negated || range.first != range.last) return kNoKey;
    key = MakeKey(rule.protocol, destination, range.first);
  }
  return key;
}

std::unique_ptr<const ChainIndex> ChainIndex::Of(const std::vector<Rule>& rules,
                                                 const std::vector<const void*>& leads_to) {
  if (rules.size() < kRunMin) return nullptr;
  auto index = std::make_unique<ChainIndex>();
  for (const Rule& rule : rules) index->keys_.push_back(KeyOf(rule));
  index->BuildRuns(leads_to);
  return index->runs_.empty() ? nullptr : std::move(index);
}

void ChainIndex::BuildRuns(const std::vector<const void*>& leads_to) {
  const uint32_t count = static_cast<uint32_t>(keys_.size());
  for (uint32_t begin = 0; begin < count;) {
    uint32_t end = begin;
    while (end < count && keys_[end] != kNoKey) ++end;
    if (end - begin >= kRunMin) {
      next_.resize(count, kNone);
      Run run{.begin = begin, .end = end};
      run.slots.resize(std::bit_ceil(2 * size_t{end - begin}));
      // From the back, so that each key's list is in chain order.
      for (uint32_t i = end; i > begin; --i) Insert(&run, i - 1, leads_to[i - 1]);
      runs_.push_back(std::move(run));
    }
    begin = std::max(end, begin + 1);
  }
}

size_t ChainIndex::SlotOf(const Run& run, uint64_t key) {
  const size_t mask = run.slots.size() - 1;
  size_t slot = (key * 0x9e3779b97f4a7c15u) >> 32 & mask;
  while (run.slots[slot].first != kNone && run.slots[slot].key != key) slot = (slot + 1) & mask;
  return slot;
}

void ChainIndex::Insert(Run* run, uint32_t position, const void* leads_to) {
  const uint64_t key = keys_[position];
  (IsForAny(key) ? run->any_address : run->one_address) = true;
  Slot& slot = run->slots[SlotOf(*run, key)];
  next_[position] = slot.first;
  slot = {key, leads_to, position};
}

uint32_t ChainIndex::FirstAtOrAfter(const Run& run, uint64_t key, size_t from) const {
  if (IsForAny(key) ? !run.any_address : !run.one_address) return kNone;
  // The usual case: going on behind the last one found.
  if (from > run.begin && keys_[from - 1] == key) return next_[from - 1];
  const Slot& slot = run.slots[SlotOf(run, key)];
  for (size_t byte = 0; slot.leads_to != nullptr && byte < kAheadBytes; byte += 64) {
    __builtin_prefetch(static_cast<const char*>(slot.leads_to) + byte);
  }
  uint32_t position = slot.first;
  while (position != kNone && position < from) position = next_[position];
  return position;
}

size_t ChainIndex::Next(size_t from, Protocol protocol, Ipv4 destination, uint16_t port) const {
  for (const Run& run : runs_) {
    if (from < run.begin) return from;
    if (from >= run.end) continue;
    const uint32_t one = FirstAtOrAfter(run, MakeKey(protocol, destination, port), from);
    const uint32_t any = FirstAtOrAfter(run, MakeKey(protocol, Ipv4(), port), from);
    const uint32_t first = std::min(one, any);
    if (first != kNone) return first;
    from = run.end;
  }
  return from;
}

}  // namespace kubemu::iptables
