#include "node/proxy/api_objects.h"

#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu::proxy {
namespace {

constexpr char kServiceNameLabel[] = "kubernetes.io/service-name";
// DefaultClientIPServiceAffinitySeconds, pkg/apis/core/v1/defaults.go.
constexpr int32_t kAffinitySeconds = 10800;

template <typename Texts>
std::vector<Ipv4> Addresses(const Texts& texts) {
  std::vector<Ipv4> addresses;
  for (const std::string& text : texts) {
    const absl::StatusOr<Ipv4> ip = Ipv4::Parse(text);
    if (ip.ok()) addresses.push_back(*ip);
  }
  return addresses;
}

// What all ports of the Service have in common.
ServicePortInfo CommonOf(const k8s::core::v1::Service& service) {
  const auto& spec = service.spec();
  ServicePortInfo info;
  info.external_ips = Addresses(spec.external_ips());
  // ipMode Proxy: the load balancer has to be gone through, also by who is inside.
  for (const auto& ingress : service.status().load_balancer().ingress()) {
    const absl::StatusOr<Ipv4> ip = Ipv4::Parse(ingress.ip());
    if (ip.ok() && ingress.ip_mode() != "Proxy") info.load_balancer_ips.push_back(*ip);
  }
  for (const std::string& text : spec.load_balancer_source_ranges()) {
    const absl::StatusOr<Ipv4Network> range = Ipv4Network::Parse(StripSpaces(text));
    if (range.ok()) info.source_ranges.push_back(*range);
  }
  info.external_policy_local = spec.external_traffic_policy() == "Local";
  info.internal_policy_local = spec.internal_traffic_policy() == "Local";
  info.health_check_node_port = static_cast<uint16_t>(spec.health_check_node_port());
  if (spec.session_affinity() == "ClientIP") {
    const auto& client_ip = spec.session_affinity_config().client_ip();
    const bool set = client_ip.has_timeout_seconds() && client_ip.timeout_seconds() > 0;
    info.affinity_seconds =
        static_cast<uint32_t>(set ? client_ip.timeout_seconds() : kAffinitySeconds);
  }
  return info;
}

EndpointInfo InfoOf(const k8s::discovery::v1::Endpoint& endpoint, SocketAddress address) {
  const auto& conditions = endpoint.conditions();
  EndpointInfo info;
  info.address = address;
  info.node = endpoint.node_name();
  // Unset means true for ready, and "as ready" for serving.
  info.ready = !conditions.has_ready() || conditions.ready();
  info.serving = conditions.has_serving() ? conditions.serving() : info.ready;
  info.terminating = conditions.terminating();
  for (const auto& zone : endpoint.hints().for_zones()) info.zone_hints.push_back(zone.name());
  return info;
}

}  // namespace

ServicePorts PortsOf(const k8s::core::v1::Service& service) {
  const auto& spec = service.spec();
  const absl::StatusOr<Ipv4> cluster_ip = Ipv4::Parse(spec.cluster_ip());
  ServicePorts ports;
  if (spec.type() == "ExternalName" || !cluster_ip.ok()) return ports;
  ServicePortInfo info = CommonOf(service);
  info.cluster_ip = *cluster_ip;
  const std::string key = StrCat(service.metadata().namespace_(), "/", service.metadata().name());
  for (const auto& port : spec.ports()) {
    ServicePortName name{key, port.name(), Protocol::kTcp};
    if (!ProtocolFromApi(port.protocol(), &name.protocol)) continue;
    info.port = static_cast<uint16_t>(port.port());
    info.node_port = static_cast<uint16_t>(port.node_port());
    ports[name] = info;
  }
  return ports;
}

std::string ServiceOf(const k8s::discovery::v1::EndpointSlice& slice) {
  const std::string* name = FindEntry(slice.metadata().labels(), kServiceNameLabel);
  if (name == nullptr || slice.address_type() != "IPv4") return "";
  return StrCat(slice.metadata().namespace_(), "/", *name);
}

EndpointsByPort EndpointsOf(const k8s::discovery::v1::EndpointSlice& slice,
                            const std::string& service) {
  EndpointsByPort endpoints;
  for (const auto& port : slice.ports()) {
    ServicePortName name{service, port.name(), Protocol::kTcp};
    if (!ProtocolFromApi(port.protocol(), &name.protocol) || port.port() == 0) continue;
    for (const auto& endpoint : slice.endpoints()) {
      if (endpoint.addresses().empty()) continue;
      const absl::StatusOr<Ipv4> ip = Ipv4::Parse(endpoint.addresses(0));
      if (!ip.ok()) continue;
      const SocketAddress address{*ip, static_cast<uint16_t>(port.port())};
      endpoints[name].push_back(InfoOf(endpoint, address));
    }
  }
  return endpoints;
}

}  // namespace kubemu::proxy
