#include "messages/message.h"

#include <vector>

#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/http.pb.h"
#include "messages/proto/node.pb.h"
#include "messages/proto/store.pb.h"

namespace kubemu {
namespace {

struct MessageType {
  bus::MessageKind kind;
  const google::protobuf::Message* prototype;
};

const std::vector<MessageType>& Types() {
#define KUBEMU_ROW(Type, KIND) {bus::KIND, &bus::Type::default_instance()},
  static const std::vector<MessageType> types = {KUBEMU_MESSAGE_KINDS(KUBEMU_ROW)};
#undef KUBEMU_ROW
  return types;
}

const MessageType* FindType(bus::MessageKind kind) {
  static const std::vector<const MessageType*> by_kind = [] {
    std::vector<const MessageType*> result(bus::MessageKind_MAX + 1);
    for (const MessageType& type : Types()) result[type.kind] = &type;
    return result;
  }();
  if (kind < 0 || kind > bus::MessageKind_MAX) return nullptr;
  return by_kind[kind];
}

}  // namespace

std::string_view ProcessOf(std::string_view address) {
  return address.substr(0, address.find('/'));
}

std::string_view MessageKindName(bus::MessageKind kind) {
  const MessageType* type = FindType(kind);
  return type == nullptr ? "?" : std::string_view(type->prototype->GetDescriptor()->name());
}

void ToEnvelope(const Message& message, bus::Envelope* envelope) {
  envelope->set_id(message.id);
  envelope->set_from(message.from);
  envelope->set_to(message.to);
  envelope->set_lamport(message.lamport);
  envelope->set_trace_id(message.trace.trace_id);
  envelope->set_cause(message.trace.cause);
  envelope->set_kind(message.kind);
  message.body->SerializeToString(envelope->mutable_body());
  for (const Object& object : message.objects) {
    bus::Attachment* attachment = envelope->add_objects();
    attachment->set_kind(object.kind().id);
    attachment->set_data(object.bytes());
    attachment->set_trace_id(object.trace().trace_id);
    attachment->set_cause(object.trace().cause);
  }
}

bool FromEnvelope(const bus::Envelope& envelope, Message* message, std::string* error) {
  const MessageType* type = FindType(envelope.kind());
  if (type == nullptr) {
    *error = StrCat("message kind ", envelope.kind(), " is unknown to this version");
    return false;
  }
  std::unique_ptr<google::protobuf::Message> body(type->prototype->New());
  if (!body->ParseFromString(envelope.body())) {
    *error = StrCat("the body is not a valid ", type->prototype->GetDescriptor()->name());
    return false;
  }
  message->objects.clear();
  for (const bus::Attachment& attachment : envelope.objects()) {
    const Kind* kind = KindById(static_cast<int>(attachment.kind()));
    Object object;
    if (kind != nullptr) {
      object = Object::FromBytes(*kind, attachment.data(),
                                 Trace{attachment.trace_id(), attachment.cause()});
    }
    if (!object) {
      *error = StrCat("an attached object of kind number ", attachment.kind(), " does not parse");
      return false;
    }
    message->objects.push_back(std::move(object));
  }
  message->id = envelope.id();
  message->lamport = envelope.lamport();
  message->trace = Trace{envelope.trace_id(), envelope.cause()};
  message->from = envelope.from();
  message->to = envelope.to();
  message->kind = type->kind;
  message->body = std::move(body);
  return true;
}

}  // namespace kubemu
