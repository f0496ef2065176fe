#ifndef KUBEMU_NODE_KUBELET_POD_WORKER_H_
#define KUBEMU_NODE_KUBELET_POD_WORKER_H_

#include <optional>
#include <string>

#include "messages/api/calls.h"
#include "messages/core/deadline.h"
#include "messages/core/ip.h"
#include "messages/object.h"
#include "messages/proto/node.pb.h"
#include "node/kubelet/admission.h"
#include "node/kubelet/pod_containers.h"
#include "node/kubelet/pod_context.h"
#include "node/kubelet/pod_status.h"

namespace kubemu {

// One pod of this node, from the moment it is bound to its end: sandbox, containers, status, and
// the deletion handshake (pkg/kubelet/pod_workers.go, pkg/kubelet/status/status_manager.go).
// Level-triggered: every message only changes what the worker knows, then Sync does what is due.
class PodWorker {
 public:
  PodWorker(const Object& pod, WallTime wall, Time now);

  const Object& pod() const { return pod_; }
  const Trace& trace() const { return pod_.trace(); }
  const PodContainers& containers() const { return containers_; }
  // Of an admitted pod that still counts; null otherwise.
  const RequestTotals* requests() const { return counted_ ? &requests_ : nullptr; }
  // Nothing is left of it: it can be dropped.
  bool done() const { return done_; }

  // A newer version of the object.
  void Update(const Object& pod);
  // The object is gone from the API server: what runs is killed.
  void Gone() { gone_ = true; }

  // It was admitted, or not: then it fails for that reason. REQUIRES: once, before Sync, if
  // NeedsAdmission.
  bool NeedsAdmission() const;
  void Admitted(const std::optional<AdmissionRejection>& rejection, PodContext& context);

  void OnEngineEvent(const bus::EngineEvent& event, PodContext& context);
  void OnProbeResult(const bus::ProbeResult& result, PodContext& context);
  void OnCallResult(const CallResult& result, PodContext& context);
  // What the engine was asked is asked again: it was silent, or an answer got lost.
  void AskEngineAgain(Time now);

  void Sync(PodContext& context);
  Time NextWake() const;

  // Another pod of the same name still holds the sandbox's name: this one waits.
  void SetBlocked(bool blocked) { blocked_ = blocked; }
  bool holds_sandbox() const {
    return sandbox_ == SandboxState::kAsked || sandbox_ == SandboxState::kReady ||
           sandbox_ == SandboxState::kStopping;
  }

  // Tags of this worker's calls begin with it.
  static constexpr char kStatusTag[] = "status ";
  static constexpr char kDeleteTag[] = "delete ";

 private:
  enum class SandboxState { kNone, kAsked, kReady, kStopping, kStopped };

  bool Ending() const;
  bool Terminating() const;
  Duration Grace() const;
  void SyncRunning(PodContext& context);
  void SyncEnding(PodContext& context);
  void AskSandbox(PodContext& context);
  void CheckDeadline(PodContext& context);
  void WriteStatus(PodContext& context);
  bool HoldFirstWrite(const k8s::core::v1::PodStatus& wanted, Time now);
  void Delete(PodContext& context);
  k8s::core::v1::PodStatus Wanted(WallTime wall, Ipv4 host_ip) const;

  Object pod_;  // the newest version known
  PodContainers containers_;
  RequestTotals requests_;
  PodFacts facts_;
  bool was_terminal_ = false;  // Succeeded or Failed before this kubelet saw it
  bool admitted_ = false;
  bool counted_ = false;
  bool gone_ = false;
  bool done_ = false;
  bool blocked_ = false;
  SandboxState sandbox_ = SandboxState::kNone;
  bool removed_ = false;       // the engine was told to forget it
  Deadline engine_;            // when the engine is asked again
  std::string sandbox_error_;  // as recorded last
  Time ending_since_ = kNever;
  Time active_until_ = kNever;  // activeDeadlineSeconds

  bool write_in_flight_ = false;
  bool delete_in_flight_ = false;
  bool deleted_ = false;
  bool held_ = false;     // the first status write was held back
  Deadline hold_;         // until then
  Deadline write_again_;  // a write is tried again
  std::string written_;   // the status that was written last
  Time written_at_{};
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_POD_WORKER_H_
