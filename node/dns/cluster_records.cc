#include "node/dns/cluster_records.h"

#include <utility>

#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu::dns {
namespace {

constexpr char kServiceLabel[] = "kubernetes.io/service-name";

std::string ProtocolOf(const std::string& text) {
  return text.empty() ? "tcp" : AsciiLower(text);
}

std::vector<const SliceFacts*> Select(const std::map<std::string, SliceFacts>& slices,
                                      const std::set<std::string>& keys) {
  std::vector<const SliceFacts*> found;
  for (const std::string& key : keys) found.push_back(&slices.at(key));
  return found;
}

template <class Key>
void EraseFrom(std::map<Key, std::set<std::string>>* index, const Key& at,
               const std::string& value) {
  const auto it = index->find(at);
  if (it == index->end()) return;
  it->second.erase(value);
  if (it->second.empty()) index->erase(it);
}

}  // namespace

ServiceFacts FactsOfService(const Object& object) {
  const auto& spec = object.As<k8s::core::v1::Service>().spec();
  ServiceFacts facts;
  if (spec.type() == "ExternalName") {
    facts.type = ServiceFacts::Type::kExternalName;
    facts.external_name = spec.external_name();
    if (facts.external_name.ends_with('.')) facts.external_name.pop_back();
  } else {
    const absl::StatusOr<Ipv4> ip = Ipv4::Parse(spec.cluster_ip());
    if (ip.ok()) facts.cluster_ip = *ip;
    facts.type = ip.ok() ? ServiceFacts::Type::kClusterIp : ServiceFacts::Type::kHeadless;
  }
  for (const auto& port : spec.ports()) {
    facts.ports.push_back(
        {port.name(), ProtocolOf(port.protocol()), static_cast<uint16_t>(port.port())});
  }
  return facts;
}

SliceFacts FactsOfSlice(const Object& object) {
  const auto& slice = object.As<k8s::discovery::v1::EndpointSlice>();
  SliceFacts facts;
  const std::string* service = FindEntry(slice.metadata().labels(), kServiceLabel);
  if (service == nullptr || slice.address_type() != "IPv4") return facts;
  facts.service = ObjectKey(slice.metadata().namespace_(), *service);
  for (const auto& endpoint : slice.endpoints()) {
    // Unset means ready (discovery/v1, EndpointConditions).
    if (endpoint.conditions().has_ready() && !endpoint.conditions().ready()) continue;
    for (const std::string& address : endpoint.addresses()) {
      const absl::StatusOr<Ipv4> ip = Ipv4::Parse(address);
      if (ip.ok()) facts.endpoints.push_back({*ip, endpoint.hostname()});
    }
  }
  for (const auto& port : slice.ports()) {
    facts.ports.push_back(
        {port.name(), ProtocolOf(port.protocol()), static_cast<uint16_t>(port.port())});
  }
  return facts;
}

void ClusterRecords::SetService(const std::string& key, ServiceFacts facts) {
  RemoveService(key);
  if (!facts.cluster_ip.IsNone()) by_cluster_ip_[facts.cluster_ip] = key;
  services_[key] = std::move(facts);
}

void ClusterRecords::RemoveService(const std::string& key) {
  const auto it = services_.find(key);
  if (it == services_.end()) return;
  const auto index = by_cluster_ip_.find(it->second.cluster_ip);
  if (index != by_cluster_ip_.end() && index->second == key) by_cluster_ip_.erase(index);
  services_.erase(it);
}

void ClusterRecords::SetSlice(const std::string& key, SliceFacts facts) {
  RemoveSlice(key);
  if (facts.service.empty()) return;
  slices_of_service_[facts.service].insert(key);
  for (const Endpoint& endpoint : facts.endpoints) slices_by_ip_[endpoint.ip].insert(key);
  slices_[key] = std::move(facts);
}

void ClusterRecords::RemoveSlice(const std::string& key) {
  const auto it = slices_.find(key);
  if (it == slices_.end()) return;
  EraseFrom(&slices_of_service_, it->second.service, key);
  for (const Endpoint& endpoint : it->second.endpoints) {
    EraseFrom(&slices_by_ip_, endpoint.ip, key);
  }
  slices_.erase(it);
}

const ServiceFacts* ClusterRecords::FindService(const std::string& key) const {
  const auto it = services_.find(key);
  return it == services_.end() ? nullptr : &it->second;
}

std::vector<const SliceFacts*> ClusterRecords::SlicesOf(const std::string& service) const {
  const auto it = slices_of_service_.find(service);
  if (it == slices_of_service_.end()) return {};
  return Select(slices_, it->second);
}

std::string ClusterRecords::ServiceAt(Ipv4 cluster_ip) const {
  const auto it = by_cluster_ip_.find(cluster_ip);
  return it == by_cluster_ip_.end() ? "" : it->second;
}

std::vector<const SliceFacts*> ClusterRecords::SlicesAt(Ipv4 endpoint) const {
  const auto it = slices_by_ip_.find(endpoint);
  if (it == slices_by_ip_.end()) return {};
  return Select(slices_, it->second);
}

}  // namespace kubemu::dns
