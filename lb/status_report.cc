#include "lb/status_report.h"

#include <boost/json.hpp>
#include <chrono>
#include <string_view>

#include "messages/api/json_values.h"

namespace kubemu {
namespace {

namespace json = boost::json;

json::string Text(std::string_view text) {
  return json::string(text.data(), text.size());
}

std::string WallText(WallTime wall) {
  constexpr int kMicros = 6;
  const auto since = wall.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  std::string text;
  AppendRfc3339({seconds.count(), static_cast<int32_t>((since - seconds).count())}, kMicros, &text);
  return text;
}

std::string_view ProxyName(ProxyVersion version) {
  switch (version) {
    case ProxyVersion::kNone:
      return "none";
    case ProxyVersion::kV1:
      return "v1";
    case ProxyVersion::kV2:
      return "v2";
  }
  return "";
}

json::object ConnectionsJson(const Counters& counters) {
  return {{"now", counters.now}, {"total", counters.total}};
}

json::object BytesJson(const Counters& counters) {
  return {{"in", counters.bytes_in}, {"out", counters.bytes_out}};
}

json::object SettingsJson(const ServiceSettings& settings) {
  return {{"slowStart", DurationText(settings.slow_start)},
          {"maxConnections", settings.connections_max},
          {"idleTimeout", DurationText(settings.idle_timeout)},
          {"drainTime", DurationText(settings.drain_time)},
          {"ejectionFailures", settings.ejection_failures},
          {"proxyProtocol", Text(ProxyName(settings.proxy))}};
}

json::object NodeJson(const std::string& name, const Backend::Server& server,
                      const Balancer::Service& service, const ReportSource& source) {
  json::object node{
      {"name", name},
      {"state", Text(ModeName(service.backend.ModeOf(server, service.settings, source.now)))},
      {"weight", server.weight},
      {"sharePercent", Backend::SharePercent(server, service.settings, source.now)},
      {"connections", ConnectionsJson(server.counters)},
      {"bytes", BytesJson(server.counters)},
      {"failures", server.failures},
      {"ejections", server.ejections}};
  if (!server.excluded.empty()) node["excluded"] = server.excluded;
  const auto target = source.health.targets().find({name, service.settings.health_port});
  if (target == source.health.targets().end()) return node;
  const HealthChecks::State& state = target->second;
  json::object check{{"up", state.up},
                     {"result", state.result},
                     {"checks", state.checks},
                     {"failures", state.failures}};
  if (state.at != WallTime{}) check["at"] = WallText(state.at);
  node["check"] = std::move(check);
  return node;
}

json::object ServiceJson(const Balancer::Service& service, const ReportSource& source) {
  const size_t slash = service.key.find('/');
  const auto address = source.fronts.AddressOf(service.key);
  json::array ports;
  for (const auto& [port, node_port] : service.settings.ports) {
    ports.push_back({{"port", port},
                     {"nodePort", node_port},
                     {"listening", source.fronts.IsListening(service.key, port)}});
  }
  json::array nodes;
  for (const auto& [name, server] : service.backend.servers()) {
    nodes.push_back(NodeJson(name, server, service, source));
  }
  return {{"namespace", service.key.substr(0, slash)},
          {"name", service.key.substr(slash + 1)},
          {"address", address ? address->ToString() : ""},
          {"ports", std::move(ports)},
          {"policy", Text(PolicyName(service.settings.policy))},
          {"externalTrafficPolicy", service.settings.local ? "Local" : "Cluster"},
          {"healthCheckPort", service.settings.health_port},
          {"settings", SettingsJson(service.settings)},
          {"connections", ConnectionsJson(service.counters)},
          {"bytes", BytesJson(service.counters)},
          {"refused",
           {{"noNode", service.refused.no_node},
            {"limit", service.refused.limit},
            {"sourceRange", service.refused.source_range},
            {"connect", service.refused.connect}}},
          {"reset",
           {{"idle", service.reset.idle},
            {"drain", service.reset.drain},
            {"nodeLost", service.reset.node_lost}}},
          {"nodes", std::move(nodes)}};
}

}  // namespace

std::string StatusJson(const ReportSource& source) {
  json::array services;
  for (const auto& [key, service] : source.balancer.services()) {
    services.push_back(ServiceJson(*service, source));
  }
  return json::serialize(json::object{
      {"connections", {{"now", source.balancer.connections()}, {"total", source.balancer.total()}}},
      {"unknownAddress", source.strangers},
      {"services", std::move(services)}});
}

}  // namespace kubemu
