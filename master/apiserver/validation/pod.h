#ifndef KUBEMU_MASTER_APISERVER_VALIDATION_POD_H_
#define KUBEMU_MASTER_APISERVER_VALIDATION_POD_H_

#include "messages/api/field_errors.h"

namespace k8s::core::v1 {
class Pod;
class PodSpec;
class PodTemplateSpec;
}  // namespace k8s::core::v1

namespace kubemu {

// Rules of this file: pkg/apis/core/validation/validation.go.
void ValidatePodSpec(const ::k8s::core::v1::PodSpec& spec, const FieldPath& path,
                     FieldErrorList* errors);
void ValidatePodTemplate(const ::k8s::core::v1::PodTemplateSpec& pod_template,
                         const FieldPath& path, FieldErrorList* errors);

// Of a running pod only images, activeDeadlineSeconds (set or lowered), additional tolerations and
// a negative terminationGracePeriodSeconds may change; scheduling gates may go.
void ValidatePodUpdate(const ::k8s::core::v1::Pod& old_pod, const ::k8s::core::v1::Pod& new_pod,
                       FieldErrorList* errors);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_VALIDATION_POD_H_
