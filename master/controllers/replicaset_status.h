#ifndef KUBEMU_MASTER_CONTROLLERS_REPLICASET_STATUS_H_
#define KUBEMU_MASTER_CONTROLLERS_REPLICASET_STATUS_H_

#include <optional>
#include <string>

#include "master/controllers/pod_tally.h"
#include "messages/core/time.h"

namespace k8s::apps::v1 {
class ReplicaSet;
class ReplicaSetStatus;
}  // namespace k8s::apps::v1
namespace kubemu {

// Why pods could not be made or removed: the condition ReplicaFailure.
struct ReplicaFailure {
  std::string reason;  // "FailedCreate" or "FailedDelete"
  std::string message;
};

// Computes the status into *status, which holds the last one. Returns whether that changed it.
// Rule: pkg/controller/replicaset/replica_set_utils.go.
bool ComputeReplicaSetStatus(const k8s::apps::v1::ReplicaSet& set, const PodTally::Counts& counts,
                             const std::optional<ReplicaFailure>& failure, WallTime wall,
                             k8s::apps::v1::ReplicaSetStatus* status);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_REPLICASET_STATUS_H_
