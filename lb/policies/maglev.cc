#include "lb/policies/maglev.h"

#include <algorithm>

namespace kubemu {
namespace {

constexpr bool IsPrime(uint32_t number) {
  for (uint32_t i = 2; uint64_t{i} * i <= number; ++i) {
    if (number % i == 0) return false;
  }
  return number > 1;
}
// Only then does every step size visit every place.
static_assert(IsPrime(MaglevTable::kSize));

constexpr uint64_t kSkipSalt = 0x9e3779b97f4a7c15;  // makes a second hash of the first
constexpr uint32_t kFree = UINT32_MAX;

bool SameNames(const std::vector<std::string>& names, const std::vector<Candidate>& candidates) {
  return std::equal(
      names.begin(), names.end(), candidates.begin(), candidates.end(),
      [](const std::string& name, const Candidate& candidate) { return name == candidate.name; });
}

}  // namespace

MaglevTable::MaglevTable(const std::vector<std::string>& names) : places_(kSize, kFree) {
  struct Walk {
    uint32_t next;
    uint32_t skip;
  };
  std::vector<Walk> walks;
  for (const std::string& name : names) {
    const uint64_t hash = StableHash(name);
    walks.push_back({static_cast<uint32_t>(MixBits(hash) % kSize),
                     static_cast<uint32_t>(MixBits(hash ^ kSkipSalt) % (kSize - 1) + 1)});
  }
  for (uint32_t filled = 0; filled < kSize;) {
    for (uint32_t i = 0; i < walks.size() && filled < kSize; ++i) {
      Walk& walk = walks[i];
      while (places_[walk.next] != kFree) walk.next = (walk.next + walk.skip) % kSize;
      places_[walk.next] = i;
      ++filled;
    }
  }
}

std::shared_ptr<const MaglevTable> MaglevTables::Get(const std::vector<std::string>& names) {
  const auto known = tables_.find(names);
  if (known != tables_.end()) {
    known->second.last_use = ++uses_;
    return known->second.table;
  }
  if (tables_.size() >= kTablesMax) {
    tables_.erase(std::min_element(
        tables_.begin(), tables_.end(),
        [](const auto& a, const auto& b) { return a.second.last_use < b.second.last_use; }));
  }
  const auto table = std::make_shared<const MaglevTable>(names);
  tables_[names] = Entry{table, ++uses_};
  return table;
}

size_t Maglev::Pick(const std::vector<Candidate>& candidates, const ConnectionKey& key, Random&) {
  std::shared_ptr<const MaglevTable> table = table_.lock();
  if (!table || !SameNames(names_, candidates)) {
    names_.clear();
    for (const Candidate& candidate : candidates) names_.emplace_back(candidate.name);
    table = tables_->Get(names_);
    table_ = table;
  }
  const uint64_t addresses = uint64_t{key.client.ip.bits()} << 32 | key.service.ip.bits();
  const uint64_t ports = uint64_t{key.client.port} << 16 | key.service.port;
  return table->Lookup(MixBits(MixBits(addresses) ^ ports));
}

}  // namespace kubemu
