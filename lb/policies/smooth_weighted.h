#ifndef KUBEMU_LB_POLICIES_SMOOTH_WEIGHTED_H_
#define KUBEMU_LB_POLICIES_SMOOTH_WEIGHTED_H_

#include <map>
#include <string>
#include <vector>

#include "lb/policies/policy.h"

namespace kubemu {

// Smooth weighted round robin, as nginx has it: weights 5, 1, 1 give a a b a c a a, never five in a
// row. Equal weights give plain round robin in order of names. Weights may change at any time.
class SmoothWeighted : public Policy {
 public:
  size_t Pick(const std::vector<Candidate>& candidates, const ConnectionKey& key,
              Random& random) override;

  // The turn among some of the candidates only: those at `indices`, which is not empty.
  size_t PickAmong(const std::vector<Candidate>& candidates, const std::vector<size_t>& indices);

 private:
  // What each is owed; forgotten when it is no candidate any more.
  std::map<std::string, int64_t, std::less<>> owed_;
};

}  // namespace kubemu

#endif  // KUBEMU_LB_POLICIES_SMOOTH_WEIGHTED_H_
