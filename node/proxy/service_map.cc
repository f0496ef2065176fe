#include "node/proxy/service_map.h"

#include <algorithm>
#include <utility>

namespace kubemu::proxy {
namespace {

bool Draining(const EndpointInfo& endpoint) {
  return endpoint.serving && endpoint.terminating;
}

// Those that `first` takes; if there is none, those that `second` takes.
template <typename First, typename Second>
std::vector<EndpointInfo> Select(const std::vector<EndpointInfo>& endpoints, First first,
                                 Second second) {
  std::vector<EndpointInfo> chosen;
  std::copy_if(endpoints.begin(), endpoints.end(), std::back_inserter(chosen), first);
  if (!chosen.empty()) return chosen;
  std::copy_if(endpoints.begin(), endpoints.end(), std::back_inserter(chosen), second);
  return chosen;
}

bool HintsAt(const EndpointInfo& endpoint, std::string_view zone) {
  const std::vector<std::string>& hints = endpoint.zone_hints;
  return std::find(hints.begin(), hints.end(), zone) != hints.end();
}

// Hints count only if every ready endpoint has one and one of them names this node's zone.
bool FollowsHints(const std::vector<EndpointInfo>& endpoints, std::string_view zone) {
  bool here = false;
  if (zone.empty()) return false;
  for (const EndpointInfo& endpoint : endpoints) {
    if (!endpoint.ready) continue;
    if (endpoint.zone_hints.empty()) return false;
    here = here || HintsAt(endpoint, zone);
  }
  return here;
}

}  // namespace

std::string_view ProtocolText(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp:
      return "tcp";
    case Protocol::kUdp:
      return "udp";
    case Protocol::kSctp:
      return "sctp";
  }
  return "tcp";
}

bool ProtocolFromApi(std::string_view text, Protocol* protocol) {
  if (text.empty() || text == "TCP") {
    *protocol = Protocol::kTcp;
  } else if (text == "UDP") {
    *protocol = Protocol::kUdp;
  } else if (text == "SCTP") {
    *protocol = Protocol::kSctp;
  } else {
    return false;
  }
  return true;
}

void ServiceMap::SetService(const std::string& service, ServicePorts ports) {
  const auto it = services_.find(service);
  if (it == services_.end() ? ports.empty() : it->second == ports) return;
  if (ports.empty()) {
    services_.erase(it);
  } else {
    services_[service] = std::move(ports);
  }
  Changed(service);
}

void ServiceMap::SetSlice(const std::string& slice, const std::string& service,
                          EndpointsByPort endpoints) {
  const auto it = slices_.find(slice);
  if (it != slices_.end()) {
    if (it->second.service == service && it->second.endpoints == endpoints) return;
    Unlink(slice);
  }
  if (endpoints.empty()) return;
  slices_[slice] = {service, std::move(endpoints)};
  slices_of_[service].insert(slice);
  Changed(service);
}

void ServiceMap::Changed(const std::string& service) {
  changed_.insert(service);
  size_t count = 0;
  if (const auto ports = services_.find(service); ports != services_.end()) {
    for (const auto& [name, info] : ports->second) count += Endpoints(name).size();
  }
  size_t& counted = counted_[service];
  endpoint_count_ += count - counted;
  counted = count;
  if (count == 0) counted_.erase(service);
}

void ServiceMap::Unlink(const std::string& slice) {
  const auto it = slices_.find(slice);
  const std::string service = it->second.service;
  slices_.erase(it);
  const auto of = slices_of_.find(service);
  of->second.erase(slice);
  if (of->second.empty()) slices_of_.erase(of);
  Changed(service);
}

std::set<std::string> ServiceMap::TakeChanged() {
  return std::exchange(changed_, {});
}

std::vector<EndpointInfo> ServiceMap::Endpoints(const ServicePortName& port) const {
  std::map<std::string, EndpointInfo> by_text;
  const auto of = slices_of_.find(port.service);
  if (of == slices_of_.end()) return {};
  for (const std::string& slice : of->second) {
    const EndpointsByPort& endpoints = slices_.at(slice).endpoints;
    const auto found = endpoints.find(port);
    if (found == endpoints.end()) continue;
    for (const EndpointInfo& endpoint : found->second) {
      const auto [it, added] = by_text.try_emplace(endpoint.address.ToString(), endpoint);
      // An endpoint that moves between slices can be in two for a moment: ready wins.
      if (!added && endpoint.ready && !it->second.ready) it->second = endpoint;
    }
  }
  std::vector<EndpointInfo> endpoints;
  for (auto& [text, endpoint] : by_text) endpoints.push_back(std::move(endpoint));
  return endpoints;
}

UsableEndpoints Categorize(const std::vector<EndpointInfo>& endpoints, const ServicePortInfo& info,
                           std::string_view node, std::string_view zone) {
  UsableEndpoints usable;
  const auto draining = [](const EndpointInfo& e) { return Draining(e); };
  usable.any = std::any_of(endpoints.begin(), endpoints.end(),
                           [](const EndpointInfo& e) { return e.ready || Draining(e); });
  if (info.UsesClusterEndpoints()) {
    const bool follow = FollowsHints(endpoints, zone);
    usable.cluster = Select(
        endpoints, [&](const EndpointInfo& e) { return e.ready && (!follow || HintsAt(e, zone)); },
        draining);
  }
  if (info.UsesLocalEndpoints()) {
    usable.local = Select(
        endpoints, [&](const EndpointInfo& e) { return e.ready && e.node == node; },
        [&](const EndpointInfo& e) { return Draining(e) && e.node == node; });
  }
  for (const EndpointInfo& endpoint : endpoints) {
    const auto same = [&](const EndpointInfo& e) { return e.address == endpoint.address; };
    if (std::any_of(usable.cluster.begin(), usable.cluster.end(), same) ||
        std::any_of(usable.local.begin(), usable.local.end(), same)) {
      usable.all.push_back(endpoint);
    }
  }
  return usable;
}

}  // namespace kubemu::proxy
