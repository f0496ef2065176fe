#ifndef KUBEMU_MASTER_SCHEDULER_NODE_INFO_H_
#define KUBEMU_MASTER_SCHEDULER_NODE_INFO_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "master/scheduler/pod_info.h"
#include "master/scheduler/resources.h"

namespace k8s::core::v1 {
class Node;
}

namespace kubemu {

inline constexpr std::string_view kHostnameLabel = "kubernetes.io/hostname";
inline constexpr std::string_view kZoneLabel = "topology.kubernetes.io/zone";

// One node and what is placed on it, with the sums kept up to date pod by pod.
class NodeInfo {
 public:
  // Pods may be on a node before the Node object is known; such a node takes no more pods.
  explicit NodeInfo(std::string name) : name_(std::move(name)) {}

  // REQUIRES: the object is a Node. Replaces what was known of it; pods stay.
  void SetNode(Object node);
  void ClearNode();
  bool has_node() const { return static_cast<bool>(object_); }

  void AddPod(std::shared_ptr<const PodInfo> pod);
  // REQUIRES: that pod is on the node.
  void RemovePod(const PodInfo& pod);

  const std::string& name() const { return name_; }
  // REQUIRES: has_node().
  const k8s::core::v1::Node& node() const;
  // nullptr: no such label.
  const std::string* Label(std::string_view key) const { return FindLabel(labels_, key); }
  const Labels& labels() const { return labels_; }
  const Resources& allocatable() const { return allocatable_; }
  int64_t allocatable_pods() const { return allocatable_pods_; }
  const Resources& requested() const { return requested_; }
  const ScoringRequest& scoring_requested() const { return scoring_requested_; }
  const std::vector<HostPort>& host_ports() const { return host_ports_; }
  const std::vector<std::shared_ptr<const PodInfo>>& pods() const { return pods_; }
  // How many pods of each label class are here.
  const std::vector<std::pair<uint32_t, int32_t>>& classes() const { return classes_; }
  int pods_with_anti_affinity() const { return pods_with_anti_affinity_; }
  int pods_with_scoring_terms() const { return pods_with_scoring_terms_; }
  // Name of an image to its size in bytes, as the node reports them; sorted by name.
  const std::vector<std::pair<std::string, int64_t>>& images() const { return images_; }

 private:
  void Count(const PodInfo& pod, int sign);

  const std::string name_;
  Object object_;
  Labels labels_;
  Resources allocatable_;
  int64_t allocatable_pods_ = 0;
  std::vector<std::pair<std::string, int64_t>> images_;
  Resources requested_;
  ScoringRequest scoring_requested_;
  std::vector<HostPort> host_ports_;
  std::vector<std::shared_ptr<const PodInfo>> pods_;
  std::vector<std::pair<uint32_t, int32_t>> classes_;
  int pods_with_anti_affinity_ = 0;
  int pods_with_scoring_terms_ = 0;
};

// How many of the node's pods are of a class that matches.
template <class Predicate>
int64_t CountOn(const NodeInfo& node, ClassMatches<Predicate>& matches) {
  int64_t count = 0;
  for (const auto& [id, pods] : node.classes()) {
    if (matches(id)) count += pods;
  }
  return count;
}

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_NODE_INFO_H_
