#include "messages/message.h"

#include <algorithm>
#include <map>

#include "messages/api/kinds.h"
#include "messages/core/check.h"
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

template <class T>
MessageType Row(bus::MessageKind kind) {
  return {kind, &T::default_instance()};
}

// The table of message kinds. A new kind is one row here and one value of bus::MessageKind.
const std::vector<MessageType>& Types() {
  static const std::vector<MessageType> types = {
      Row<bus::ApiRequest>(bus::API_REQUEST),
      Row<bus::ApiResponse>(bus::API_RESPONSE),
      Row<bus::WatchRequest>(bus::WATCH_REQUEST),
      Row<bus::WatchEvent>(bus::WATCH_EVENT),
      Row<bus::WatchCredit>(bus::WATCH_CREDIT),
      Row<bus::WatchCancel>(bus::WATCH_CANCEL),
      Row<bus::StoreTxn>(bus::STORE_TXN),
      Row<bus::StoreTxnResult>(bus::STORE_TXN_RESULT),
      Row<bus::StoreWatch>(bus::STORE_WATCH),
      Row<bus::StoreEvent>(bus::STORE_EVENT),
      Row<bus::StoreCompact>(bus::STORE_COMPACT),
      Row<bus::HttpRequest>(bus::HTTP_REQUEST),
      Row<bus::HttpResponse>(bus::HTTP_RESPONSE),
      Row<bus::HttpCancel>(bus::HTTP_CANCEL),
      Row<bus::FlowOpen>(bus::FLOW_OPEN),
      Row<bus::FlowData>(bus::FLOW_DATA),
      Row<bus::FlowCredit>(bus::FLOW_CREDIT),
      Row<bus::FlowClose>(bus::FLOW_CLOSE),
      Row<bus::Datagram>(bus::DATAGRAM),
      Row<bus::Hello>(bus::HELLO),
      Row<bus::PeerEndpoint>(bus::PEER_ENDPOINT),
      Row<bus::LinkUp>(bus::LINK_UP),
      Row<bus::LinkDown>(bus::LINK_DOWN),
      Row<bus::Listen>(bus::LISTEN),
      Row<bus::ListenResult>(bus::LISTEN_RESULT),
      Row<bus::Unlisten>(bus::UNLISTEN),
      Row<bus::EngineControl>(bus::ENGINE_CONTROL),
      Row<bus::EngineControlResult>(bus::ENGINE_CONTROL_RESULT),
      Row<bus::LogRequest>(bus::LOG_REQUEST),
      Row<bus::LogResponse>(bus::LOG_RESPONSE),
      Row<bus::HealthCheck>(bus::HEALTH_CHECK),
      Row<bus::HealthCheckResult>(bus::HEALTH_CHECK_RESULT),
      Row<bus::InspectRequest>(bus::INSPECT_REQUEST),
      Row<bus::InspectResponse>(bus::INSPECT_RESPONSE),
      Row<bus::RunPodSandbox>(bus::RUN_POD_SANDBOX),
      Row<bus::StopPodSandbox>(bus::STOP_POD_SANDBOX),
      Row<bus::StartContainer>(bus::START_CONTAINER),
      Row<bus::StopContainer>(bus::STOP_CONTAINER),
      Row<bus::EngineEvent>(bus::ENGINE_EVENT),
      Row<bus::EngineStatusRequest>(bus::ENGINE_STATUS_REQUEST),
      Row<bus::EngineStatus>(bus::ENGINE_STATUS),
      Row<bus::PodNetworkUpdate>(bus::POD_NETWORK_UPDATE),
      Row<bus::PullImage>(bus::PULL_IMAGE),
      Row<bus::RemoveContainer>(bus::REMOVE_CONTAINER),
      Row<bus::IptablesRestore>(bus::IPTABLES_RESTORE),
      Row<bus::IptablesRestored>(bus::IPTABLES_RESTORED),
      Row<bus::ProbeRequest>(bus::PROBE_REQUEST),
      Row<bus::ProbeResult>(bus::PROBE_RESULT),
      Row<bus::Ping>(bus::PING),
      Row<bus::Pong>(bus::PONG),
  };
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

const google::protobuf::Message& Message::CheckType(const void* descriptor) const {
  KUBEMU_CHECK(body != nullptr);
  KUBEMU_CHECK(body->GetDescriptor() == descriptor);
  return *body;
}

std::string_view ProcessOf(std::string_view address) {
  return address.substr(0, address.find('/'));
}

bus::MessageKind MessageKindOf(const google::protobuf::Descriptor* type) {
  static const std::map<const void*, bus::MessageKind> kinds = [] {
    std::map<const void*, bus::MessageKind> result;
    for (const MessageType& row : Types()) result[row.prototype->GetDescriptor()] = row.kind;
    return result;
  }();
  const auto it = kinds.find(type);
  KUBEMU_CHECK(it != kinds.end());
  return it->second;
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
