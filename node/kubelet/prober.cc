#include "node/kubelet/prober.h"

#include <algorithm>

#include "messages/core/strings.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/k8s/intstr.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Container;
using k8s::core::v1::Probe;

enum class Which { kStartup, kLiveness, kReadiness };

struct Row {
  Which which;
  const char* name;  // as events say it
};
constexpr Row kRows[] = {
    {Which::kStartup, "Startup"}, {Which::kLiveness, "Liveness"}, {Which::kReadiness, "Readiness"}};

ProbeState& StateOf(ContainerRecord& record, Which which) {
  return which == Which::kStartup    ? record.startup
         : which == Which::kLiveness ? record.liveness
                                     : record.readiness;
}

const Probe* SpecOf(const Container& container, Which which) {
  if (which == Which::kStartup) {
    return container.has_startup_probe() ? &container.startup_probe() : nullptr;
  }
  if (which == Which::kLiveness) {
    return container.has_liveness_probe() ? &container.liveness_probe() : nullptr;
  }
  return container.has_readiness_probe() ? &container.readiness_probe() : nullptr;
}

Duration Seconds(int32_t seconds, int32_t otherwise) {
  return std::chrono::seconds(seconds > 0 ? seconds : otherwise);
}

void AskExec(const Object& pod, const Container& container, const Probe& spec, ProbeState& state,
             PodContext& context) {
  bus::ProbeRequest request;
  request.set_number(state.in_flight);
  request.set_pod_uid(pod.meta().uid());
  request.set_container(container.name());
  *request.mutable_command() = spec.handler().exec().command();
  context.env.outbox.Send(StrCat(context.options.node, "/pod/", pod.key()), std::move(request));
}

PodRequest NetworkRequest(const Container& container, const Probe& spec, Ipv4 pod_ip) {
  const auto& handler = spec.handler();
  if (handler.has_http_get()) return HttpGetRequest(handler.http_get(), container, pod_ip, "probe");
  if (handler.has_grpc()) {
    k8s::intstr::IntOrString port;
    port.set_int_val(handler.grpc().port());
    return ConnectRequest(PodRequest::Kind::kGrpc, port, "", container, pod_ip);
  }
  return ConnectRequest(PodRequest::Kind::kTcp, handler.tcp_socket().port(),
                        handler.tcp_socket().host(), container, pod_ip);
}

void Ask(const Object& pod, Ipv4 pod_ip, const Container& container, const Probe& spec,
         ProbeState& state, PodContext& context) {
  const Duration timeout = Seconds(spec.timeout_seconds(), 1);
  state.in_flight = context.next_probe++;
  if (state.next <= context.env.now) {
    state.next = context.env.now + Seconds(spec.period_seconds(), 10);
  }
  if (spec.handler().has_exec()) {
    state.timeout = context.env.now + timeout;
    return AskExec(pod, container, spec, state, context);
  }
  state.timeout = kNever;  // PodConnections says when it is over
  PodRequest request = NetworkRequest(container, spec, pod_ip);
  request.number = state.in_flight;
  request.pod_uid = pod.meta().uid();
  request.timeout = timeout;
  context.connections.Start(std::move(request), context.env);
}

void BeginOne(const Container& container, Which which, ContainerRecord& record, Env& env) {
  const Probe* spec = SpecOf(container, which);
  if (spec == nullptr) return;
  ProbeState& state = StateOf(record, which);
  if (state.in_flight != 0 || state.next != kNever) return;
  state.next = env.now + std::chrono::seconds(std::max(spec->initial_delay_seconds(), 0));
  state.not_before = state.next;
}

// Takes what is due of a probe's turns. False: it was out of turn, and not needed or too early.
bool TakeTurn(ProbeState& state, bool ready, Time now) {
  if (state.again > now) return state.next <= now;
  state.again = kNever;
  return state.next <= now || (!ready && state.not_before <= now);
}

// Liveness and readiness begin when the container counts as started.
void BeginAfterStartup(const Container& container, ContainerRecord& record, Env& env) {
  record.started = true;
  record.ready = !container.has_readiness_probe();
  BeginOne(container, Which::kLiveness, record, env);
  BeginOne(container, Which::kReadiness, record, env);
  Prober::PodSyncsSoon(record, env.now);
}

// One result counts. True if the container must be restarted.
bool Count(bool success, const std::string& why, const Row& row, const Object& pod,
           const Container& container, const Probe& spec, ContainerRecord& record,
           PodContext& context) {
  ProbeState& state = StateOf(record, row.which);
  state.in_flight = 0;
  if (success) {
    state.failures = 0;
    if (++state.successes < std::max(spec.success_threshold(), 1)) return false;
    state.result = true;
    if (row.which == Which::kReadiness) record.ready = true;
    if (row.which == Which::kStartup && !record.started) {
      state.next = kNever;  // it has done its duty
      BeginAfterStartup(container, record, context.env);
    }
    return false;
  }
  k8s::core::v1::ObjectReference about = ReferenceTo(pod);
  about.set_field_path(StrCat("spec.containers{", container.name(), "}"));
  context.events.Record(about, "Warning", "Unhealthy", StrCat(row.name, " probe failed: ", why),
                        context.env);
  state.successes = 0;
  if (++state.failures < Seconds(spec.failure_threshold(), 3) / 1s) return false;
  state.result = false;
  if (row.which == Which::kReadiness) {
    record.ready = false;
    return false;
  }
  record.reason = AsciiLower(row.name);
  return true;
}

}  // namespace

void Prober::Begin(const Container& spec, ContainerRecord& record, Env& env) {
  End(record);
  if (spec.has_startup_probe()) return BeginOne(spec, Which::kStartup, record, env);
  BeginAfterStartup(spec, record, env);
}

void Prober::PodSyncsSoon(ContainerRecord& record, Time now) {
  if (!record.started || record.ready) return;
  record.readiness.again = std::min(record.readiness.again, now + kRelistPeriod);
}

void Prober::End(ContainerRecord& record) {
  record.startup = ProbeState();
  record.liveness = ProbeState();
  record.liveness.result = true;
  record.readiness = ProbeState();
  record.started = false;
  record.ready = false;
}

bool Prober::Tick(const Object& pod, Ipv4 pod_ip, const Container& container,
                  ContainerRecord& record, bool terminating, PodContext& context) {
  for (const Row& row : kRows) {
    // A pod that is going away is not restarted (pkg/kubelet/prober/prober_manager.go).
    if (terminating && row.which != Which::kReadiness) continue;
    const Probe* spec = SpecOf(container, row.which);
    ProbeState& state = StateOf(record, row.which);
    if (spec == nullptr || state.wake() > context.env.now) continue;
    if (state.in_flight != 0) {
      if (Count(false, "command timed out", row, pod, container, *spec, record, context)) {
        return true;
      }
    }
    if (TakeTurn(state, record.ready, context.env.now)) {
      Ask(pod, pod_ip, container, *spec, state, context);
    }
  }
  return false;
}

bool Prober::OnResult(const bus::ProbeResult& result, const Object& pod, const Container& container,
                      ContainerRecord& record, PodContext& context, bool* restart) {
  *restart = false;
  for (const Row& row : kRows) {
    const Probe* spec = SpecOf(container, row.which);
    if (spec == nullptr || result.number() == 0 ||
        StateOf(record, row.which).in_flight != result.number()) {
      continue;
    }
    *restart =
        Count(result.success(), result.message(), row, pod, container, *spec, record, context);
    return true;
  }
  return false;
}

Time Prober::NextWake(const ContainerRecord& record, bool terminating) {
  if (terminating) return record.readiness.wake();
  return std::min({record.startup.wake(), record.liveness.wake(), record.readiness.wake()});
}

}  // namespace kubemu
