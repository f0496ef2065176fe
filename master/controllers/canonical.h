#ifndef KUBEMU_MASTER_CONTROLLERS_CANONICAL_H_
#define KUBEMU_MASTER_CONTROLLERS_CANONICAL_H_

#include <string>

namespace google::protobuf {
class Message;
}

namespace kubemu {

// The bytes of an API message without what Go's structs cannot tell from its absence: zero values
// and empty structs that are not held by pointer. Two messages that mean the same, one of which
// went through JSON, have the same bytes.
std::string CanonicalBytes(const google::protobuf::Message& message);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_CANONICAL_H_
