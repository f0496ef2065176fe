#ifndef KUBEMU_LB_POLICIES_RANDOM_TWO_H_
#define KUBEMU_LB_POLICIES_RANDOM_TWO_H_

#include <vector>

#include "lb/policies/policy.h"

namespace kubemu {

// The power of two choices (Mitzenmacher): two different candidates are drawn, by weight, and the
// one with fewer connections for its weight is taken; the first drawn if they are equal.
class RandomTwo : public Policy {
 public:
  size_t Pick(const std::vector<Candidate>& candidates, const ConnectionKey& key,
              Random& random) override;
};

}  // namespace kubemu

#endif  // KUBEMU_LB_POLICIES_RANDOM_TWO_H_
