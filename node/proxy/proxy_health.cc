#include "node/proxy/proxy_health.h"

#include <chrono>
#include <cstdio>
#include <set>

#include "messages/core/strings.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu::proxy {
namespace {

// Set by the cluster autoscaler before it deletes a node.
constexpr char kToBeDeletedTaint[] = "ToBeDeletedByClusterAutoscaler";
constexpr char kNoSniff[] = "X-Content-Type-Options: nosniff\r\n";

}  // namespace

bool NodeEligible(const k8s::core::v1::Node& node) {
  if (node.metadata().has_deletion_timestamp()) return false;
  for (const auto& taint : node.spec().taints()) {
    if (taint.key() == kToBeDeletedTaint) return false;
  }
  return true;
}

std::map<uint16_t, std::string> HealthCheckPorts(const ServiceMap& services) {
  std::map<uint16_t, std::string> ports;
  for (const auto& [service, service_ports] : services.services()) {
    for (const auto& [name, info] : service_ports) {
      if (info.health_check_node_port != 0) ports.try_emplace(info.health_check_node_port, service);
    }
  }
  return ports;
}

size_t LocalReadyEndpoints(const ServiceMap& services, const std::string& service,
                           std::string_view node) {
  const auto ports = services.services().find(service);
  if (ports == services.services().end()) return 0;
  std::set<Ipv4> addresses;
  for (const auto& [name, info] : ports->second) {
    for (const EndpointInfo& endpoint : services.Endpoints(name)) {
      if (endpoint.ready && endpoint.node == node) addresses.insert(endpoint.address.ip);
    }
  }
  return addresses.size();
}

HttpFlows::Answer HealthzAnswer(std::string_view target, const ProxyHealth& health) {
  const std::string_view path = target.substr(0, target.find('?'));
  HttpFlows::Answer answer;
  answer.headers = kNoSniff;
  if (path != "/healthz" && path != "/livez") {
    answer.status = 404;
    answer.body = "404 page not found\n";
    return answer;
  }
  const bool readiness = path == "/healthz";
  const bool healthy = health.healthy && (health.node_eligible || !readiness);
  answer.status = healthy ? 200 : 503;
  answer.content_type = "application/json";
  // Whoever is healthy is up to date now, whenever something last changed.
  answer.body = StrCat("{\"lastUpdated\": \"", GoTime(healthy ? health.now : health.last_updated),
                       "\",\"currentTime\": \"", GoTime(health.now), "\"");
  if (readiness) {
    StrAppend(&answer.body, ", \"nodeEligible\": ", health.node_eligible ? "true" : "false");
  }
  answer.body += "}";
  return answer;
}

HttpFlows::Answer ServiceHealthAnswer(const std::string& service, size_t local_endpoints,
                                      bool proxy_healthy) {
  const size_t slash = service.find('/');
  HttpFlows::Answer answer;
  answer.status = local_endpoints > 0 && proxy_healthy ? 200 : 503;
  answer.content_type = "application/json";
  answer.headers = StrCat(kNoSniff, "X-Load-Balancing-Endpoint-Weight: ", local_endpoints, "\r\n");
  answer.body = StrCat("{\n\t\"service\": {\n\t\t\"namespace\": \"", service.substr(0, slash),
                       "\",\n\t\t\"name\": \"", service.substr(slash + 1),
                       "\"\n\t},\n\t\"localEndpoints\": ", local_endpoints,
                       ",\n\t\"serviceProxyHealthy\": ", proxy_healthy ? "true" : "false", "\n}");
  return answer;
}

std::string GoTime(WallTime wall) {
  const std::chrono::sys_time<Duration> time{wall.time_since_epoch()};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss<std::chrono::nanoseconds> clock{time - day};
  char text[64];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d.%09d", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  std::string out = text;
  while (out.back() == '0') out.pop_back();
  if (out.back() == '.') out.pop_back();
  return out + " +0000 UTC";
}

}  // namespace kubemu::proxy
