#ifndef KUBEMU_NODE_KUBELET_PROBER_H_
#define KUBEMU_NODE_KUBELET_PROBER_H_

#include <string>

#include "messages/core/ip.h"
#include "messages/object.h"
#include "messages/proto/node.pb.h"
#include "node/kubelet/container_record.h"
#include "node/kubelet/pod_context.h"

namespace k8s::core::v1 {
class Container;
}

namespace kubemu {

// The probes of one running container (pkg/kubelet/prober): first after initialDelaySeconds, then
// every periodSeconds; readiness that has not come yet also with a sync of the pod. HTTP, TCP and
// gRPC are connections of the node's own; a command is asked of the pod. Readiness begins as
// failed, liveness as passed; both wait for the startup probe. A failure is recorded as event
// Unhealthy.
class Prober {
 public:
  // How long a sync of a pod waits for news of its containers (pkg/kubelet/kubelet.go,
  // genericPlegRelistPeriod).
  static constexpr Duration kRelistPeriod = 1s;

  // The container has started: begins its probes. Without a readiness probe it is ready at once.
  static void Begin(const k8s::core::v1::Container& spec, ContainerRecord& record, Env& env);
  // It no longer runs.
  static void End(ContainerRecord& record);

  // Something happened to a container of the pod, so that the pod is synced soon: a container that
  // is not ready is asked then (prober_manager.go, UpdatePodStatus).
  static void PodSyncsSoon(ContainerRecord& record, Time now);

  // Sends what is due, and counts what got no answer in time as failed. Returns true if the
  // container must be restarted (record.reason then says for which probe).
  static bool Tick(const Object& pod, Ipv4 pod_ip, const k8s::core::v1::Container& spec,
                   ContainerRecord& record, bool terminating, PodContext& context);

  // The answer to a probe of this container, if it is one. Sets *restart as Tick's result.
  static bool OnResult(const bus::ProbeResult& result, const Object& pod,
                       const k8s::core::v1::Container& spec, ContainerRecord& record,
                       PodContext& context, bool* restart);

  static Time NextWake(const ContainerRecord& record, bool terminating);
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_PROBER_H_
