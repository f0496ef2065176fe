#ifndef KUBEMU_NODE_KERNEL_KERNEL_DATAPLANE_H_
#define KUBEMU_NODE_KERNEL_KERNEL_DATAPLANE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "messages/component.h"
#include "messages/core/deadline.h"
#include "messages/flow/flow_relay.h"
#include "node/kernel/kernel_rules.h"
#include "node/kernel/peer_routes.h"
#include "node/kernel/pod_links.h"

namespace kubemu {

// The packet filter and the network of a node that runs in a network namespace of its own, at
// address "<node>/iptables", where Iptables is otherwise; it takes the same messages. The rules go
// to the real iptables-restore, pods get real interfaces, and between them packets go as the kernel
// lets them. Emulated are only the two ends: a connection that a pod's socket accepted becomes a
// flow to the pod, and a flow that a pod, the kubelet or another process opens becomes a real
// connection, made in the pod's or the node's namespace. All work is done by "<node>/door".
class KernelDataplane : public Component {
 public:
  struct Options {
    std::string node;
  };

  // Programs that have to be there, by name.
  static std::vector<std::string> Programs();

  // The engine is asked again where its pods are: what it said may have been lost.
  static constexpr Duration kAskInterval = 30s;

  explicit KernelDataplane(Options options);

  void Receive(const Message& message, Env& env) override;
  void Tick(Env& env) override;
  Time NextWake() const override;

 private:
  enum Lane : uint64_t { kRulesLane, kRoutesLane, kLinksLane };
  struct Ends {
    std::string opener;
    std::string to;
  };

  void OnRestore(const Message& message, Env& env);
  void OnCommandDone(const bus::CommandDone& done, Env& env);
  void OnPodUpdate(const Message& message, Env& env);
  void OnFlowOpen(const Message& message, Env& env);
  void Forget(const std::vector<uint64_t>& flows);

  const std::string door_;
  const std::string engine_;
  const std::string pods_;  // what the addresses of this node's pods begin with
  KernelRules rules_;
  PeerRoutes routes_;
  PodLinks links_;
  FlowRelay relay_;
  std::map<uint64_t, Ends> flows_;  // by the relay's number
  Deadline ask_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KERNEL_KERNEL_DATAPLANE_H_
