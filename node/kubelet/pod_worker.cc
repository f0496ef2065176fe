#include "node/kubelet/pod_worker.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_pod_status.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "node/kubelet/pod_files.h"

namespace kubemu {
namespace {

using k8s::core::v1::Pod;
using k8s::core::v1::PodStatus;

bool IsTerminalPhase(const std::string& phase) {
  return phase == "Succeeded" || phase == "Failed";
}

WallTime ToWall(const k8s::meta::v1::Time& time) {
  return WallTime(std::chrono::seconds(time.seconds()) + Duration(time.nanos()));
}

Duration ToSeconds(int64_t seconds) {
  return std::chrono::seconds(std::clamp<int64_t>(seconds, 0, 365 * 86400));
}

}  // namespace

PodWorker::PodWorker(const Object& pod, WallTime wall, Time now)
    : pod_(pod), containers_(pod, wall, now), requests_(RequestsOf(pod.As<Pod>().spec())) {
  const PodStatus& status = pod.As<Pod>().status();
  was_terminal_ = IsTerminalPhase(status.phase());
  facts_.start_time = status.has_start_time() ? ToWall(status.start_time()) : wall;
  if (const absl::StatusOr<Ipv4> ip = Ipv4::Parse(status.pod_ip()); ip.ok()) facts_.pod_ip = *ip;
  const auto& spec = pod.As<Pod>().spec();
  if (spec.has_active_deadline_seconds()) {
    const WallTime until = facts_.start_time + ToSeconds(spec.active_deadline_seconds());
    active_until_ = now + std::max(until - wall, Duration{});
  }
}

void PodWorker::Update(const Object& pod) {
  if (pod.revision() < pod_.revision()) return;
  pod_ = pod;
  containers_.Update(pod);
}

bool PodWorker::NeedsAdmission() const {
  return !admitted_ && !was_terminal_ && !Terminating();
}

void PodWorker::Admitted(const std::optional<AdmissionRejection>& rejection, PodContext& context) {
  admitted_ = true;
  counted_ = !rejection;
  if (!rejection) return;
  facts_.rejected = true;
  facts_.reason = rejection->reason;
  facts_.message = rejection->message;
  context.events.Record(ReferenceTo(pod_), "Warning", rejection->reason, rejection->message,
                        context.env);
}

bool PodWorker::Terminating() const {
  return gone_ || pod_.meta().has_deletion_timestamp();
}

// It is not to run (any more).
bool PodWorker::Ending() const {
  return Terminating() || was_terminal_ || !facts_.reason.empty() || containers_.Finished();
}

Duration PodWorker::Grace() const {
  if (gone_) return Duration{};
  if (pod_.meta().has_deletion_grace_period_seconds()) {
    return ToSeconds(pod_.meta().deletion_grace_period_seconds());
  }
  const auto& spec = pod_.As<Pod>().spec();
  return ToSeconds(
      spec.has_termination_grace_period_seconds() ? spec.termination_grace_period_seconds() : 30);
}

void PodWorker::Sync(PodContext& context) {
  if (done_) return;
  CheckDeadline(context);
  containers_.TickProbes(Terminating(), context);
  if (Ending()) {
    SyncEnding(context);
  } else {
    SyncRunning(context);
  }
  // What Sync learned may have ended the pod (its last container exits for good).
  if (Ending() && ending_since_ == kNever) SyncEnding(context);
  if (!gone_) WriteStatus(context);
}

void PodWorker::CheckDeadline(PodContext& context) {
  if (active_until_ > context.env.now) return;
  active_until_ = kNever;
  if (Ending()) return;
  facts_.reason = "DeadlineExceeded";
  facts_.message = "Pod was active on the node longer than the specified deadline";
  context.events.Record(ReferenceTo(pod_), "Normal", facts_.reason, facts_.message, context.env);
}

void PodWorker::SyncRunning(PodContext& context) {
  if (sandbox_ == SandboxState::kReady) {
    containers_.Sync(facts_.pod_ip, context);
    facts_.initialized = containers_.Initialized() || facts_.initialized;
    return;
  }
  if (blocked_) return;
  if (sandbox_ == SandboxState::kNone || engine_.Due(context.env.now)) AskSandbox(context);
}

void PodWorker::AskSandbox(PodContext& context) {
  sandbox_ = SandboxState::kAsked;
  engine_.Set(context.env.now + kAskAgain);
  bus::RunPodSandbox request;
  request.set_pod_uid(pod_.meta().uid());
  request.set_namespace_(pod_.meta().namespace_());
  request.set_name(pod_.meta().name());
  request.set_pod_cidr(context.pod_cidr);
  request.set_host_network(pod_.As<Pod>().spec().host_network());
  request.set_host_ip(context.options.address.bits());
  request.set_wanted_ip(facts_.pod_ip.bits());
  const Pod& pod = pod_.As<Pod>();
  PodDns dns = MakePodDns(pod, context.options);
  *request.mutable_dns() = std::move(dns.config);
  request.set_hostname(MakePodHostname(pod, context.options));
  for (const std::string& warning : dns.over_limit) {
    context.events.Record(ReferenceTo(pod_), "Warning", "DNSConfigForming", warning, context.env);
  }
  if (dns.missing_cluster_dns) {
    context.events.Record(
        ReferenceTo(pod_), "Warning", "MissingClusterDNS",
        StrCat("pod: \"", pod.metadata().name(), "_", pod.metadata().namespace_(), "(",
               pod.metadata().uid(),
               ")\". kubelet does not have ClusterDNS IP configured and cannot create Pod using "
               "\"ClusterFirst\" policy. Falling back to \"Default\" policy."),
        context.env);
  }
  context.env.outbox.Send(context.engine(), std::move(request));
}

// Containers first, then the sandbox, then the last status, then the object.
void PodWorker::SyncEnding(PodContext& context) {
  if (ending_since_ == kNever) ending_since_ = context.env.now;
  // The grace period began when this kubelet first saw the end.
  const Duration left = std::max(ending_since_ + Grace() - context.env.now, Duration{});
  containers_.Stop(left, context);
  if (!containers_.AllStopped()) return;
  facts_.terminating = true;
  counted_ = false;
  const bool forget = Terminating() && !removed_;
  const bool due = sandbox_ == SandboxState::kStopping && engine_.Due(context.env.now);
  if (holds_sandbox() ? (sandbox_ != SandboxState::kStopping || due || forget)
                      : (sandbox_ == SandboxState::kStopped && forget)) {
    sandbox_ = SandboxState::kStopping;
    removed_ = Terminating();
    engine_.Set(context.env.now + kAskAgain);
    bus::StopPodSandbox request;
    request.set_pod_uid(pod_.meta().uid());
    request.set_remove(removed_);
    context.env.outbox.Send(context.engine(), std::move(request));
  }
  if (holds_sandbox()) return;
  facts_.sandbox_ready = false;
  engine_.Clear();
  if (gone_) done_ = true;
}

PodStatus PodWorker::Wanted(WallTime wall, Ipv4 host_ip) const {
  const Pod& pod = pod_.As<Pod>();
  PodFacts facts = facts_;
  facts.host_ip = host_ip;
  facts.sandbox_ready = sandbox_ == SandboxState::kReady;
  return MakePodStatus(pod, containers_.records(), facts, wall);
}

// A pod that is just starting: its first status waits until it runs, or a little while.
bool PodWorker::HoldFirstWrite(const PodStatus& wanted, Time now) {
  if (pod_.As<Pod>().status().has_start_time() || wanted.phase() != "Pending") return false;
  for (const ContainerRecord& record : containers_.records()) {
    if (!record.reason.empty() || record.exit) return false;
  }
  if (held_) return hold_.IsSet() && !hold_.Take(now);
  held_ = true;
  hold_.Set(now + kFirstWriteDelay);
  return true;
}

void PodWorker::WriteStatus(PodContext& context) {
  if (write_in_flight_ || delete_in_flight_ || deleted_ || blocked_) return;
  const Time now = context.env.now;
  if (write_again_.IsSet() && !write_again_.Take(now)) return;
  if (!admitted_ && NeedsAdmission()) return;
  const Pod& current = pod_.As<Pod>();
  const bool stopped = facts_.terminating && !holds_sandbox();
  if (was_terminal_) {
    if (stopped && Terminating()) Delete(context);
    return;
  }
  PodStatus wanted = Wanted(context.env.wall, context.options.address);
  // The last status says that all has ended: it waits until that is so.
  if (IsTerminalPhase(wanted.phase()) && !stopped) return;
  if (google::protobuf::util::MessageDifferencer::Equivalent(wanted, current.status())) {
    if (stopped && Terminating()) Delete(context);
    return;
  }
  if (HoldFirstWrite(wanted, now)) return;
  hold_.Clear();
  // Others may undo a write, but not in a race: the same one is not repeated at once.
  std::string bytes = wanted.SerializeAsString();
  if (bytes == written_ && now < written_at_ + kWriteAgain) {
    write_again_.Set(written_at_ + kWriteAgain);
    return;
  }
  written_ = std::move(bytes);
  written_at_ = now;
  Pod update;
  update.mutable_metadata()->set_name(current.metadata().name());
  update.mutable_metadata()->set_namespace_(current.metadata().namespace_());
  update.mutable_metadata()->set_uid(current.metadata().uid());
  *update.mutable_status() = std::move(wanted);
  const Object object = Object::From(std::move(update));
  write_in_flight_ = true;
  context.calls.Start(UpdateRequest(object, "status"), object,
                      kStatusTag + current.metadata().uid(), context.env);
}

void PodWorker::Delete(PodContext& context) {
  bus::ApiRequest request =
      DeleteRequest(KindOf<Pod>(), pod_.meta().namespace_(), pod_.meta().name());
  request.set_grace_period_seconds(0);
  request.set_precondition_uid(pod_.meta().uid());
  delete_in_flight_ = true;
  context.calls.Start(std::move(request), Object(), kDeleteTag + pod_.meta().uid(), context.env);
}

void PodWorker::OnCallResult(const CallResult& result, PodContext& context) {
  if (result.tag.starts_with(ConfigSources::kTag)) return containers_.OnConfig(result);
  if (result.tag.starts_with(kDeleteTag)) {
    delete_in_flight_ = false;
    // 409: the uid differs, this pod is gone.
    if (result.ok() || result.code == 404 || result.code == 409) {
      deleted_ = true;
      return;
    }
  } else {
    write_in_flight_ = false;
    if (result.ok()) {
      if (!result.objects.empty()) Update(result.objects[0]);
      return;
    }
    if (result.code == 404) gone_ = true;
    written_.clear();
  }
  write_again_.Set(context.env.now + kWriteAgain);
}

void PodWorker::OnEngineEvent(const bus::EngineEvent& event, PodContext& context) {
  switch (event.type()) {
    case bus::EngineEvent::SANDBOX_READY:
      if (sandbox_ != SandboxState::kAsked) return;
      sandbox_ = SandboxState::kReady;
      facts_.pod_ip = Ipv4(event.ip());
      facts_.initialized = containers_.Initialized();
      engine_.Clear();
      return;
    case bus::EngineEvent::SANDBOX_FAILED:
      if (sandbox_ != SandboxState::kAsked) return;
      engine_.Set(context.env.now + kAskAgain);
      if (std::exchange(sandbox_error_, event.message()) == event.message()) return;
      context.events.Record(
          ReferenceTo(pod_), "Warning", "FailedCreatePodSandBox",
          StrCat("Failed to create pod sandbox: rpc error: code = Unknown desc = ",
                 event.message()),
          context.env);
      return;
    case bus::EngineEvent::SANDBOX_STOPPED:
      if (sandbox_ == SandboxState::kStopping) sandbox_ = SandboxState::kStopped;
      return;
    default:
      return containers_.OnEngineEvent(event, Ending(), context);
  }
}

void PodWorker::OnProbeResult(const bus::ProbeResult& result, PodContext& context) {
  containers_.OnProbeResult(result, Terminating(), context);
}

void PodWorker::AskEngineAgain(Time now) {
  if (engine_.IsSet()) engine_.Set(now);
  containers_.AskAgain(now);
}

Time PodWorker::NextWake() const {
  if (done_) return kNever;
  Time wake = std::min({engine_.at(), active_until_, containers_.NextWake(Terminating())});
  if (!write_in_flight_ && !delete_in_flight_) {
    wake = std::min({wake, hold_.at(), write_again_.at()});
  }
  return wake;
}

}  // namespace kubemu
