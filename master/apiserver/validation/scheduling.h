#ifndef KUBEMU_MASTER_APISERVER_VALIDATION_SCHEDULING_H_
#define KUBEMU_MASTER_APISERVER_VALIDATION_SCHEDULING_H_

#include "messages/api/field_errors.h"

namespace k8s::core::v1 {
class NodeSpec;
class PodSpec;
}  // namespace k8s::core::v1

namespace kubemu {

// Where a pod may run: nodeSelector, tolerations, affinity, spread constraints, gates.
void ValidateScheduling(const ::k8s::core::v1::PodSpec& spec, const FieldPath& path,
                        FieldErrorList* errors);

// A node's taints: key, value, effect; each key once per effect.
void ValidateTaints(const ::k8s::core::v1::NodeSpec& spec, const FieldPath& path,
                    FieldErrorList* errors);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_VALIDATION_SCHEDULING_H_
