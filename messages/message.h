#ifndef KUBEMU_MESSAGES_MESSAGE_H_
#define KUBEMU_MESSAGES_MESSAGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "messages/core/check.h"
#include "messages/message_kinds.h"
#include "messages/object.h"
#include "messages/proto/envelope.pb.h"
#include "messages/trace.h"

namespace kubemu {

// One message, as the parts see it: a value. Inside a process it is handed over as it is; between
// processes it travels as a bus::Envelope. Addresses are "<process>/<part>", for example
// "node-3/kubelet"; the process is the text before the first '/'.
struct Message {
  uint64_t id = 0;       // set at the door
  uint64_t lamport = 0;  // set at the door
  Trace trace;           // trace.cause is the message whose handling sent this one
  std::string from;
  std::string to;
  bus::MessageKind kind = bus::MESSAGE_KIND_UNSPECIFIED;
  std::shared_ptr<const google::protobuf::Message> body;  // never null; its type follows `kind`
  std::vector<Object> objects;                            // the API objects that ride along

  // The body as the type T. REQUIRES: kind == MessageKindOf<T>().
  template <class T>
  const T& As() const {
    const google::protobuf::Message* const held = body.get();
    KUBEMU_CHECK(held != nullptr && typeid(*held) == typeid(T));
    return static_cast<const T&>(*held);
  }

  // What a part does because of this message carries this trace.
  Trace Context() const { return Trace{trace.trace_id, id}; }
};

// The process part of an address: "node-3" of "node-3/kubelet".
std::string_view ProcessOf(std::string_view address);

// "WatchEvent" for WATCH_EVENT; "?" for a number that is not in the table.
std::string_view MessageKindName(bus::MessageKind kind);

// To the wire and back. FromEnvelope is for bytes from outside: false, with the reason in *error,
// if the kind is unknown, or the body or an object does not parse.
void ToEnvelope(const Message& message, bus::Envelope* envelope);
bool FromEnvelope(const bus::Envelope& envelope, Message* message, std::string* error);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_MESSAGE_H_
