#ifndef KUBEMU_MASTER_APISERVER_VALIDATION_CONTAINER_H_
#define KUBEMU_MASTER_APISERVER_VALIDATION_CONTAINER_H_

#include <set>
#include <string>

#include "messages/api/field_errors.h"

namespace k8s::core::v1 {
class PodSpec;
class ResourceRequirements;
}  // namespace k8s::core::v1

namespace kubemu {

// All containers of a pod: names, images, ports, environment, mounts of the volumes that exist,
// resources, probes, hooks. Rules: pkg/apis/core/validation/validation.go.
void ValidateContainers(const ::k8s::core::v1::PodSpec& spec, const std::set<std::string>& volumes,
                        const FieldPath& path, FieldErrorList* errors);

// Names and amounts; requests not above limits.
void ValidateResources(const ::k8s::core::v1::ResourceRequirements& resources,
                       const FieldPath& path, FieldErrorList* errors);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_VALIDATION_CONTAINER_H_
