#include "node/node.h"

namespace kubemu {

void Node::AddTo(Process& process) {
  process.Add(name_ + "/kubelet", &kubelet_);
  process.Add(name_ + "/engine", &engine_);
  // The engine runs the containers, so it is also what answers for the pods.
  process.Alias(name_ + "/pod/", &engine_);
  process.Add(name_ + "/kube-proxy", &kube_proxy_);
  process.Add(name_ + "/iptables", &iptables_);
}

}  // namespace kubemu
