#include "node/proxy/port_conflict.h"

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "node/proxy/proxy_health.h"

namespace kubemu::proxy {
namespace {

// The Service that has this node port, or several that should not.
void AddNodePorts(const ServiceMap& services, Protocol protocol, const SocketAddress& address,
                  const std::string& error, std::vector<PortConflict>* conflicts) {
  for (const auto& [service, ports] : services.services()) {
    for (const auto& [name, info] : ports) {
      if (name.protocol != protocol || info.node_port != address.port) continue;
      conflicts->push_back(
          {"", "FailedToOpenPort",
           StrCat("can't open port \"nodePort for ", name.ToString(), "\" (", address.ToString(),
                  "/", ProtocolText(protocol), "4), skipping it: ", error)});
    }
  }
}

}  // namespace

std::vector<PortConflict> PortConflicts(const ServiceMap& services, const std::string& node,
                                        const bus::ListenResult& result) {
  std::vector<PortConflict> conflicts;
  const auto port = static_cast<uint16_t>(result.port());
  const SocketAddress address{Ipv4(result.ip()), port};
  if (result.protocol() == bus::UDP) {
    AddNodePorts(services, Protocol::kUdp, address, result.error(), &conflicts);
    return conflicts;
  }
  if (port == kHealthzPort) {
    conflicts.push_back(
        {"", "FailedToStartProxierHealthcheck",
         StrCat("failed to start proxier healthz on ", address.ToString(), ": ", result.error())});
  }
  const std::map<uint16_t, std::string> health = HealthCheckPorts(services);
  if (const auto it = health.find(port); it != health.end()) {
    conflicts.push_back({it->second, "FailedToStartServiceHealthcheck",
                         StrCat("node ", node, " failed to start healthcheck \"", it->second,
                                "\" on port ", port, ": ", result.error())});
  }
  AddNodePorts(services, Protocol::kTcp, address, result.error(), &conflicts);
  return conflicts;
}

}  // namespace kubemu::proxy
