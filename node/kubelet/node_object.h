#ifndef KUBEMU_NODE_KUBELET_NODE_OBJECT_H_
#define KUBEMU_NODE_KUBELET_NODE_OBJECT_H_

#include <map>
#include <string>
#include <vector>

#include "messages/core/time.h"
#include "node/kubelet/kubelet_options.h"

namespace k8s::core::v1 {
class Node;
class NodeStatus;
class NodeCondition;
}  // namespace k8s::core::v1
namespace k8s::meta::v1 {
class Time;
}

namespace kubemu {

// What decides the node's conditions.
struct NodeHealthState {
  bool engine_up = false;
  std::string engine_version;  // "kubemu://0.1.0"; "" until it answered once
  std::string pod_cidr;        // "": the node has none yet
};

// An image on the node, for status.images.
struct NodeImage {
  std::string image_id;
  int64_t bytes = 0;
};

// Seconds only, as metav1.Time is written.
void SetWallTime(WallTime wall, k8s::meta::v1::Time* time);

// The labels and annotations that the kubelet puts on its Node
// (pkg/kubelet/kubelet_node_status.go), and taints if `with_taints`. Returns whether anything
// changed.
bool ReconcileNodeMeta(const KubeletOptions& options, bool with_taints, k8s::core::v1::Node* node);

// The whole status as it should be now, but for what others keep in it (conditions of other types),
// which is taken from `current`. Conditions that did not change keep their transition time.
k8s::core::v1::NodeStatus MakeNodeStatus(const KubeletOptions& options,
                                         const NodeHealthState& health,
                                         const std::map<std::string, NodeImage>& images,
                                         const k8s::core::v1::NodeStatus& current, WallTime wall);

// Equal but for heartbeats.
bool SameNodeStatus(const k8s::core::v1::NodeStatus& a, const k8s::core::v1::NodeStatus& b);

// The condition of that type; null if there is none.
const k8s::core::v1::NodeCondition* FindCondition(const k8s::core::v1::NodeStatus& status,
                                                  std::string_view type);

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_NODE_OBJECT_H_
