#ifndef KUBEMU_LB_SETTINGS_H_
#define KUBEMU_LB_SETTINGS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lb/policies/policy.h"
#include "messages/core/ip.h"
#include "messages/core/time.h"
#include "messages/flow/proxy_header.h"

namespace k8s::core::v1 {
class Node;
class Service;
}  // namespace k8s::core::v1

namespace kubemu {

// What a Service asks of the load balancer: its spec, and annotations kubemu.io/lb-...:
//
//   kubemu.io/lb-policy             round-robin (default; source-hash if sessionAffinity is
//                                   ClientIP), least-connections, random-two, weighted,
//                                   source-hash, maglev
//   kubemu.io/lb-slow-start         window in which a node that comes gets its share; 0s (default):
//                                   at once. Hashes know no shares, so it does nothing there
//   kubemu.io/lb-max-connections    at a time; more are refused. Default 16384
//   kubemu.io/lb-idle-timeout       a connection silent for so long is reset; 0s: never. Default
//                                   350s, that of AWS' network load balancer
//   kubemu.io/lb-drain-time         what connections to a node that goes have left. Default 60s
//   kubemu.io/lb-ejection-failures  failures to connect in a row that eject a node; 0: never.
//                                   Default 5, Envoy's
//   kubemu.io/lb-proxy-protocol     none (default), v1, v2
//
// Durations are a whole number and ms, s, m or h, at most kDurationMax.
struct ServiceSettings {
  static constexpr uint64_t kConnectionsDefault = 16384;
  static constexpr uint64_t kConnectionsMax = 65536;
  static constexpr Duration kIdleDefault = 350s;
  static constexpr Duration kDrainDefault = 60s;
  static constexpr uint64_t kEjectionFailuresDefault = 5;
  static constexpr uint64_t kEjectionFailuresMax = 1000;
  static constexpr Duration kDurationMax = 24h;
  static constexpr uint16_t kProxyHealthPort = 10256;  // kube-proxy's healthz on each node

  PolicyKind policy = PolicyKind::kRoundRobin;
  Duration slow_start{};
  uint64_t connections_max = kConnectionsDefault;
  Duration idle_timeout = kIdleDefault;
  Duration drain_time = kDrainDefault;
  uint64_t ejection_failures = kEjectionFailuresDefault;
  ProxyVersion proxy = ProxyVersion::kNone;
  // The port of a node that says whether it takes this Service's traffic: kProxyHealthPort, or with
  // externalTrafficPolicy Local the Service's own health check node port.
  uint16_t health_port = kProxyHealthPort;
  bool local = false;
  std::vector<Ipv4Network> source_ranges;  // who may connect; empty: everyone
  std::map<uint16_t, uint16_t> ports;      // TCP ports, to node ports (0: none)

  // What was wrong in the annotations, one sentence each; the default is in force instead.
  std::vector<std::string> complaints;

  static ServiceSettings From(const k8s::core::v1::Service& service);

  bool Admits(Ipv4 client) const;
};

// A node's share under policy weighted: its annotation kubemu.io/lb-weight, or label of that name,
// 0 (no connections) to kNodeWeightMax; 1 if there is none or it is wrong, which *complaint says.
inline constexpr uint32_t kNodeWeightMax = 256;
uint32_t NodeWeight(const k8s::core::v1::Node& node, std::string* complaint);

// "350s"; the largest unit that leaves a whole number.
std::string DurationText(Duration duration);

}  // namespace kubemu

#endif  // KUBEMU_LB_SETTINGS_H_
