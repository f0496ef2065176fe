#ifndef KUBEMU_MASTER_APISERVER_VALIDATION_VOLUME_H_
#define KUBEMU_MASTER_APISERVER_VALIDATION_VOLUME_H_

#include <set>
#include <string>

#include "messages/api/field_errors.h"

namespace k8s::core::v1 {
class PodSpec;
}

namespace kubemu {

// A pod's volumes: a name and exactly one source each. Returns the names, which mounts refer to.
std::set<std::string> ValidateVolumes(const ::k8s::core::v1::PodSpec& spec, const FieldPath& path,
                                      FieldErrorList* errors);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_VALIDATION_VOLUME_H_
