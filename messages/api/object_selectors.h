#ifndef KUBEMU_MESSAGES_API_OBJECT_SELECTORS_H_
#define KUBEMU_MESSAGES_API_OBJECT_SELECTORS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "messages/api/selector.h"

namespace google::protobuf {
class Message;
}
namespace k8s::meta::v1 {
class LabelSelector;
}

namespace kubemu {

// The selector that a field of type LabelSelector describes: matchLabels and matchExpressions
// together. An empty one selects everything; for an absent one use LabelSelector::Nothing().
// InvalidArgument: an unknown operator, or key and values that do not go together.
absl::StatusOr<LabelSelector> ToLabelSelector(const ::k8s::meta::v1::LabelSelector& selector);

// The value of a field that objects of its kind can be selected by; booleans as "true" or
// "false". InvalidArgument for any other field: "field label not supported: x".
// Rules: each kind's registry strategy and pkg/apis/core/v1/conversion.go.
absl::StatusOr<std::string> FieldValue(const google::protobuf::Message& object,
                                       std::string_view field);

// The first error of FieldValue among the selector's fields. `prototype` is any
// object of the kind that is selected from (Kind::prototype).
absl::Status CheckFieldSelector(const google::protobuf::Message& prototype,
                                const FieldSelector& selector);

// Every term holds. REQUIRES: CheckFieldSelector was OK (a field that does not exist never holds).
bool MatchesFields(const google::protobuf::Message& object, const FieldSelector& selector);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_OBJECT_SELECTORS_H_
