#include "lb/policies/least_connections.h"

namespace kubemu {

size_t LeastConnections::Pick(const std::vector<Candidate>& candidates, const ConnectionKey&,
                              Random&) {
  std::vector<size_t> least;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!least.empty()) {
      // a.connections / a.weight against b's, without division.
      const Candidate& best = candidates[least.front()];
      const uint64_t mine = candidates[i].connections * best.weight;
      const uint64_t its = best.connections * candidates[i].weight;
      if (mine > its) continue;
      if (mine < its) least.clear();
    }
    least.push_back(i);
  }
  return turns_.PickAmong(candidates, least);
}

}  // namespace kubemu
