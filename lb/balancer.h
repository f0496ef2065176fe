#ifndef KUBEMU_LB_BALANCER_H_
#define KUBEMU_LB_BALANCER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lb/backend.h"
#include "lb/policies/maglev.h"
#include "lb/policies/policy.h"
#include "lb/settings.h"
#include "messages/component.h"
#include "messages/flow/flow_relay.h"

namespace kubemu {

// The traffic: gives each connection to a Service a node and passes its data on. What a Service
// asks for may change at any time; connections that run are not touched by it, but for a shorter
// idle or drain time, which hold for them, too.
class Balancer {
 public:
  // One attempt to connect to a node; then the next node is tried (HAProxy: timeout connect,
  // option redispatch). A node that refuses is believed: nobody serves the Service.
  static constexpr Duration kConnectTimeout = 5s;
  static constexpr size_t kAttemptsMax = 3;

  // Connections that were refused, by cause, and those that were reset, by cause; they only grow.
  struct Refusals {
    uint64_t no_node = 0;       // no node may get it
    uint64_t limit = 0;         // the Service's limit, or that of the whole load balancer
    uint64_t source_range = 0;  // the client is not in loadBalancerSourceRanges
    uint64_t connect = 0;       // the nodes that were tried did not take it
  };
  struct Resets {
    uint64_t idle = 0;       // silent for too long
    uint64_t drain = 0;      // its node, or the Service, is gone and the drain time over
    uint64_t node_lost = 0;  // the node's process has ended
  };
  struct Service {
    uint64_t id = 0;
    std::string key;
    ServiceSettings settings;
    Backend backend;
    std::map<uint16_t, std::unique_ptr<Policy>> policies;  // by port
    Counters counters;
    Refusals refused;
    Resets reset;
    Time removed_at = kNever;  // then its connections drain
  };
  // Something that people should know of.
  struct Notice {
    std::string service;
    std::string reason;
    std::string text;
  };

  // What is asked of a Service, new or again.
  void Configure(const std::string& key, ServiceSettings settings, const LbNodes& nodes,
                 const HealthChecks& health, Env& env);
  void Remove(const std::string& key, Env& env);
  // Nodes or their health have changed.
  void Update(const LbNodes& nodes, const HealthChecks& health, Env& env);

  // A FlowOpen to a Service that is configured.
  void Open(const Message& message, const std::string& key, Env& env);
  // FlowData, FlowCredit, FlowClose.
  void Receive(const Message& message, Env& env);
  // A node's process is gone. Health checks and Update have heard of it before.
  void OnLinkDown(const std::string& process, Env& env);

  void Tick(Env& env);
  Time NextWake() const;

  std::vector<Notice> TakeNotices() { return std::exchange(notices_, {}); }
  // By key. A Service that was removed is not among them.
  std::map<std::string, const Service*> services() const;
  size_t connections() const { return connections_.size(); }
  uint64_t total() const { return total_; }

 private:
  struct Connection {
    Service* service;
    std::string node;
    Backend::Server* server;  // that of `node`; it stays as long as it has connections
    ConnectionKey key;
    std::vector<std::string> tried;  // nodes, the present one is the last
    bool established = false;
    Time last_active{};
    Time timer = kNever;
  };
  using Connections = std::map<uint64_t, Connection>;

  // The node that gets the connection next; "" if there is none.
  std::string Choose(Service& service, const ConnectionKey& key,
                     const std::vector<std::string>& tried, Env& env);
  bus::FlowOpen NextHop(const Service& service, const std::string& node,
                        const ConnectionKey& key) const;
  // The present attempt has failed. Tries another node; false if there is none to try.
  bool Reconnect(uint64_t id, Connection& connection, bool tell, Env& env);
  void NoteFailure(Connection& connection, std::string_view why, Env& env);
  void OnTimer(uint64_t id, Env& env);
  void End(Connections::iterator it);
  void ResetWhere(Service* service, const std::string& node, const std::string& why, Env& env);
  void Drain(Env& env);
  void PlanDrain(const Service& service);
  void SetTimer(uint64_t id, Connection& connection, Time at);

  FlowRelay relay_;
  MaglevTables tables_;
  uint64_t next_service_ = 1;
  uint64_t total_ = 0;                      // connections
  std::map<uint64_t, Service> services_;    // also removed ones that have connections
  std::map<std::string, uint64_t> by_key_;  // those that are not removed
  Connections connections_;                 // by number on the far side
  std::set<std::pair<Time, uint64_t>> timers_;
  Time next_drain_ = kNever;
  std::vector<Notice> notices_;
};

}  // namespace kubemu

#endif  // KUBEMU_LB_BALANCER_H_
