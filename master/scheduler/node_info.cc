#include "master/scheduler/node_info.h"

#include <algorithm>

#include "messages/core/check.h"
#include "messages/proto/k8s/core_node.pb.h"

namespace kubemu {

void NodeInfo::SetNode(Object object) {
  object_ = std::move(object);
  const k8s::core::v1::Node& node = this->node();
  labels_.clear();
  for (const auto& label : node.metadata().labels()) {
    labels_.emplace_back(label.key(), label.value());
  }
  std::sort(labels_.begin(), labels_.end());
  const ResourceList allocatable = ToResourceList(node.status().allocatable());
  allocatable_ = Resources::From(allocatable);
  allocatable_pods_ = AmountOf(allocatable, "pods").Value();
  images_.clear();
  for (const auto& image : node.status().images()) {
    for (const std::string& name : image.names()) {
      images_.emplace_back(NormalizedImage(name), image.size_bytes());
    }
  }
  std::sort(images_.begin(), images_.end());
}

void NodeInfo::ClearNode() {
  object_ = Object();
  labels_.clear();
  allocatable_ = Resources();
  allocatable_pods_ = 0;
  images_.clear();
}

const k8s::core::v1::Node& NodeInfo::node() const {
  return object_.As<k8s::core::v1::Node>();
}

void NodeInfo::Count(const PodInfo& pod, int sign) {
  scoring_requested_.milli_cpu += sign * pod.scoring_request.milli_cpu;
  scoring_requested_.memory += sign * pod.scoring_request.memory;
  if (pod.HasAntiAffinity()) pods_with_anti_affinity_ += sign;
  if (pod.HasScoringTerms()) pods_with_scoring_terms_ += sign;
  const auto at = std::find_if(classes_.begin(), classes_.end(),
                               [&](const auto& entry) { return entry.first == pod.label_class; });
  if (at == classes_.end()) {
    classes_.emplace_back(pod.label_class, sign);
    return;
  }
  at->second += sign;
  if (at->second == 0) classes_.erase(at);
}

void NodeInfo::AddPod(std::shared_ptr<const PodInfo> pod) {
  requested_.Add(pod->requests);
  host_ports_.insert(host_ports_.end(), pod->host_ports.begin(), pod->host_ports.end());
  Count(*pod, 1);
  pods_.push_back(std::move(pod));
}

void NodeInfo::RemovePod(const PodInfo& pod) {
  const auto at = std::find_if(pods_.begin(), pods_.end(),
                               [&](const auto& entry) { return entry.get() == &pod; });
  KUBEMU_CHECK(at != pods_.end());
  requested_.Subtract(pod.requests);
  for (const HostPort& port : pod.host_ports) {
    host_ports_.erase(std::find(host_ports_.begin(), host_ports_.end(), port));
  }
  Count(pod, -1);
  pods_.erase(at);
}

}  // namespace kubemu
