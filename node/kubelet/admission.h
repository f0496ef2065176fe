#ifndef KUBEMU_NODE_KUBELET_ADMISSION_H_
#define KUBEMU_NODE_KUBELET_ADMISSION_H_

#include <cstdint>
#include <optional>
#include <string>

#include "node/kubelet/kubelet_options.h"

namespace k8s::core::v1 {
class Pod;
class PodSpec;
}  // namespace k8s::core::v1

namespace kubemu {

// What pods ask for, in sum.
struct RequestTotals {
  int64_t milli_cpu = 0;
  int64_t memory = 0;  // bytes
  int pods = 0;

  RequestTotals& operator+=(const RequestTotals& other);
  RequestTotals& operator-=(const RequestTotals& other);
};

// The effective requests of one pod: the larger of the sum over its containers (with sidecars) and
// its largest init container, plus its overhead (component-helpers/resource, PodRequests).
RequestTotals RequestsOf(const k8s::core::v1::PodSpec& spec);

struct AdmissionRejection {
  std::string reason;  // "OutOfcpu"
  std::string message;
};

// The node's own check of a pod that was bound to it: does it fit beside those that were admitted
// before, and does it want this node (pkg/kubelet/lifecycle/predicate.go)? None: admitted.
std::optional<AdmissionRejection> Admit(const KubeletOptions& options,
                                        const k8s::core::v1::Pod& pod, const RequestTotals& used);

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_ADMISSION_H_
