#ifndef KUBEMU_MASTER_APISERVER_VALIDATION_WORKLOAD_H_
#define KUBEMU_MASTER_APISERVER_VALIDATION_WORKLOAD_H_

#include "messages/api/field_errors.h"

namespace k8s::apps::v1 {
class Deployment;
class ReplicaSet;
}  // namespace k8s::apps::v1

namespace kubemu {

// Rules: pkg/apis/apps/validation/validation.go.
void ValidateDeployment(const ::k8s::apps::v1::Deployment& deployment, FieldErrorList* errors);
void ValidateReplicaSet(const ::k8s::apps::v1::ReplicaSet& replica_set, FieldErrorList* errors);

// The selector stays what it is.
void ValidateDeploymentUpdate(const ::k8s::apps::v1::Deployment& old_deployment,
                              const ::k8s::apps::v1::Deployment& new_deployment,
                              FieldErrorList* errors);
void ValidateReplicaSetUpdate(const ::k8s::apps::v1::ReplicaSet& old_replica_set,
                              const ::k8s::apps::v1::ReplicaSet& new_replica_set,
                              FieldErrorList* errors);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_VALIDATION_WORKLOAD_H_
