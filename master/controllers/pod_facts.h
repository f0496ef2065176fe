#ifndef KUBEMU_MASTER_CONTROLLERS_POD_FACTS_H_
#define KUBEMU_MASTER_CONTROLLERS_POD_FACTS_H_

#include <cstdint>
#include <vector>

#include "messages/core/time.h"
#include "messages/object.h"

namespace k8s::core::v1 {
class Pod;
}

namespace kubemu {

// Neither finished nor being deleted (pkg/controller/controller_utils.go, IsPodActive).
bool IsPodActive(const k8s::core::v1::Pod& pod);
// Condition Ready is True.
bool IsPodReady(const k8s::core::v1::Pod& pod);
// When condition Ready last changed, in seconds of the wall clock; 0 if unknown.
int64_t ReadySince(const k8s::core::v1::Pod& pod);

// Active pods in the order in which a ReplicaSet that has too many gives them up (kubernetes.md
// section 5.2): not yet placed, not running, not ready first; then the lower deletion cost, the
// node with more ready pods of the group, the more recently ready, the more often restarted, the
// newer. `group`: all pods of the same Deployment, which decide what "more on one node" means.
std::vector<Object> InDeletionOrder(const std::vector<Object>& pods,
                                    const std::vector<Object>& group, WallTime now);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_POD_FACTS_H_
