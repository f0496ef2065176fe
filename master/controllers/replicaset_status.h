#ifndef KUBEMU_MASTER_CONTROLLERS_REPLICASET_STATUS_H_
#define KUBEMU_MASTER_CONTROLLERS_REPLICASET_STATUS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages/core/time.h"
#include "messages/object.h"

namespace k8s::apps::v1 {
class ReplicaSet;
class ReplicaSetStatus;
}  // namespace k8s::apps::v1
namespace k8s::core::v1 {
class Pod;
}

namespace kubemu {

// When pods became ready, on the monotonic clock, for minReadySeconds. A pod that became ready
// before it was first seen here is as old as its condition says.
class ReadyTimes {
 public:
  Time Since(const k8s::core::v1::Pod& pod, const std::string& key, Time now, WallTime wall);
  // Keeps only these pods.
  void Keep(const std::vector<Object>& pods);

 private:
  struct Seen {
    int64_t transition = 0;  // of the condition
    Time since{};
  };
  std::map<std::string, Seen> seen_;
};

// Why pods could not be made or removed: the condition ReplicaFailure.
struct ReplicaFailure {
  std::string reason;  // "FailedCreate" or "FailedDelete"
  std::string message;
};

struct StatusResult {
  bool changed = false;
  Time next_available = kNever;  // when the next ready pod becomes available
};

// Computes the status into *status, which holds the last one. `pods`: its active pods.
// Rule: pkg/controller/replicaset/replica_set_utils.go.
StatusResult ComputeReplicaSetStatus(const k8s::apps::v1::ReplicaSet& set,
                                     const std::vector<Object>& pods,
                                     const std::optional<ReplicaFailure>& failure,
                                     ReadyTimes* ready_times, Time now, WallTime wall,
                                     k8s::apps::v1::ReplicaSetStatus* status);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_REPLICASET_STATUS_H_
