#ifndef KUBEMU_MESSAGES_MESSAGE_KINDS_H_
#define KUBEMU_MESSAGES_MESSAGE_KINDS_H_

#include "messages/proto/envelope.pb.h"

// The table of message kinds: the body type (in namespace kubemu::bus) and its kind. A new kind is
// one row here and one value of bus::MessageKind.
#define KUBEMU_MESSAGE_KINDS(ROW)                 \
  ROW(ApiRequest, API_REQUEST)                    \
  ROW(ApiResponse, API_RESPONSE)                  \
  ROW(WatchRequest, WATCH_REQUEST)                \
  ROW(WatchEvent, WATCH_EVENT)                    \
  ROW(WatchCredit, WATCH_CREDIT)                  \
  ROW(WatchCancel, WATCH_CANCEL)                  \
  ROW(StoreTxn, STORE_TXN)                        \
  ROW(StoreTxnResult, STORE_TXN_RESULT)           \
  ROW(StoreWatch, STORE_WATCH)                    \
  ROW(StoreEvent, STORE_EVENT)                    \
  ROW(StoreCompact, STORE_COMPACT)                \
  ROW(HttpRequest, HTTP_REQUEST)                  \
  ROW(HttpResponse, HTTP_RESPONSE)                \
  ROW(HttpCancel, HTTP_CANCEL)                    \
  ROW(FlowOpen, FLOW_OPEN)                        \
  ROW(FlowData, FLOW_DATA)                        \
  ROW(FlowCredit, FLOW_CREDIT)                    \
  ROW(FlowClose, FLOW_CLOSE)                      \
  ROW(Datagram, DATAGRAM)                         \
  ROW(Hello, HELLO)                               \
  ROW(PeerEndpoint, PEER_ENDPOINT)                \
  ROW(LinkUp, LINK_UP)                            \
  ROW(LinkDown, LINK_DOWN)                        \
  ROW(Listen, LISTEN)                             \
  ROW(ListenResult, LISTEN_RESULT)                \
  ROW(Unlisten, UNLISTEN)                         \
  ROW(EngineControl, ENGINE_CONTROL)              \
  ROW(EngineControlResult, ENGINE_CONTROL_RESULT) \
  ROW(LogRequest, LOG_REQUEST)                    \
  ROW(LogResponse, LOG_RESPONSE)                  \
  ROW(HealthCheck, HEALTH_CHECK)                  \
  ROW(HealthCheckResult, HEALTH_CHECK_RESULT)     \
  ROW(InspectRequest, INSPECT_REQUEST)            \
  ROW(InspectResponse, INSPECT_RESPONSE)          \
  ROW(OpenNetwork, OPEN_NETWORK)                  \
  ROW(NetworkOpened, NETWORK_OPENED)              \
  ROW(CloseNetwork, CLOSE_NETWORK)                \
  ROW(RunCommand, RUN_COMMAND)                    \
  ROW(CommandDone, COMMAND_DONE)                  \
  ROW(RunPodSandbox, RUN_POD_SANDBOX)             \
  ROW(StopPodSandbox, STOP_POD_SANDBOX)           \
  ROW(StartContainer, START_CONTAINER)            \
  ROW(StopContainer, STOP_CONTAINER)              \
  ROW(EngineEvent, ENGINE_EVENT)                  \
  ROW(EngineStatusRequest, ENGINE_STATUS_REQUEST) \
  ROW(EngineStatus, ENGINE_STATUS)                \
  ROW(PodNetworkUpdate, POD_NETWORK_UPDATE)       \
  ROW(PullImage, PULL_IMAGE)                      \
  ROW(RemoveContainer, REMOVE_CONTAINER)          \
  ROW(IptablesRestore, IPTABLES_RESTORE)          \
  ROW(IptablesRestored, IPTABLES_RESTORED)        \
  ROW(ProbeRequest, PROBE_REQUEST)                \
  ROW(ProbeResult, PROBE_RESULT)                  \
  ROW(Ping, PING)                                 \
  ROW(Pong, PONG)

namespace kubemu {

#define KUBEMU_DECLARE_BODY(Type, KIND) class Type;
namespace bus {
KUBEMU_MESSAGE_KINDS(KUBEMU_DECLARE_BODY)
}  // namespace bus
#undef KUBEMU_DECLARE_BODY

namespace message_kinds_internal {

template <class T>
inline constexpr bus::MessageKind kKindOf = bus::MESSAGE_KIND_UNSPECIFIED;
#define KUBEMU_KIND_OF(Type, KIND) \
  template <>                      \
  inline constexpr bus::MessageKind kKindOf<bus::Type> = bus::KIND;
KUBEMU_MESSAGE_KINDS(KUBEMU_KIND_OF)
#undef KUBEMU_KIND_OF

}  // namespace message_kinds_internal

// The kind of messages with a body of type T, known when compiling: it is needed for every message.
template <class T>
constexpr bus::MessageKind MessageKindOf() {
  constexpr bus::MessageKind kKind = message_kinds_internal::kKindOf<T>;
  static_assert(kKind != bus::MESSAGE_KIND_UNSPECIFIED, "T is not in KUBEMU_MESSAGE_KINDS");
  return kKind;
}

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_MESSAGE_KINDS_H_
