#ifndef KUBEMU_MASTER_CONTROLLERS_NODE_PODS_H_
#define KUBEMU_MASTER_CONTROLLERS_NODE_PODS_H_

#include <map>
#include <set>
#include <string>

#include "messages/api/informer.h"

namespace kubemu {

// Which pods are bound to which node, kept up to date change by change.
class NodePods {
 public:
  void Changed(const Informer::Change& change);

  // Keys of the pods; empty for a node without any.
  const std::set<std::string>& On(const std::string& node) const;
  // Nodes that pods are bound to, existing or not.
  const std::map<std::string, std::set<std::string>>& by_node() const { return by_node_; }

 private:
  std::map<std::string, std::set<std::string>> by_node_;
};

// spec.nodeName; "" before it is bound.
const std::string& NodeOf(const Object& pod);
// Succeeded or Failed.
bool IsFinished(const Object& pod);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_NODE_PODS_H_
