#ifndef KUBEMU_NODE_KUBELET_POD_STATUS_H_
#define KUBEMU_NODE_KUBELET_POD_STATUS_H_

#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"
#include "messages/core/time.h"
#include "node/kubelet/container_record.h"

namespace k8s::core::v1 {
class Pod;
class PodCondition;
class PodStatus;
}  // namespace k8s::core::v1

namespace kubemu {

// What the kubelet knows of a pod as a whole.
struct PodFacts {
  bool sandbox_ready = false;
  bool initialized = false;
  bool terminating = false;  // it will not run again, and all its containers have ended
  Ipv4 pod_ip;               // none: not known yet
  Ipv4 host_ip;
  WallTime start_time{};
  bool rejected = false;  // the node did not admit it: nothing of it was ever started
  // The kubelet ended it for its own reason ("OutOfcpu", "DeadlineExceeded"): the phase is Failed.
  std::string reason;
  std::string message;
};

// The pod's status as it should be (pkg/kubelet/kubelet_pods.go generateAPIPodStatus, getPhase;
// pkg/kubelet/status/generate.go). What others keep there (other conditions, the QoS class) is
// taken from pod.status.
k8s::core::v1::PodStatus MakePodStatus(const k8s::core::v1::Pod& pod,
                                       const std::vector<ContainerRecord>& records,
                                       const PodFacts& facts, WallTime wall);

// Null if there is none of that type.
const k8s::core::v1::PodCondition* FindPodCondition(const k8s::core::v1::PodStatus& status,
                                                    std::string_view type);

// The reason for which a container waits, as its status says it: "ContainerCreating".
std::string WaitingReason(const ContainerRecord& record, bool initialized);

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_POD_STATUS_H_
