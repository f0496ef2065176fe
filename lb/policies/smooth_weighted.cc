#include "lb/policies/smooth_weighted.h"

#include <algorithm>
#include <numeric>

namespace kubemu {

size_t SmoothWeighted::Pick(const std::vector<Candidate>& candidates, const ConnectionKey&,
                            Random&) {
  std::vector<size_t> all(candidates.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return PickAmong(candidates, all);
}

size_t SmoothWeighted::PickAmong(const std::vector<Candidate>& candidates,
                                 const std::vector<size_t>& indices) {
  int64_t total = 0;
  size_t best = indices.front();
  int64_t* best_owed = nullptr;
  for (const size_t index : indices) {
    const Candidate& candidate = candidates[index];
    auto it = owed_.find(candidate.name);
    if (it == owed_.end()) it = owed_.emplace(candidate.name, 0).first;
    it->second += candidate.weight;
    total += candidate.weight;
    if (best_owed == nullptr || it->second > *best_owed) {
      best = index;
      best_owed = &it->second;
    }
  }
  *best_owed -= total;
  if (owed_.size() > candidates.size()) {
    std::erase_if(owed_, [&](const auto& entry) {
      const auto at = std::lower_bound(candidates.begin(), candidates.end(), entry.first,
                                       [](const Candidate& candidate, const std::string& name) {
                                         return candidate.name < name;
                                       });
      return at == candidates.end() || at->name != entry.first;
    });
  }
  return best;
}

}  // namespace kubemu
