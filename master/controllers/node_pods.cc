#include "master/controllers/node_pods.h"

#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {

void NodePods::Changed(const Informer::Change& change) {
  if (change.before && !NodeOf(change.before).empty()) {
    const auto it = by_node_.find(NodeOf(change.before));
    if (it != by_node_.end()) {
      it->second.erase(change.key);
      if (it->second.empty()) by_node_.erase(it);
    }
  }
  if (change.after && !NodeOf(change.after).empty()) {
    by_node_[NodeOf(change.after)].insert(change.key);
  }
}

const std::set<std::string>& NodePods::On(const std::string& node) const {
  static const std::set<std::string> kNone;
  const auto it = by_node_.find(node);
  return it == by_node_.end() ? kNone : it->second;
}

const std::string& NodeOf(const Object& pod) {
  return pod.As<k8s::core::v1::Pod>().spec().node_name();
}

bool IsFinished(const Object& pod) {
  const std::string& phase = pod.As<k8s::core::v1::Pod>().status().phase();
  return phase == "Succeeded" || phase == "Failed";
}

}  // namespace kubemu
