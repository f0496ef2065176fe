#include "lb/policies/source_hash.h"

namespace kubemu {

size_t SourceHash::Pick(const std::vector<Candidate>& candidates, const ConnectionKey& key,
                        Random&) {
  const uint64_t client = MixBits(key.client.ip.bits());
  size_t best = 0;
  uint64_t best_score = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const uint64_t score = MixBits(StableHash(candidates[i].name) ^ client);
    if (i == 0 || score > best_score) {
      best = i;
      best_score = score;
    }
  }
  return best;
}

}  // namespace kubemu
