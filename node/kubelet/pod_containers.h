#ifndef KUBEMU_NODE_KUBELET_POD_CONTAINERS_H_
#define KUBEMU_NODE_KUBELET_POD_CONTAINERS_H_

#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"
#include "messages/object.h"
#include "messages/proto/node.pb.h"
#include "node/kubelet/config_sources.h"
#include "node/kubelet/container_record.h"
#include "node/kubelet/pod_context.h"

namespace k8s::core::v1 {
class Container;
class ContainerStatus;
class LifecycleHandler;
class Pod;
}  // namespace k8s::core::v1

namespace kubemu {

// The containers of one pod: which of them should run now, and what to ask of the engine for that.
// Init containers run one after the other, sidecars among them stay, then all others start
// together; what exits is started again as its restart policy says, with back-off
// (pkg/kubelet/kuberuntime, computePodActions). Level-triggered: Sync compares and asks; asking
// again is harmless.
class PodContainers {
 public:
  // `pod` is kept up to date by Update. Containers that ran before this kubelet started (by the
  // pod's status) are gone: they count as exited, and keep their restart counts.
  PodContainers(const Object& pod, WallTime wall, Time now);
  void Update(const Object& pod) { pod_ = pod; }

  // REQUIRES: the sandbox runs, the pod is to run.
  void Sync(Ipv4 pod_ip, PodContext& context);
  void OnEngineEvent(const bus::EngineEvent& event, bool terminating, PodContext& context);
  // An answer to a call whose tag begins with ConfigSources::kTag; Sync goes on with it.
  void OnConfig(const CallResult& result) { sources_.OnCallResult(result); }
  // False if it is no answer to a probe or hook of this pod.
  bool OnProbeResult(const bus::ProbeResult& result, bool terminating, PodContext& context);
  // Probes and lifecycle hooks that are due.
  void TickProbes(bool terminating, PodContext& context);

  // The engine was away: what it was asked is asked again on the next Sync.
  void AskAgain(Time now);

  // Ends all containers within `grace` (preStop hooks included): first the main ones, then the
  // sidecars in reverse order. To be called until AllStopped; a shorter grace replaces a longer
  // one.
  void Stop(Duration grace, PodContext& context);
  bool AllStopped() const;

  // No container will run again: all main ones have ended for good, or an init container has.
  bool Finished() const;
  // All init containers have done their duty.
  bool Initialized() const;

  const std::vector<ContainerRecord>& records() const { return records_; }
  Time NextWake(bool terminating) const;

 private:
  void Restore(ContainerRecord& record, WallTime wall, Time now);
  const k8s::core::v1::Container& SpecOf(const ContainerRecord& record) const;
  const std::string& PodUid() const;
  ContainerRecord* Find(const std::string& name);

  void Ensure(ContainerRecord& record, Ipv4 pod_ip, PodContext& context);
  void Begin(ContainerRecord& record, Ipv4 pod_ip, PodContext& context);
  void AskPull(ContainerRecord& record, PodContext& context);
  void AskStart(ContainerRecord& record, Ipv4 pod_ip, PodContext& context);
  bool Configure(ContainerRecord& record, Ipv4 pod_ip, bus::StartContainer* request,
                 PodContext& context);
  void AskStop(ContainerRecord& record, Duration grace, PodContext& context);
  void StopOne(ContainerRecord& record, PodContext& context);
  void OnExit(ContainerRecord& record, const bus::EngineEvent& event, bool terminating,
              PodContext& context);
  void AfterExit(ContainerRecord& record, PodContext& context);
  void OnImageFailed(ContainerRecord& record, const bus::EngineEvent& event, PodContext& context);
  void RestartForProbe(ContainerRecord& record, PodContext& context);
  void StopForProbe(ContainerRecord& record, PodContext& context);
  // The container has started: it runs, once its postStart hook has.
  void BeginRunning(ContainerRecord& record, PodContext& context);
  void TickPostStart(ContainerRecord& record, PodContext& context);
  void BeginHook(const ContainerRecord& record, const k8s::core::v1::LifecycleHandler& handler,
                 Duration limit, HookState* hook, PodContext& context);
  // True if the preStop hook is over, or there is none; begins it if there is time until
  // `deadline`.
  bool PreStopDone(ContainerRecord& record, Time deadline, PodContext& context);
  int64_t GraceSeconds() const;  // terminationGracePeriodSeconds
  bool ShouldRestart(const ContainerRecord& record) const;
  bool InitDone(const ContainerRecord& record) const;
  void Record(const ContainerRecord& record, const char* type, const char* reason,
              std::string message, PodContext& context) const;

  Object pod_;
  std::vector<ContainerRecord> records_;  // init containers in order, then the main ones
  Time stop_began_ = kNever;
  Time stop_deadline_ = kNever;
  Ipv4 pod_ip_;
  ConfigSources sources_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_POD_CONTAINERS_H_
