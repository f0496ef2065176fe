// What a pod's containers are asked while they run: probes and lifecycle hooks.
#include <algorithm>
#include <utility>

#include "messages/core/strings.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "node/kubelet/pod_containers.h"
#include "node/kubelet/prober.h"

namespace kubemu {
namespace {

using k8s::core::v1::Container;
using Phase = ContainerRecord::Phase;

// A postStart hook that says nothing for so long has failed. (Upstream waits for ever.)
constexpr Duration kPostStartMax = 2min;
constexpr int64_t kSleepLongest = 24 * 3600;

bool TakeHookResult(const bus::ProbeResult& result, HookState* hook) {
  if (result.number() == 0 || hook->in_flight != result.number()) return false;
  hook->in_flight = 0;
  hook->ended = true;
  if (!result.success()) hook->error = result.message();
  return true;
}

}  // namespace

int64_t PodContainers::GraceSeconds() const {
  const auto& spec = pod_.As<k8s::core::v1::Pod>().spec();
  return spec.has_termination_grace_period_seconds() ? spec.termination_grace_period_seconds() : 30;
}

bool PodContainers::OnProbeResult(const bus::ProbeResult& result, bool terminating,
                                  PodContext& context) {
  for (ContainerRecord& record : records_) {
    if (TakeHookResult(result, &record.post_start) || TakeHookResult(result, &record.pre_stop)) {
      return true;
    }
    if (record.phase != Phase::kRunning) continue;
    bool restart = false;
    if (!Prober::OnResult(result, pod_, SpecOf(record), record, context, &restart)) continue;
    if (restart && !terminating) RestartForProbe(record, context);
    return true;
  }
  return false;
}

void PodContainers::TickProbes(bool terminating, PodContext& context) {
  for (ContainerRecord& record : records_) {
    if (record.phase == Phase::kStarting && record.post_start.begun) TickPostStart(record, context);
    if (record.phase != Phase::kRunning) continue;
    // One that is on its way out is not restarted a second time.
    const bool ending = terminating || record.failed_probe;
    if (Prober::Tick(pod_, pod_ip_, SpecOf(record), record, ending, context) && !ending) {
      RestartForProbe(record, context);
    }
    if (record.failed_probe && !terminating) StopForProbe(record, context);
  }
}

void PodContainers::RestartForProbe(ContainerRecord& record, PodContext& context) {
  if (record.failed_probe) return;
  Record(record, "Normal", "Killing",
         StrCat("Container ", record.name, " failed ", record.reason, " probe, will be restarted"),
         context);
  const Container& spec = SpecOf(record);
  const auto& probe = record.reason == "startup" ? spec.startup_probe() : spec.liveness_probe();
  const int64_t seconds = probe.has_termination_grace_period_seconds()
                              ? probe.termination_grace_period_seconds()
                              : GraceSeconds();
  record.failed_probe = true;
  record.told_stopping = true;
  record.stop_by =
      context.env.now + std::chrono::seconds(std::clamp<int64_t>(seconds, 0, 1'000'000));
  StopForProbe(record, context);
}

void PodContainers::StopForProbe(ContainerRecord& record, PodContext& context) {
  if (record.phase != Phase::kRunning || !PreStopDone(record, record.stop_by, context)) return;
  const Duration left = record.stop_by - context.env.now;
  AskStop(record, record.pre_stop.begun ? std::max(left, kGraceMin) : left, context);
}

// What the hook does goes on while the kubelet looks after other things; `hook` remembers.
void PodContainers::BeginHook(const ContainerRecord& record,
                              const k8s::core::v1::LifecycleHandler& handler, Duration limit,
                              HookState* hook, PodContext& context) {
  const Time now = context.env.now;
  *hook = HookState();
  hook->begun = true;
  hook->until = now + limit;
  if (handler.has_sleep()) {
    const int64_t seconds = std::clamp<int64_t>(handler.sleep().seconds(), 0, kSleepLongest);
    hook->until = std::min(hook->until, now + std::chrono::seconds(seconds));
    return;
  }
  if (handler.has_http_get()) {
    hook->in_flight = context.next_probe++;
    PodRequest request = HttpGetRequest(handler.http_get(), SpecOf(record), pod_ip_, "lifecycle");
    request.number = hook->in_flight;
    request.pod_uid = PodUid();
    request.timeout = limit;
    request.any_status = true;
    return context.connections.Start(std::move(request), context.env);
  }
  if (!handler.has_exec()) {
    hook->ended = true;
    hook->error = "invalid handler";
    return;
  }
  hook->in_flight = context.next_probe++;
  bus::ProbeRequest request;
  request.set_number(hook->in_flight);
  request.set_pod_uid(PodUid());
  request.set_container(record.name);
  *request.mutable_command() = handler.exec().command();
  context.env.outbox.Send(StrCat(context.options.node, "/pod/", pod_.key()), std::move(request));
}

void PodContainers::BeginRunning(ContainerRecord& record, PodContext& context) {
  const Container& spec = SpecOf(record);
  if (spec.lifecycle().has_post_start()) {
    BeginHook(record, spec.lifecycle().post_start(), kPostStartMax, &record.post_start, context);
    return TickPostStart(record, context);
  }
  record.phase = Phase::kRunning;
  Prober::Begin(spec, record, context.env);
}

void PodContainers::TickPostStart(ContainerRecord& record, PodContext& context) {
  HookState& hook = record.post_start;
  if (!hook.ended && hook.until > context.env.now) return;
  if (hook.in_flight != 0 && hook.error.empty()) hook.error = "no answer in time";
  hook.ended = true;
  hook.in_flight = 0;
  if (hook.error.empty()) {
    record.phase = Phase::kRunning;
    return Prober::Begin(SpecOf(record), record, context.env);
  }
  Record(record, "Warning", "FailedPostStartHook", "PostStartHook failed", context);
  Record(record, "Normal", "Killing", "FailedPostStartHook", context);
  record.told_stopping = true;
  AskStop(record, std::chrono::seconds(std::clamp<int64_t>(GraceSeconds(), 0, 1'000'000)), context);
}

bool PodContainers::PreStopDone(ContainerRecord& record, Time deadline, PodContext& context) {
  const auto& lifecycle = SpecOf(record).lifecycle();
  HookState& hook = record.pre_stop;
  const Time now = context.env.now;
  if (!lifecycle.has_pre_stop() || (!hook.begun && deadline <= now)) return true;
  if (!hook.begun) BeginHook(record, lifecycle.pre_stop(), deadline - now, &hook, context);
  const bool over = hook.ended || hook.until <= now || deadline <= now;
  if (!over) {
    record.retry_at = std::min(hook.until, deadline);
    return false;
  }
  if (!std::exchange(hook.ended, true) || hook.error.empty()) return true;
  Record(record, "Warning", "FailedPreStopHook", "PreStopHook failed", context);
  hook.error.clear();
  return true;
}

}  // namespace kubemu
