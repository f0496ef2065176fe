#ifndef KUBEMU_NODE_PROXY_PROXY_HEALTH_H_
#define KUBEMU_NODE_PROXY_PROXY_HEALTH_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "messages/core/time.h"
#include "messages/flow/http_flows.h"
#include "node/proxy/service_map.h"

namespace k8s::core::v1 {
class Node;
}

namespace kubemu::proxy {

// What kube-proxy's HTTP servers say (pkg/proxy/healthcheck): values in, answers out.

inline constexpr uint16_t kHealthzPort = 10256;

struct ProxyHealth {
  bool healthy = false;       // the rules in force are what they should be, or not for long
  bool node_eligible = true;  // the Node is not about to go away
  WallTime last_updated{};    // when rules were last brought into force
  WallTime now{};
};

// False for a Node that is being deleted or that the cluster autoscaler has chosen for deletion:
// load balancers are to drain it while its kube-proxy still works.
bool NodeEligible(const k8s::core::v1::Node& node);

// The health check node ports: port to "namespace/name" of its Service. Of two Services with the
// same port (the API server allots no port twice) the first one has it.
std::map<uint16_t, std::string> HealthCheckPorts(const ServiceMap& services);

// Addresses of ready endpoints of that Service on `node`, each counted once.
size_t LocalReadyEndpoints(const ServiceMap& services, const std::string& service,
                           std::string_view node);

// Port 10256: /healthz and /livez, all else is 404.
HttpFlows::Answer HealthzAnswer(std::string_view target, const ProxyHealth& health);
// A health check node port, whatever the path: 200 if the node has endpoints and works.
HttpFlows::Answer ServiceHealthAnswer(const std::string& service, size_t local_endpoints,
                                      bool proxy_healthy);

// "2026-11-25 11:20:48.5 +0000 UTC", as Go prints a time.
std::string GoTime(WallTime wall);

}  // namespace kubemu::proxy

#endif  // KUBEMU_NODE_PROXY_PROXY_HEALTH_H_
