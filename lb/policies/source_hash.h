#ifndef KUBEMU_LB_POLICIES_SOURCE_HASH_H_
#define KUBEMU_LB_POLICIES_SOURCE_HASH_H_

#include <vector>

#include "lb/policies/policy.h"

namespace kubemu {

// Always the same node for a client's address, whatever its port. Rendezvous hashing (Thaler and
// Ravishankar): each node's name is hashed with the address and the highest wins, so that only the
// clients of a node that leaves move, and a newcomer takes its share evenly from all.
class SourceHash : public Policy {
 public:
  size_t Pick(const std::vector<Candidate>& candidates, const ConnectionKey& key,
              Random& random) override;
};

}  // namespace kubemu

#endif  // KUBEMU_LB_POLICIES_SOURCE_HASH_H_
