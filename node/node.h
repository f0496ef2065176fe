#ifndef KUBEMU_NODE_NODE_H_
#define KUBEMU_NODE_NODE_H_

#include <memory>
#include <string>
#include <utility>

#include "messages/process.h"
#include "messages/program.h"
#include "node/engine/emulated_engine.h"
#include "node/kubelet/kubelet.h"
#include "node/proxy/kube_proxy.h"

namespace kubemu {

// The program kubemu-node: a switchboard over its parts, without logic of its own.
class Node : public Program {
 public:
  struct Options {
    KubeletOptions kubelet;         // `kubelet.node` names the process and all of its parts
    Duration pull_delay{};          // of an image that is not on the node yet
    KubeProxy::Options proxy{};     // its `node` is set from the kubelet's
    bool kernel_dataplane = false;  // the real kernel instead of the emulated iptables
  };

  explicit Node(const Options& options)
      : name_(options.kubelet.node),
        kubelet_(options.kubelet),
        engine_({.node = name_,
                 .pull_delay = options.pull_delay,
                 .announce_ports = options.kernel_dataplane}),
        kube_proxy_(ProxyOptions(options)),
        dataplane_(MakeDataplane(options)) {}

  void AddTo(Process& process) override;
  std::string TakeComplaint() override { return kubelet_.TakeComplaint(); }

 private:
  static KubeProxy::Options ProxyOptions(const Options& options) {
    KubeProxy::Options proxy = options.proxy;
    proxy.node = options.kubelet.node;
    return proxy;
  }
  static std::unique_ptr<Component> MakeDataplane(const Options& options);

  const std::string name_;
  Kubelet kubelet_;
  EmulatedEngine engine_;
  KubeProxy kube_proxy_;
  std::unique_ptr<Component> dataplane_;  // Iptables or KernelDataplane
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_NODE_H_
