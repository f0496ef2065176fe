#ifndef KUBEMU_MASTER_APISERVER_VALIDATION_CONFIG_H_
#define KUBEMU_MASTER_APISERVER_VALIDATION_CONFIG_H_

#include <cstddef>

#include "messages/api/field_errors.h"

namespace k8s::core::v1 {
class ConfigMap;
class Secret;
}  // namespace k8s::core::v1

namespace kubemu {

// Of the data of one ConfigMap or Secret.
inline constexpr size_t kConfigBytesMax = 1024 * 1024;

// Rules: pkg/apis/core/validation/validation.go.
void ValidateConfigMap(const ::k8s::core::v1::ConfigMap& config, FieldErrorList* errors);
void ValidateSecret(const ::k8s::core::v1::Secret& secret, FieldErrorList* errors);

// Data marked immutable stays; so does a Secret's type.
void ValidateConfigMapUpdate(const ::k8s::core::v1::ConfigMap& old_config,
                             const ::k8s::core::v1::ConfigMap& new_config, FieldErrorList* errors);
void ValidateSecretUpdate(const ::k8s::core::v1::Secret& old_secret,
                          const ::k8s::core::v1::Secret& new_secret, FieldErrorList* errors);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_VALIDATION_CONFIG_H_
