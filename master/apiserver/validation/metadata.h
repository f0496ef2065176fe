#ifndef KUBEMU_MASTER_APISERVER_VALIDATION_METADATA_H_
#define KUBEMU_MASTER_APISERVER_VALIDATION_METADATA_H_

#include <string>
#include <string_view>

#include "messages/api/field_errors.h"
#include "messages/api/labels.h"
#include "messages/api/names.h"

namespace k8s::meta::v1 {
class LabelSelector;
class ObjectMeta;
}  // namespace k8s::meta::v1

namespace kubemu {

inline constexpr size_t kAnnotationBytesMax = 256 * 1024;

// What a kind's metadata must be like.
struct MetadataRules {
  bool namespaced = true;
  Complaints (*check_name)(std::string_view) = &CheckDns1123Subdomain;
};

// Rules: apimachinery/pkg/api/validation/objectmeta.go.
void ValidateMetadata(const ::k8s::meta::v1::ObjectMeta& meta, const MetadataRules& rules,
                      FieldErrorList* errors);
// What must not change, and no new finalizers on an object that is being deleted.
void ValidateMetadataUpdate(const ::k8s::meta::v1::ObjectMeta& old_meta,
                            const ::k8s::meta::v1::ObjectMeta& new_meta, FieldErrorList* errors);

// Keys and values as labels.
void ValidateLabels(const StringEntries& labels, const FieldPath& path, FieldErrorList* errors);
void ValidateAnnotations(const StringEntries& annotations, const FieldPath& path,
                         FieldErrorList* errors);
void ValidateLabelSelector(const ::k8s::meta::v1::LabelSelector& selector, const FieldPath& path,
                           FieldErrorList* errors);

// "must be greater than or equal to 0" if it is less.
void ValidateNonNegative(int64_t value, const FieldPath& path, FieldErrorList* errors);
// Required when empty, else Unsupported when it is none of the choices.
void ValidateChoice(std::string_view value, std::vector<std::string> choices, const FieldPath& path,
                    FieldErrorList* errors);

inline constexpr std::string_view kImmutable = "field is immutable";

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_VALIDATION_METADATA_H_
