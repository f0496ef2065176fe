#include "tests/node/iptables/random_cluster.h"

#include <utility>

#include "messages/core/strings.h"

namespace kubemu {

RandomCluster::RandomCluster(uint64_t seed, std::vector<Ipv4> pods)
    : random_(seed), pods_(std::move(pods)) {
  node.name = "node-1";
  node.zone = random_.Chance(0.5) ? "a" : "";
  node.ip = Ipv4(192, 168, 0, 2);
  node.cluster_cidr = Ipv4Network(Ipv4(10, 180, 0, 0), 16);
  node.masquerade_all = random_.Chance(0.1);
}

proxy::ServicePortInfo RandomCluster::RandomInfo(const std::string& service) {
  proxy::ServicePortInfo info;
  const auto number = static_cast<uint8_t>(StableHash(service) % 250 + 1);
  info.cluster_ip = Ipv4(172, 30, static_cast<uint8_t>(made_), number);
  const uint64_t kind = random_.Uniform(4);
  if (kind >= 2) info.external_policy_local = random_.Chance(0.4);
  if (kind == 3) {
    info.load_balancer_ips.push_back(Ipv4(198, 51, 100, static_cast<uint8_t>(made_)));
    if (random_.Chance(0.4)) {
      info.source_ranges.push_back(Ipv4Network(Ipv4(203, 0, 113, 0), 29));
      if (random_.Chance(0.5)) info.source_ranges.push_back({Ipv4(192, 168, 0, 0), 24});
    }
    if (info.external_policy_local) info.health_check_node_port = next_node_port_++;
  }
  if (random_.Chance(0.3)) {
    info.external_ips.push_back(Ipv4(198, 51, 101, static_cast<uint8_t>(made_)));
  }
  info.node_port = kind >= 2 ? 1 : 0;  // gets its own number for each port
  info.internal_policy_local = random_.Chance(0.25);
  if (random_.Chance(0.3)) info.affinity_seconds = 10800;
  return info;
}

void RandomCluster::AddService() {
  ++made_;
  const std::string service = StrCat("ns", random_.Uniform(3), "/svc", made_);
  proxy::ServicePorts ports;
  const proxy::ServicePortInfo common = RandomInfo(service);
  const uint64_t count = 1 + random_.Uniform(3);
  for (uint64_t i = 0; i < count; ++i) {
    proxy::ServicePortName name{service, count == 1 ? "" : StrCat("p", i), proxy::Protocol::kTcp};
    if (random_.Chance(0.25)) name.protocol = proxy::Protocol::kUdp;
    proxy::ServicePortInfo info = common;
    info.port = static_cast<uint16_t>(80 + i);
    if (info.node_port != 0) info.node_port = next_node_port_++;
    ports[name] = info;
  }
  map_.SetService(service, std::move(ports));
  SetEndpoints(service);
}

void RandomCluster::SetEndpoints(const std::string& service) {
  proxy::EndpointsByPort endpoints;
  const double here = random_.Chance(0.3) ? 0 : 0.5;
  const bool hints = random_.Chance(0.3);
  const uint64_t count = random_.Chance(0.2) ? 0 : 1 + random_.Uniform(8);
  std::set<Ipv4> taken;
  for (uint64_t i = 0; i < count; ++i) {
    proxy::EndpointInfo endpoint;
    endpoint.address = {pods_[random_.Uniform(pods_.size())], kPodPort};
    if (!taken.insert(endpoint.address.ip).second) continue;
    endpoint.node = random_.Chance(here) ? node.name : "node-2";
    endpoint.ready = random_.Chance(0.8);
    endpoint.terminating = !endpoint.ready && random_.Chance(0.7);
    endpoint.serving = endpoint.ready || random_.Chance(0.6);
    if (hints) endpoint.zone_hints.push_back(random_.Chance(0.5) ? "a" : "b");
    for (const auto& [name, info] : map_.services().at(service)) {
      endpoints[name].push_back(endpoint);
    }
  }
  map_.SetSlice(service + "-slice", service, std::move(endpoints));
}

void RandomCluster::ChangeOne() {
  if (map_.services().empty()) return AddService();
  auto it = map_.services().begin();
  std::advance(it, static_cast<ptrdiff_t>(random_.Uniform(map_.services().size())));
  const std::string service = it->first;
  const uint64_t what = random_.Uniform(10);
  if (what < 6) return SetEndpoints(service);
  if (what == 6) {
    map_.SetSlice(service + "-slice", service, {});
    map_.SetService(service, {});
    return;
  }
  if (what == 7) return AddService();
  proxy::ServicePorts ports = it->second;
  const bool local = random_.Chance(0.5);
  for (auto& [name, info] : ports) {
    if (what == 8) info.affinity_seconds = info.affinity_seconds == 0 ? 600 : 0;
    if (what == 9) info.internal_policy_local = local;
  }
  map_.SetService(service, std::move(ports));
}

}  // namespace kubemu
