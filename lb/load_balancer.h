#ifndef KUBEMU_LB_LOAD_BALANCER_H_
#define KUBEMU_LB_LOAD_BALANCER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lb/address_pool.h"
#include "lb/health.h"
#include "messages/api/calls.h"
#include "messages/api/event_recorder.h"
#include "messages/api/informer.h"
#include "messages/component.h"
#include "messages/core/ip.h"
#include "messages/flow/flow_relay.h"

namespace kubemu {

// The load balancer outside the cluster, at address "lb". Gives each Service of type LoadBalancer
// an address of its own, really listens there on each of its TCP ports, writes the address into
// the Service's status, and passes each connection to the Service's node port on a node that
// answers, node after node (round robin). The client's own address stays in the packet, as behind
// a pass-through cloud load balancer.
class LoadBalancer : public Component {
 public:
  struct Options {
    Ipv4Network addresses{Ipv4(127, 2, 0, 0), 24};
  };

  static constexpr Duration kRetryInterval = 1s;  // of a status write or a listen that failed

  explicit LoadBalancer(Options options);

  void Receive(const Message& message, Env& env) override;
  void Tick(Env& env) override;
  Time NextWake() const override;

 private:
  struct Port {
    uint16_t port = 0;
    uint16_t node_port = 0;  // 0: the Service's own address and port are kept in the packet
    bool listening = false;
    uint64_t next_node = 0;  // round robin
  };
  // What a Service asks for and how far it is there.
  struct Entry {
    Ipv4 ip;
    std::map<uint16_t, Port> ports;
    bool writing = false;  // the status write is in flight
    Trace trace;
  };

  void OnService(const Informer::Change& change, Env& env);
  void OnNodes(Env& env);
  void OnListenResult(const Message& message, Env& env);
  void OnCallResult(const CallResult& result, Env& env);
  void OnHealth(const NodeHealth::Change& change, Env& env);
  void OnFlowOpen(const Message& message, Env& env);

  void Ensure(const std::string& key, const Object& service, Env& env);
  void Remove(const std::string& key, const Object& service, Env& env);
  void SyncPorts(const Object& service, Entry& entry, Env& env);
  void SyncStatus(const std::string& key, Entry& entry, Env& env);
  void Retry(const std::string& key, Env& env);
  std::string PickNode(Port& port) const;

  AddressPool pool_;
  Informer services_;
  Informer nodes_;
  Calls calls_;
  EventRecorder events_;
  NodeHealth health_;
  FlowRelay flows_;
  std::map<std::string, Entry> entries_;            // by Service key
  std::map<SocketAddress, std::string> listeners_;  // to Service key
  std::map<std::string, Ipv4> backends_;            // nodes that may get traffic
  std::map<std::string, Time> retries_;             // Service key: when to try again
};

}  // namespace kubemu

#endif  // KUBEMU_LB_LOAD_BALANCER_H_
