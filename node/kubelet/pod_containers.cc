#include "node/kubelet/pod_containers.h"

#include <algorithm>
#include <utility>

#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_pod_status.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "node/kubelet/go_duration.h"
#include "node/kubelet/pod_files.h"
#include "node/kubelet/prober.h"

namespace kubemu {
namespace {

using k8s::core::v1::Container;
using k8s::core::v1::ContainerStatus;
using k8s::core::v1::Pod;
using Role = ContainerRecord::Role;
using Phase = ContainerRecord::Phase;

// A kubelet that finds an exited container only after its own restart cannot know more.
constexpr char kUnknownReason[] = "ContainerStatusUnknown";
constexpr char kRestartedMessage[] = "The container ended together with its node's process";
// How long "ErrImagePull" is shown before "ImagePullBackOff".
constexpr Duration kShowPullError = 2s;

std::string WithoutScheme(const std::string& container_id) {
  const size_t at = container_id.find("://");
  return at == std::string::npos ? container_id : container_id.substr(at + 3);
}

int64_t Nanoseconds(const k8s::meta::v1::Time& time) {
  return time.seconds() * int64_t{1'000'000'000} + time.nanos();
}

std::string PullPolicy(const Container& container) {
  if (!container.image_pull_policy().empty()) return container.image_pull_policy();
  const std::string& image = container.image();
  const size_t colon = image.rfind(':');
  const size_t slash = image.rfind('/');
  const bool tagged = image.find('@') != std::string::npos ||
                      (colon != std::string::npos && (slash == std::string::npos || colon > slash));
  return tagged && !image.ends_with(":latest") ? "IfNotPresent" : "Always";
}

ContainerExit ExitOf(const k8s::core::v1::ContainerStateTerminated& state) {
  ContainerExit exit;
  exit.exit_code = state.exit_code();
  exit.reason = state.reason();
  exit.message = state.message();
  exit.started_ns = Nanoseconds(state.started_at());
  exit.finished_ns = Nanoseconds(state.finished_at());
  exit.container_id = WithoutScheme(state.container_id());
  return exit;
}

}  // namespace

PodContainers::PodContainers(const Object& pod, WallTime wall, Time now) : pod_(pod) {
  const auto& spec = pod.As<Pod>().spec();
  for (int i = 0; i < spec.init_containers_size(); ++i) {
    ContainerRecord record;
    record.name = spec.init_containers(i).name();
    record.role =
        spec.init_containers(i).restart_policy() == "Always" ? Role::kSidecar : Role::kInit;
    record.index = i;
    records_.push_back(std::move(record));
  }
  for (int i = 0; i < spec.containers_size(); ++i) {
    ContainerRecord record;
    record.name = spec.containers(i).name();
    record.index = i;
    records_.push_back(std::move(record));
  }
  for (ContainerRecord& record : records_) {
    Prober::End(record);
    Restore(record, wall, now);
  }
}

// Takes over what an earlier kubelet of this node wrote about the container.
void PodContainers::Restore(ContainerRecord& record, WallTime wall, Time now) {
  const auto& status = pod_.As<Pod>().status();
  const auto& list =
      record.role == Role::kMain ? status.container_statuses() : status.init_container_statuses();
  for (const ContainerStatus& known : list) {
    if (known.name() != record.name) continue;
    record.attempt = static_cast<uint32_t>(std::max(known.restart_count(), 0));
    record.image_id = known.image_id();
    record.container_id = WithoutScheme(known.container_id());
    record.exited_at = now;
    if (known.last_state().has_terminated()) record.last = ExitOf(known.last_state().terminated());
    if (known.state().has_running()) {
      ContainerExit exit;
      exit.exit_code = kUnknownExit;
      exit.reason = kUnknownReason;
      exit.message = kRestartedMessage;
      exit.started_ns = Nanoseconds(known.state().running().started_at());
      exit.finished_ns = wall.time_since_epoch().count();  // at the latest
      exit.container_id = record.container_id;
      record.exit = std::move(exit);
      record.phase = Phase::kExited;
    } else if (known.state().has_terminated()) {
      record.exit = ExitOf(known.state().terminated());
      record.phase = Phase::kExited;
    } else if (record.last) {
      record.exit = std::exchange(record.last, std::nullopt);
      record.phase = Phase::kExited;
    }
  }
}

const Container& PodContainers::SpecOf(const ContainerRecord& record) const {
  const auto& spec = pod_.As<Pod>().spec();
  return record.role == Role::kMain ? spec.containers(record.index)
                                    : spec.init_containers(record.index);
}

const std::string& PodContainers::PodUid() const {
  return pod_.meta().uid();
}

ContainerRecord* PodContainers::Find(const std::string& name) {
  const auto it = std::find_if(records_.begin(), records_.end(),
                               [&](const ContainerRecord& record) { return record.name == name; });
  return it == records_.end() ? nullptr : &*it;
}

void PodContainers::Record(const ContainerRecord& record, const char* type, const char* reason,
                           std::string message, PodContext& context) const {
  k8s::core::v1::ObjectReference about = ReferenceTo(pod_);
  about.set_field_path(StrCat(
      record.role == Role::kMain ? "spec.containers{" : "spec.initContainers{", record.name, "}"));
  context.events.Record(about, type, reason, std::move(message), context.env);
}

bool PodContainers::ShouldRestart(const ContainerRecord& record) const {
  if (record.role == Role::kSidecar) return true;
  const std::string& policy = pod_.As<Pod>().spec().restart_policy();
  const bool ok = record.exit && record.exit->ok();
  if (record.role == Role::kInit) return !ok && policy != "Never";
  if (policy == "Never") return false;
  return policy == "OnFailure" ? !ok : true;
}

bool PodContainers::InitDone(const ContainerRecord& record) const {
  if (record.role == Role::kSidecar) return record.phase == Phase::kRunning && record.started;
  return record.phase == Phase::kExited && record.exit->ok();
}

bool PodContainers::Initialized() const {
  return std::all_of(records_.begin(), records_.end(), [this](const ContainerRecord& record) {
    return record.role == Role::kMain || InitDone(record);
  });
}

bool PodContainers::Finished() const {
  bool all_main_ended = true;
  for (const ContainerRecord& record : records_) {
    const bool ended = record.phase == Phase::kExited && !ShouldRestart(record);
    if (record.role == Role::kInit && ended && !record.exit->ok()) return true;
    if (record.role == Role::kMain && !ended) all_main_ended = false;
  }
  return all_main_ended;
}

void PodContainers::Sync(Ipv4 pod_ip, PodContext& context) {
  pod_ip_ = pod_ip;
  if (Finished()) return;
  // Once a main container has run, init containers are done with, whatever became of them.
  const bool main_ran = std::any_of(records_.begin(), records_.end(), [](const auto& record) {
    return record.role == Role::kMain && (record.alive() || record.exit || record.last);
  });
  for (ContainerRecord& record : records_) {
    if (record.role == Role::kInit && (main_ran || InitDone(record))) continue;
    Ensure(record, pod_ip, context);
    if (record.role != Role::kMain && !main_ran && !InitDone(record)) return;
  }
}

// Moves one container on, as far as it can go now.
void PodContainers::Ensure(ContainerRecord& record, Ipv4 pod_ip, PodContext& context) {
  switch (record.phase) {
    case Phase::kWaiting:
      return Begin(record, pod_ip, context);
    case Phase::kExited:
      if (ShouldRestart(record)) AfterExit(record, context);
      if (record.phase == Phase::kWaiting) Begin(record, pod_ip, context);
      return;
    case Phase::kBackOff:
      if (record.retry_at > context.env.now) return;
      AfterExit(record, context);
      if (record.phase == Phase::kWaiting) Begin(record, pod_ip, context);
      return;
    case Phase::kImageBackOff:
      if (record.retry_at > context.env.now) return;
      if (record.reason == "ErrImagePull") {
        record.message = StrCat("Back-off pulling image \"", SpecOf(record).image(),
                                "\": ErrImagePull: ", record.message);
        record.reason = "ImagePullBackOff";
        Record(record, "Normal", "BackOff",
               StrCat("Back-off pulling image \"", SpecOf(record).image(), "\""), context);
        Record(record, "Warning", "Failed", "Error: ImagePullBackOff", context);
        record.retry_at = record.pull_failed_at + record.pull.delay();
        if (record.retry_at > context.env.now) return;
      }
      return Begin(record, pod_ip, context);
    case Phase::kConfig:
      if (record.retry_at == kNever) return AskStart(record, pod_ip, context);
      if (record.retry_at > context.env.now) return;
      record.phase = Phase::kWaiting;
      return Begin(record, pod_ip, context);
    case Phase::kPulling:
      if (record.retry_at <= context.env.now) AskPull(record, context);
      return;
    case Phase::kStarting:
      if (record.retry_at <= context.env.now) AskStart(record, pod_ip, context);
      return;
    case Phase::kStopping:
      if (record.retry_at <= context.env.now) AskStop(record, Duration{}, context);
      return;
    case Phase::kRunning:
      // After the engine was away: it tells what became of the container.
      if (record.retry_at <= context.env.now) AskStart(record, pod_ip, context);
      return;
  }
}

void PodContainers::Begin(ContainerRecord& record, Ipv4 pod_ip, PodContext& context) {
  const Container& spec = SpecOf(record);
  const std::string policy = PullPolicy(spec);
  const auto image = context.images.find(spec.image());
  if (image != context.images.end() && policy != "Always") {
    record.image_id = image->second.image_id;
    Record(record, "Normal", "Pulled",
           StrCat("Container image \"", spec.image(), "\" already present on machine"), context);
    return AskStart(record, pod_ip, context);
  }
  if (policy == "Never") {
    record.phase = Phase::kImageBackOff;
    record.reason = "ErrImageNeverPull";
    record.message =
        StrCat("Container image \"", spec.image(), "\" is not present with pull policy of Never");
    record.retry_at = context.env.now + kBackOffMin;
    Record(record, "Warning", "ErrImageNeverPull", record.message, context);
    return Record(record, "Warning", "Failed", "Error: ErrImageNeverPull", context);
  }
  Record(record, "Normal", "Pulling", StrCat("Pulling image \"", spec.image(), "\""), context);
  AskPull(record, context);
}

void PodContainers::AskPull(ContainerRecord& record, PodContext& context) {
  record.phase = Phase::kPulling;
  record.retry_at = context.env.now + kAskAgain;
  bus::PullImage request;
  request.set_pod_uid(PodUid());
  request.set_container(record.name);
  request.set_image(SpecOf(record).image());
  context.env.outbox.Send(context.engine(), std::move(request));
}

void PodContainers::AskStart(ContainerRecord& record, Ipv4 pod_ip, PodContext& context) {
  bus::StartContainer request;
  request.set_pod_uid(PodUid());
  request.set_container(record.name);
  request.set_attempt(record.attempt);
  if (!Configure(record, pod_ip, &request, context)) return;
  if (record.phase != Phase::kRunning) record.phase = Phase::kStarting;
  record.retry_at = context.env.now + kAskAgain;
  request.set_hosts(MakePodHosts(pod_.As<k8s::core::v1::Pod>(), pod_ip, context.options));
  context.env.outbox.Send(context.engine(), std::move(request));
}

void PodContainers::AskStop(ContainerRecord& record, Duration grace, PodContext& context) {
  record.phase = Phase::kStopping;
  record.stop_by = context.env.now + grace;
  record.retry_at = record.stop_by + kAskAgain;
  bus::StopContainer request;
  request.set_pod_uid(PodUid());
  request.set_container(record.name);
  request.set_attempt(record.attempt);
  request.set_grace_ms(static_cast<uint32_t>(grace / 1ms));
  context.env.outbox.Send(context.engine(), std::move(request));
}

// A container that has exited and should run: starts again, or waits for its back-off.
void PodContainers::AfterExit(ContainerRecord& record, PodContext& context) {
  const Time until = record.crash.Until(record.exited_at);
  if (until > context.env.now) {
    if (std::exchange(record.phase, Phase::kBackOff) == Phase::kBackOff) return;
    record.retry_at = until;
    record.reason = "CrashLoopBackOff";
    const std::string pod =
        StrCat(pod_.meta().name(), "_", pod_.meta().namespace_(), "(", pod_.meta().uid(), ")");
    record.message = StrCat("back-off ", GoDuration(record.crash.delay()),
                            " restarting failed container=", record.name, " pod=", pod);
    return Record(record, "Warning", "BackOff",
                  StrCat("Back-off restarting failed container ", record.name, " in pod ", pod),
                  context);
  }
  record.crash.Next(record.exited_at, context.env.now);
  record.phase = Phase::kWaiting;
  record.reason.clear();
  record.message.clear();
  record.last = std::exchange(record.exit, std::nullopt);
  ++record.attempt;
  if (record.attempt < 2) return;
  bus::RemoveContainer request;  // the run before the last one
  request.set_pod_uid(PodUid());
  request.set_container(record.name);
  request.set_attempt(record.attempt - 2);
  context.env.outbox.Send(context.engine(), std::move(request));
}

void PodContainers::OnEngineEvent(const bus::EngineEvent& event, bool terminating,
                                  PodContext& context) {
  ContainerRecord* const record = Find(event.container());
  if (record == nullptr) return;
  switch (event.type()) {
    case bus::EngineEvent::IMAGE_PULLED: {
      if (record->phase != Phase::kPulling || terminating) return;
      record->image_id = event.image_id();
      record->reason.clear();
      record->message.clear();
      const std::string took = GoDuration(std::chrono::milliseconds(event.pull_ms()));
      Record(*record, "Normal", "Pulled",
             StrCat("Successfully pulled image \"", event.image(), "\" in ", took, " (", took,
                    " including waiting). Image size: ", event.image_bytes(), " bytes."),
             context);
      return AskStart(*record, pod_ip_, context);
    }
    case bus::EngineEvent::IMAGE_FAILED:
      if (record->phase == Phase::kPulling) OnImageFailed(*record, event, context);
      return;
    case bus::EngineEvent::CONTAINER_STARTED:
      if (event.attempt() != record->attempt || !record->alive()) return;
      if (record->phase == Phase::kStopping) return;
      record->retry_at = kNever;
      if (record->phase == Phase::kRunning || record->post_start.begun) return;
      record->container_id = event.container_id();
      record->started_ns = event.started_ns();
      Record(*record, "Normal", "Created", StrCat("Created container: ", record->name), context);
      Record(*record, "Normal", "Started", StrCat("Started container ", record->name), context);
      BeginRunning(*record, context);
      break;
    case bus::EngineEvent::CONTAINER_FAILED:
    case bus::EngineEvent::CONTAINER_EXITED:
      if (event.attempt() == record->attempt && record->alive()) {
        OnExit(*record, event, terminating, context);
      }
      break;
    default:
      return;
  }
  for (ContainerRecord& other : records_) Prober::PodSyncsSoon(other, context.env.now);
}

void PodContainers::OnExit(ContainerRecord& record, const bus::EngineEvent& event, bool terminating,
                           PodContext& context) {
  ContainerExit exit;
  exit.exit_code = event.exit_code();
  exit.reason = event.reason();
  exit.message = event.message();
  exit.started_ns = event.started_ns();
  exit.finished_ns = event.finished_ns();
  exit.container_id = event.container_id().empty() ? record.container_id : event.container_id();
  if (event.type() == bus::EngineEvent::CONTAINER_FAILED) {
    Record(record, "Normal", "Created", StrCat("Created container: ", record.name), context);
    Record(record, "Warning", "Failed", StrCat("Error: ", event.message()), context);
  } else if (record.phase == Phase::kStarting && !terminating && exit.started_ns != 0) {
    // The engine's report of the start was lost, or a repeated request was answered late.
    Record(record, "Normal", "Started", StrCat("Started container ", record.name), context);
  }
  record.container_id = exit.container_id;
  record.exit = std::move(exit);
  record.phase = Phase::kExited;
  record.exited_at = context.env.now;
  record.retry_at = kNever;
  record.failed_probe = false;
  record.told_stopping = false;
  record.post_start = HookState();
  record.pre_stop = HookState();
  record.reason.clear();
  Prober::End(record);
}

void PodContainers::OnImageFailed(ContainerRecord& record, const bus::EngineEvent& event,
                                  PodContext& context) {
  const Time now = context.env.now;
  record.phase = Phase::kImageBackOff;
  record.reason = event.reason();
  record.message = event.message();
  record.pull.Next(now, now);
  record.pull_failed_at = now;
  if (event.reason() == "InvalidImageName") {
    Record(record, "Warning", "InspectFailed", event.message(), context);
    Record(record, "Warning", "Failed", "Error: InvalidImageName", context);
    record.retry_at = now + record.pull.delay();
    return;
  }
  Record(record, "Warning", "Failed",
         StrCat("Failed to pull image \"", event.image(), "\": ", event.message()), context);
  Record(record, "Warning", "Failed", StrCat("Error: ", event.reason()), context);
  record.retry_at = now + kShowPullError;
}

void PodContainers::AskAgain(Time now) {
  for (ContainerRecord& record : records_) {
    if (record.alive() || record.phase == Phase::kPulling) record.retry_at = now;
  }
}

Time PodContainers::NextWake(bool terminating) const {
  Time wake = kNever;
  for (const ContainerRecord& record : records_) {
    if (record.phase != Phase::kExited) wake = std::min(wake, record.retry_at);
    if (record.phase == Phase::kRunning) {
      wake = std::min(wake, Prober::NextWake(record, terminating || record.failed_probe));
    }
    const HookState& hook = record.phase == Phase::kStarting ? record.post_start : record.pre_stop;
    if (record.alive() && record.phase != Phase::kStopping && hook.begun && !hook.ended) {
      wake = std::min(wake, hook.until);
    }
  }
  return wake;
}

}  // namespace kubemu
