#ifndef KUBEMU_MASTER_APISERVER_VALIDATION_CONTAINER_PARTS_H_
#define KUBEMU_MASTER_APISERVER_VALIDATION_CONTAINER_PARTS_H_

#include <set>
#include <string>

#include "messages/api/field_errors.h"

namespace k8s::core::v1 {
class Container;
}

namespace kubemu {

// The lists of one container, each at `path`.<its name>.
void ValidatePorts(const ::k8s::core::v1::Container& container, const FieldPath& path,
                   FieldErrorList* errors);
void ValidateEnvironment(const ::k8s::core::v1::Container& container, const FieldPath& path,
                         FieldErrorList* errors);
void ValidateMounts(const ::k8s::core::v1::Container& container,
                    const std::set<std::string>& volumes, const FieldPath& path,
                    FieldErrorList* errors);
// Probes and lifecycle hooks.
void ValidateHooks(const ::k8s::core::v1::Container& container, const FieldPath& path,
                   FieldErrorList* errors);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_VALIDATION_CONTAINER_PARTS_H_
