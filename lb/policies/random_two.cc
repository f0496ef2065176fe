#include "lb/policies/random_two.h"

namespace kubemu {
namespace {

// Draws one by weight, of weights that add up to `total`, leaving out `without`.
size_t DrawByWeight(const std::vector<Candidate>& candidates, uint64_t total, size_t without,
                    Random& random) {
  uint64_t left = random.Uniform(total);
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (i == without) continue;
    if (left < candidates[i].weight) return i;
    left -= candidates[i].weight;
  }
  return 0;  // not reached: `total` is their sum
}

}  // namespace

size_t RandomTwo::Pick(const std::vector<Candidate>& candidates, const ConnectionKey&,
                       Random& random) {
  if (candidates.size() == 1) return 0;
  uint64_t total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  const size_t one = DrawByWeight(candidates, total, candidates.size(), random);
  const size_t two = DrawByWeight(candidates, total - candidates[one].weight, one, random);
  const Candidate& a = candidates[one];
  const Candidate& b = candidates[two];
  return b.connections * a.weight < a.connections * b.weight ? two : one;
}

}  // namespace kubemu
