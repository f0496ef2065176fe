#include "master/scheduler/cluster.h"

#include <algorithm>

#include "messages/core/check.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

const std::string& ZoneOf(const NodeInfo& node) {
  static const std::string kNone;
  const std::string* zone = node.Label(kZoneLabel);
  return zone == nullptr ? kNone : *zone;
}

}  // namespace

NodeInfo& Cluster::GetNode(const std::string& name) {
  std::unique_ptr<NodeInfo>& slot = nodes_[name];
  if (slot == nullptr) slot = std::make_unique<NodeInfo>(name);
  return *slot;
}

void Cluster::SetNode(const Object& object) {
  NodeInfo& node = GetNode(object.meta().name());
  const bool is_new = !node.has_node();
  const std::string zone = ZoneOf(node);
  CountImages(node, -1);
  node.SetNode(object);
  CountImages(node, 1);
  if (is_new || zone != ZoneOf(node)) Reorder();
}

void Cluster::RemoveNode(const std::string& name) {
  const auto at = nodes_.find(name);
  if (at == nodes_.end()) return;
  CountImages(*at->second, -1);
  at->second->ClearNode();
  Reorder();
  DropIfEmpty(name);
}

void Cluster::DropIfEmpty(const std::string& name) {
  const auto at = nodes_.find(name);
  if (at != nodes_.end() && !at->second->has_node() && at->second->pods().empty()) nodes_.erase(at);
}

void Cluster::Reorder() {
  std::map<std::string, std::vector<NodeInfo*>> zones;
  size_t longest = 0;
  for (const auto& [name, node] : nodes_) {
    if (!node->has_node()) continue;
    std::vector<NodeInfo*>& zone = zones[ZoneOf(*node)];
    zone.push_back(node.get());
    longest = std::max(longest, zone.size());
  }
  order_.clear();
  for (size_t i = 0; i < longest; ++i) {
    for (const auto& [zone, nodes] : zones) {
      if (i < nodes.size()) order_.push_back(nodes[i]);
    }
  }
}

void Cluster::CountImages(const NodeInfo& node, int sign) {
  for (const auto& [image, size] : node.images()) {
    const auto at = images_.try_emplace(image, 0).first;
    at->second += sign;
    if (at->second <= 0) images_.erase(at);
  }
}

int Cluster::NodesWithImage(const std::string& image) const {
  const auto at = images_.find(image);
  return at == images_.end() ? 0 : at->second;
}

void Cluster::Place(std::shared_ptr<PodInfo> pod, const std::string& node_name) {
  NodeInfo& node = GetNode(node_name);
  pod->label_class = classes_.Acquire(pod->ns, pod->labels, pod->terminating);
  pods_with_anti_affinity_ += pod->HasAntiAffinity() ? 1 : 0;
  pods_with_scoring_terms_ += pod->HasScoringTerms() ? 1 : 0;
  node.AddPod(pod);
  const std::string key = pod->key;
  placed_[key] = Placed{std::move(pod), &node, node_name};
}

void Cluster::Unplace(std::map<std::string, Placed>::iterator at) {
  const PodInfo& pod = *at->second.pod;
  pods_with_anti_affinity_ -= pod.HasAntiAffinity() ? 1 : 0;
  pods_with_scoring_terms_ -= pod.HasScoringTerms() ? 1 : 0;
  at->second.node->RemovePod(pod);
  classes_.Release(pod.label_class);
  const std::string node = at->second.node_name;
  placed_.erase(at);
  DropIfEmpty(node);
}

void Cluster::SetPod(const Object& object) {
  auto pod = std::make_shared<PodInfo>(object);
  const auto at = placed_.find(pod->key);
  assumed_.erase(pod->key);
  if (at != placed_.end()) Unplace(at);
  const std::string node = pod->node_name;
  Place(std::move(pod), node);
}

void Cluster::RemovePod(const std::string& key) {
  const auto at = placed_.find(key);
  if (at == placed_.end()) return;
  assumed_.erase(key);
  Unplace(at);
}

void Cluster::Assume(const std::shared_ptr<const PodInfo>& pod, const std::string& node) {
  KUBEMU_CHECK(!placed_.contains(pod->key));
  auto placed = std::make_shared<PodInfo>(*pod);
  placed->node_name = node;
  assumed_.insert(pod->key);
  Place(std::move(placed), node);
}

void Cluster::Forget(const std::string& key) {
  if (assumed_.contains(key)) RemovePod(key);
}

const std::string& Cluster::NodeOf(const std::string& key) const {
  static const std::string kNone;
  const auto at = placed_.find(key);
  return at == placed_.end() ? kNone : at->second.node_name;
}

const NodeInfo* Cluster::FindNode(const std::string& name) const {
  const auto at = nodes_.find(name);
  return at == nodes_.end() || !at->second->has_node() ? nullptr : at->second.get();
}

void Cluster::SetNamespace(const Object& ns) {
  namespaces_[ns.meta().name()] = SortedLabels(ns.meta());
}

const Labels& Cluster::NamespaceLabels(const std::string& name) const {
  static const Labels kNone;
  const auto at = namespaces_.find(name);
  return at == namespaces_.end() ? kNone : at->second;
}

}  // namespace kubemu
