#ifndef KUBEMU_NODE_PROXY_KUBE_PROXY_H_
#define KUBEMU_NODE_PROXY_KUBE_PROXY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages/api/event_recorder.h"
#include "messages/api/informer.h"
#include "messages/component.h"
#include "messages/core/deadline.h"
#include "messages/core/ip.h"
#include "messages/flow/http_flows.h"
#include "messages/proto/node.pb.h"
#include "node/proxy/rule_compiler.h"
#include "node/proxy/service_map.h"

namespace kubemu {

// kube-proxy of one node, at address "<node>/kube-proxy". Watches Services, EndpointSlices and
// Nodes, and keeps "<node>/iptables" at the rules that follow from them: at once after each change,
// and only the chains that changed. Tells iptables also where other nodes' pods are, and its own
// process's bus where other nodes listen. Records an event about a port that the node cannot listen
// on. Answers health checks over HTTP: its own at port 10256 of
// the node, and those of Services with a health check node port.
class KubeProxy : public Component {
 public:
  struct Options {
    std::string node;  // name of the process and of the Node
    Ipv4Network cluster_cidr{Ipv4(10, 244, 0, 0), 16};
    // Upstream's --masquerade-all, --iptables-localhost-nodeports and --nodeport-addresses.
    bool masquerade_all = false;
    bool localhost_node_ports = true;
    std::vector<Ipv4Network> node_port_addresses{};
  };

  // Until iptables must have said that it applied a change; then everything is sent again.
  static constexpr Duration kAnswerTimeout = 1s;
  // Everything is sent again this often in any case (pkg/proxy, FullSyncPeriod).
  static constexpr Duration kFullSyncPeriod = 1h;
  // Unhealthy is who has not brought a change into force for twice the sync period of 30 s
  // (pkg/proxy/healthcheck/proxier_health.go).
  static constexpr Duration kHealthTimeout = 60s;

  explicit KubeProxy(Options options);

  void Receive(const Message& message, Env& env) override;
  void Tick(Env& env) override;
  Time NextWake() const override;

  // True once iptables has applied all that is known here.
  bool in_sync() const { return revision_ > 0 && acknowledged_ == revision_ && !sync_.IsSet(); }

 private:
  void OnService(const Informer::Change& change);
  void OnSlice(const Informer::Change& change);
  // True if the network or the rules may follow it; a heartbeat is nothing of that kind.
  bool OnNode(const Informer::Change& change, Env& env);
  void OnRestored(const Message& message, Env& env);
  void OnPortTaken(const Message& message, Env& env);
  void OnHealthCheck(const Message& message, Env& env);
  HttpFlows::Answer OnHttp(uint16_t port, const HttpRequestHead& request, const Env& env) const;
  // The rules in force are what they should be, or have not been for long.
  bool Healthy(Time now) const;
  // Something changed: iptables has to hear of it in this turn.
  void Changed(const Message& message, Env& env);
  bool Synced() const { return services_.synced() && slices_.synced() && nodes_.synced(); }
  void Sync(Env& env);
  void Send(bus::IptablesRestore restore, Env& env);
  // Works network_ out again if it may have changed. True if it differs from what was sent.
  bool UpdateNetwork(Env& env);
  void AddPorts(Env& env);

  const std::string node_;
  const std::string iptables_;  // its address
  Informer services_;
  Informer slices_;
  Informer nodes_;

  EventRecorder events_;
  proxy::ServiceMap map_;
  proxy::RuleCompiler compiler_;
  proxy::ProxyNode info_;
  std::map<std::string, std::string> slice_services_;  // EndpointSlice to its Service
  std::map<std::string, std::string> endpoints_;       // Node to its bus endpoint, as last told

  uint64_t revision_ = 0;        // last one sent
  uint64_t acknowledged_ = 0;    // last one applied
  bool full_ = true;             // the next one has to hold everything
  bool network_changed_ = true;  // a Node or a Service's ports did, since it was last worked out
  bus::NodeNetwork network_;
  std::string sent_network_;  // as last sent, serialised
  Trace cause_;               // of the first change that is not sent yet
  Deadline sync_;
  Deadline answer_;
  Deadline full_sync_;
  HttpFlows http_;
  std::map<uint16_t, std::string> health_ports_;  // health check node port to Service
  bool node_eligible_ = true;
  WallTime last_updated_{};           // when iptables last confirmed
  std::optional<Time> behind_since_;  // since when what is in force is not what should be
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_PROXY_KUBE_PROXY_H_
