#ifndef KUBEMU_LB_POLICIES_LEAST_CONNECTIONS_H_
#define KUBEMU_LB_POLICIES_LEAST_CONNECTIONS_H_

#include <vector>

#include "lb/policies/policy.h"
#include "lb/policies/smooth_weighted.h"

namespace kubemu {

// The candidate with the fewest connections for its weight (HAProxy's leastconn). Among equals they
// take turns, by weight, so that short connections are spread, too.
class LeastConnections : public Policy {
 public:
  size_t Pick(const std::vector<Candidate>& candidates, const ConnectionKey& key,
              Random& random) override;

 private:
  SmoothWeighted turns_;
};

}  // namespace kubemu

#endif  // KUBEMU_LB_POLICIES_LEAST_CONNECTIONS_H_
