#ifndef KUBEMU_LB_LOAD_BALANCER_H_
#define KUBEMU_LB_LOAD_BALANCER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "lb/balancer.h"
#include "lb/fronts.h"
#include "lb/health.h"
#include "lb/nodes.h"
#include "lb/settings.h"
#include "messages/api/event_recorder.h"
#include "messages/api/informer.h"
#include "messages/component.h"
#include "messages/core/ip.h"

namespace kubemu {

// The load balancer outside the cluster, at address "lb" (and "lb/health" for its checks). Gives
// each Service of type LoadBalancer an address of its own (Fronts) and passes each connection to
// the Service's node port on a node that answers health checks (HealthChecks) and that the
// Service's policy picks (Balancer). The client's own address stays in the packet, as behind a
// pass-through cloud load balancer. This class is the switchboard between them.
class LoadBalancer : public Component {
 public:
  struct Options {
    // For the Services; the first of them is lb's own, where its checks come from.
    Ipv4Network addresses{Ipv4(127, 2, 0, 0), 24};
  };

  explicit LoadBalancer(Options options);

  void Receive(const Message& message, Env& env) override;
  void Tick(Env& env) override;
  Time NextWake() const override;

 private:
  // What was said about a Service, so that it is said once.
  struct Known {
    uint16_t health_port = 0;
    std::set<std::string> complaints;
  };

  void OnService(const Informer::Change& change, Env& env);
  void OnNodes(Env& env);
  void OnHealth(const std::vector<HealthChecks::Change>& changes, Env& env);
  void OnFlowOpen(const Message& message, Env& env);
  void OnInspect(const Message& message, Env& env);
  void OnHttp(const Message& message, Env& env);
  void RecordNotices(Env& env);

  // What is checked follows from the nodes and from the Services' health ports.
  void SyncTargets(Env& env);
  void UseHealthPort(uint16_t port, int change, Env& env);

  EventRecorder events_;
  Informer services_;
  Informer node_objects_;
  LbNodes nodes_;
  Fronts fronts_;
  HealthChecks health_;
  Balancer balancer_;
  std::map<std::string, Known> known_;    // by Service key
  std::map<uint16_t, int> health_ports_;  // and how many Services use each
  std::map<std::string, std::string> node_complaints_;
  uint64_t strangers_ = 0;  // connections to addresses of no Service
};

}  // namespace kubemu

#endif  // KUBEMU_LB_LOAD_BALANCER_H_
