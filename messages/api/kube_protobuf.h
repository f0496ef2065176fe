#ifndef KUBEMU_MESSAGES_API_KUBE_PROTOBUF_H_
#define KUBEMU_MESSAGES_API_KUBE_PROTOBUF_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace google::protobuf {
class Message;
}

// Bodies of type application/vnd.kubernetes.protobuf: the bytes "k8s\0", then a runtime.Unknown
// that names the kind and holds the object
// (apimachinery/pkg/runtime/serializer/protobuf/protobuf.go).
namespace kubemu {

struct Kind;

inline constexpr std::string_view kKubeProtobufType = "application/vnd.kubernetes.protobuf";
inline constexpr std::string_view kKubeProtobufMagic{"k8s\0", 4};
// Messages nested deeper than this are refused.
inline constexpr int kProtobufDepthMax = 100;

struct KubeProtobufBody {
  const Kind* kind = nullptr;  // never null in an answer
  std::unique_ptr<google::protobuf::Message> object;
};

// The object in kubemu's form: what Go wrote only because it writes every field is absent again
// (see NormalizeKubeProtobuf). InvalidArgument says what is wrong: no magic, broken bytes, a kind
// that nobody knows, text that is not UTF-8.
absl::StatusOr<KubeProtobufBody> DecodeKubeProtobuf(std::string_view body);

// Appends the body of an object of `kind`.
void EncodeKubeProtobuf(const google::protobuf::Message& object, const Kind& kind,
                        std::string* out);

// Makes what Go's Protobuf decoder would see out of a message of messages/proto/k8s: clears zero
// scalars and empty messages that Go holds by value, drops unknown fields, sorts map entries by key
// (the last of equal keys stays), writes quantities canonically. InvalidArgument, with the path,
// for a string that is not UTF-8, a quantity that is none, or raw JSON that is none.
absl::Status NormalizeKubeProtobuf(google::protobuf::Message* object);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_KUBE_PROTOBUF_H_
