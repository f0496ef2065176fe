#ifndef KUBEMU_MASTER_APISERVER_VALIDATION_CLUSTER_H_
#define KUBEMU_MASTER_APISERVER_VALIDATION_CLUSTER_H_

#include "messages/api/field_errors.h"

namespace k8s::coordination::v1 {
class Lease;
}
namespace k8s::core::v1 {
class Event;
class Namespace;
class Node;
}  // namespace k8s::core::v1

namespace kubemu {

// Rules: pkg/apis/core/validation/{validation,events}.go,
// pkg/apis/coordination/validation/validation.go.
void ValidateNode(const ::k8s::core::v1::Node& node, FieldErrorList* errors);
// podCIDR and providerID are set once.
void ValidateNodeUpdate(const ::k8s::core::v1::Node& old_node,
                        const ::k8s::core::v1::Node& new_node, FieldErrorList* errors);
void ValidateNamespace(const ::k8s::core::v1::Namespace& ns, FieldErrorList* errors);
void ValidateLease(const ::k8s::coordination::v1::Lease& lease, FieldErrorList* errors);
// An event lives in the namespace of the object that it is about.
void ValidateEvent(const ::k8s::core::v1::Event& event, FieldErrorList* errors);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_VALIDATION_CLUSTER_H_
