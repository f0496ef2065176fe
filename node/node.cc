#include "node/node.h"

#include "node/iptables/iptables.h"
#include "node/kernel/kernel_dataplane.h"

namespace kubemu {

std::unique_ptr<Component> Node::MakeDataplane(const Options& options) {
  const std::string& node = options.kubelet.node;
  if (options.kernel_dataplane) {
    return std::make_unique<KernelDataplane>(KernelDataplane::Options{node});
  }
  return std::make_unique<Iptables>(Iptables::Options{node});
}

void Node::AddTo(Process& process) {
  process.Add(name_ + "/kubelet", &kubelet_);
  process.Add(name_ + "/engine", &engine_);
  // The engine runs the containers, so it is also what answers for the pods.
  process.Alias(name_ + "/pod/", &engine_);
  process.Add(name_ + "/kube-proxy", &kube_proxy_);
  process.Add(name_ + "/iptables", dataplane_.get());
}

}  // namespace kubemu
