#ifndef KUBEMU_MESSAGES_API_JSON_H_
#define KUBEMU_MESSAGES_API_JSON_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "boost/json/fwd.hpp"
#include "boost/json/storage_ptr.hpp"

namespace google::protobuf {
class Message;
}

// Kubernetes' JSON of the API kinds (messages/proto/k8s), by reflection. It is not Protobuf's: Go's
// encoding/json and the types' own MarshalJSON decide. int64 is a number, Quantity, Time and
// IntOrString have forms of their own, unknown fields are found and named.
namespace kubemu {

struct Kind;

// Objects and arrays nested deeper than this are refused.
inline constexpr int kJsonDepthMax = 100;

// InvalidArgument says what is wrong and where (the byte). Of a key given twice the last one
// counts.
absl::StatusOr<boost::json::value> ParseJson(std::string_view text);
// The same into memory of the caller's, which must outlive the value. With a monotonic_resource on
// the stack this is much faster: its values count no references and need not be freed.
absl::StatusOr<boost::json::value> ParseJson(std::string_view text,
                                             boost::json::storage_ptr memory);
// Of that memory: what nearly every object's JSON fits into.
inline constexpr size_t kJsonMemoryOnStack = 16 * 1024;

// What a strict decoder refuses and a lenient one drops, as paths: "spec.replicaz",
// "spec.containers[0].imag".
// Each list ends at kFieldErrorsMax: a request with more is answered no better by more of them.
inline constexpr size_t kFieldErrorsMax = 1000;
struct FieldErrors {
  std::vector<std::string> unknown;
  std::vector<std::string> duplicate;
};

// Adds the keys that `text` (JSON that ParseJson accepts) gives more than once in one object.
void FindDuplicateFields(std::string_view text, FieldErrors* errors);

// Replaces what `object` held. Keys apiVersion and kind are skipped at the top (where the message
// has no such field), null is absent, and a zero scalar is absent where Go holds it by value.
// InvalidArgument for a wrong type, with Go's text ("json: cannot unmarshal string into Go struct
// field DeploymentSpec.spec.replicas of type int32"); `object` is then half filled. Unknown fields
// are added to `errors` (may be null), which is no failure.
absl::Status FromJson(const boost::json::value& json, google::protobuf::Message* object,
                      FieldErrors* errors);

// Appends the JSON of a message of messages/proto/k8s, with its apiVersion and kind first when
// `kind` is given. Writes what is set; of scalars that Go holds by value those that are not zero,
// and always the required ones ("replicas": 0 of a ReplicaSet's status).
void AppendJson(const google::protobuf::Message& object, const Kind* kind, std::string* out);

// Appends the beginning of an object's JSON up to the comma before its first member:
// {"apiVersion":"v1","kind":"Pod"
void AppendJsonTypeOf(const Kind& kind, std::string* out);

// AppendJson's JSON as a value, without apiVersion and kind.
boost::json::value ToJson(const google::protobuf::Message& object);

// Appends `text` as a JSON string with its quotes. Bytes from 0x80 on are passed through.
void AppendJsonString(std::string_view text, std::string* out);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_JSON_H_
