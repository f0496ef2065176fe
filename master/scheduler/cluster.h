#ifndef KUBEMU_MASTER_SCHEDULER_CLUSTER_H_
#define KUBEMU_MASTER_SCHEDULER_CLUSTER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "master/scheduler/label_classes.h"
#include "master/scheduler/node_info.h"
#include "master/scheduler/pod_info.h"
#include "messages/object.h"

namespace kubemu {

// The scheduler's picture of the cluster, kept change by change: nodes, and the pods that are on
// them, were just decided to go there ("assumed"), or both (pkg/scheduler/backend/cache).
class Cluster {
 public:
  // A new or changed Node object.
  void SetNode(const Object& node);
  void RemoveNode(const std::string& name);

  // The API server says that the pod is on its spec.nodeName, in this version. Ends an assumption
  // about it.
  void SetPod(const Object& pod);
  // The pod is gone or has come to its end: its place is free. Unknown pods change nothing.
  void RemovePod(const std::string& key);

  // Counts the pod on the node at once, before the API server knows. REQUIRES: the pod is not on
  // any node.
  void Assume(const std::shared_ptr<const PodInfo>& pod, const std::string& node);
  bool IsAssumed(const std::string& key) const { return assumed_.contains(key); }
  // Takes an assumption back. A pod that is not assumed stays where it is.
  void Forget(const std::string& key);
  // The node that the pod is on or assumed to be on; "" if none.
  const std::string& NodeOf(const std::string& key) const;

  // Nodes with a Node object, zone by zone in turn (so that looking at the first few already
  // spreads over zones), by name within a zone.
  const std::vector<NodeInfo*>& nodes() const { return order_; }
  const NodeInfo* FindNode(const std::string& name) const;
  const LabelClasses& classes() const { return classes_; }
  size_t pod_count() const { return placed_.size(); }

  // How many placed pods have required anti-affinity, or terms that weigh in others' scores.
  int pods_with_anti_affinity() const { return pods_with_anti_affinity_; }
  int pods_with_scoring_terms() const { return pods_with_scoring_terms_; }

  // On how many nodes the image is.
  int NodesWithImage(const std::string& image) const;

  // Labels of namespaces, for terms with a namespaceSelector.
  void SetNamespace(const Object& ns);
  void RemoveNamespace(const std::string& name) { namespaces_.erase(name); }
  const Labels& NamespaceLabels(const std::string& name) const;

 private:
  struct Placed {
    std::shared_ptr<const PodInfo> pod;
    NodeInfo* node = nullptr;
    std::string node_name;
  };
  NodeInfo& GetNode(const std::string& name);
  void Place(std::shared_ptr<PodInfo> pod, const std::string& node);
  void Unplace(std::map<std::string, Placed>::iterator at);
  void CountImages(const NodeInfo& node, int sign);
  void DropIfEmpty(const std::string& name);
  void Reorder();

  std::map<std::string, std::unique_ptr<NodeInfo>> nodes_;
  std::vector<NodeInfo*> order_;
  std::map<std::string, Placed> placed_;  // by pod key
  std::set<std::string> assumed_;         // pod keys
  LabelClasses classes_;
  std::map<std::string, int> images_;
  std::map<std::string, Labels> namespaces_;
  int pods_with_anti_affinity_ = 0;
  int pods_with_scoring_terms_ = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_CLUSTER_H_
