#ifndef KUBEMU_MASTER_CONTROLLERS_NODE_TAINTS_H_
#define KUBEMU_MASTER_CONTROLLERS_NODE_TAINTS_H_

#include <string>

#include "messages/core/time.h"
#include "messages/proto/k8s/core_node.pb.h"

namespace kubemu {

// The taints that follow from a node's conditions: pure functions of the node.
// Rules: pkg/controller/nodelifecycle/node_lifecycle_controller.go
// (nodeConditionToTaintKeyStatusMap).

inline constexpr const char* kNotReadyTaint = "node.kubernetes.io/not-ready";
inline constexpr const char* kUnreachableTaint = "node.kubernetes.io/unreachable";

// Status of the node's Ready condition; "" if it has none.
std::string ReadyStatus(const k8s::core::v1::Node& node);

// The NoExecute taint that the node should have by its Ready condition; "" for none.
std::string WantedNoExecute(const k8s::core::v1::Node& node);
// The one of these two that it has; "" for none.
std::string CurrentNoExecute(const k8s::core::v1::Node& node);

// Sets the NoSchedule taints to what conditions and spec.unschedulable ask for, and the NoExecute
// taint of ours to `no_execute` ("": none). Other taints stay. Returns whether anything changed.
bool SetTaints(k8s::core::v1::Node* node, const std::string& no_execute, WallTime wall);

// Sets the conditions that a kubelet reports to Unknown because it does not. Returns whether
// anything changed.
bool MarkUnknown(k8s::core::v1::Node* node, WallTime wall);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_NODE_TAINTS_H_
