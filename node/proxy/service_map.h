#ifndef KUBEMU_NODE_PROXY_SERVICE_MAP_H_
#define KUBEMU_NODE_PROXY_SERVICE_MAP_H_

// What kube-proxy knows: Service ports and their endpoints, in its own words.

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"

namespace kubemu::proxy {

enum class Protocol : uint8_t { kTcp, kUdp, kSctp };
std::string_view ProtocolText(Protocol protocol);  // "tcp"
// "TCP", "UDP", "SCTP" as in the API, "" is TCP; false for anything else.
bool ProtocolFromApi(std::string_view text, Protocol* protocol);

// One port of a Service. In order of namespace, name, port, protocol.
struct ServicePortName {
  std::string service;  // "namespace/name"
  std::string port;     // name of the port, may be ""
  Protocol protocol = Protocol::kTcp;

  auto operator<=>(const ServicePortName&) const = default;
  // "ns/svc:port", or "ns/svc" for a port without name.
  std::string ToString() const { return port.empty() ? service : service + ":" + port; }
};

struct ServicePortInfo {
  Ipv4 cluster_ip;
  uint16_t port = 0;
  uint16_t node_port = 0;               // 0: none
  uint16_t health_check_node_port = 0;  // 0: none
  std::vector<Ipv4> external_ips;
  std::vector<Ipv4> load_balancer_ips;  // status.loadBalancer.ingress with ipMode VIP
  std::vector<Ipv4Network> source_ranges;
  bool external_policy_local = false;
  bool internal_policy_local = false;
  uint32_t affinity_seconds = 0;  // sessionAffinity ClientIP; 0: None

  bool operator==(const ServicePortInfo&) const = default;
  bool ExternallyAccessible() const {
    return node_port != 0 || !load_balancer_ips.empty() || !external_ips.empty();
  }
  // Whether the endpoints of all nodes, or this node's own, are asked for anywhere (the pods of a
  // node reach an external address over all endpoints even with policy Local).
  bool UsesClusterEndpoints() const { return !internal_policy_local || ExternallyAccessible(); }
  bool UsesLocalEndpoints() const {
    return internal_policy_local || (external_policy_local && ExternallyAccessible());
  }
};

struct EndpointInfo {
  SocketAddress address;
  std::string node;
  bool ready = true;
  bool serving = true;
  bool terminating = false;
  std::vector<std::string> zone_hints;

  bool operator==(const EndpointInfo&) const = default;
};

using ServicePorts = std::map<ServicePortName, ServicePortInfo>;
using EndpointsByPort = std::map<ServicePortName, std::vector<EndpointInfo>>;

// Services and EndpointSlices as they were last told. Remembers which Services have changed since
// TakeChanged.
class ServiceMap {
 public:
  // The ports of one Service, "namespace/name"; none: the Service is gone, headless or not for
  // kube-proxy.
  void SetService(const std::string& service, ServicePorts ports);
  // One EndpointSlice, by "namespace/name" of the slice; none: it is gone.
  void SetSlice(const std::string& slice, const std::string& service, EndpointsByPort endpoints);

  // "namespace/name" of the Services whose ports or endpoints are no longer what they were.
  std::set<std::string> TakeChanged();
  bool HasChanged() const { return !changed_.empty(); }

  const std::map<std::string, ServicePorts>& services() const { return services_; }
  // The endpoints of that port from all slices: one per address, in order of their text, as
  // kube-proxy sorts them ("10.0.0.10:80" before "10.0.0.9:80").
  std::vector<EndpointInfo> Endpoints(const ServicePortName& port) const;
  // Endpoints of all Service ports that are in services() (kube-proxy's measure of a large cluster:
  // those of headless Services have no rules).
  size_t endpoint_count() const { return endpoint_count_; }

 private:
  struct Slice {
    std::string service;
    EndpointsByPort endpoints;
  };
  // The Service has changed: it is in changed_, and its endpoints are counted again.
  void Changed(const std::string& service);
  void Unlink(const std::string& slice);

  std::map<std::string, ServicePorts> services_;
  std::map<std::string, Slice> slices_;
  std::map<std::string, std::set<std::string>> slices_of_;  // Service to its slices
  std::map<std::string, size_t> counted_;  // by Service: its share of endpoint_count_
  std::set<std::string> changed_;
  size_t endpoint_count_ = 0;
};

// Which endpoints of a Service port a node uses (pkg/proxy/topology.go, CategorizeEndpoints):
// the ready ones, or if there is none those that terminate but still serve.
struct UsableEndpoints {
  std::vector<EndpointInfo> cluster;  // for policy Cluster; zone hints are followed
  std::vector<EndpointInfo> local;    // for policy Local: on `node`
  std::vector<EndpointInfo> all;      // each of them once
  bool any = false;                   // somewhere in the cluster there is one
};
UsableEndpoints Categorize(const std::vector<EndpointInfo>& endpoints, const ServicePortInfo& info,
                           std::string_view node, std::string_view zone);

}  // namespace kubemu::proxy

#endif  // KUBEMU_NODE_PROXY_SERVICE_MAP_H_
