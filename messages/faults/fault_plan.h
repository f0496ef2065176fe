#ifndef KUBEMU_MESSAGES_FAULTS_FAULT_PLAN_H_
#define KUBEMU_MESSAGES_FAULTS_FAULT_PLAN_H_

#include <string>
#include <utility>
#include <vector>

#include "messages/core/random.h"
#include "messages/core/time.h"
#include "messages/message.h"

namespace kubemu {

// One fault on messages that leave a part. Empty patterns match everything; an address pattern
// matches the address itself and everything below it ("node-3" matches "node-3/kubelet").
struct FaultRule {
  std::string id;  // stands in the journal
  std::string from;
  std::string to;
  bus::MessageKind kind = bus::MESSAGE_KIND_UNSPECIFIED;  // unspecified: any
  double loss = 0;                                        // probability, 0..1
  double duplicate = 0;                                   // probability, 0..1
  Duration delay{};
  Duration jitter{};  // uniform in [-jitter, +jitter]
};

// What to do with one message: deliver `copies` of it after `delay`; 0 copies: lost, by `reason`.
struct FaultDecision {
  int copies = 1;
  Duration delay{};
  std::string reason;
};

// The faults of one process, decided at the sender, at the door, in both runtimes alike.
class FaultPlan {
 public:
  // Rules are tried in order; their effects add up, the first loss wins.
  void Set(std::vector<FaultRule> rules) { rules_ = std::move(rules); }
  bool empty() const { return rules_.empty(); }
  FaultDecision Decide(const Message& message, Random& random) const;

 private:
  std::vector<FaultRule> rules_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_FAULTS_FAULT_PLAN_H_
