#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "google/protobuf/message.h"
#include "master/apiserver/defaults/defaults.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Service;
using k8s::core::v1::ServicePort;
using k8s::core::v1::ServiceSpec;

bool HasClusterIp(const ServiceSpec& spec) {
  return spec.type() != "ExternalName";
}

bool HasNodePorts(const ServiceSpec& spec) {
  return spec.type() == "NodePort" || spec.type() == "LoadBalancer";
}

bool HasHealthPort(const ServiceSpec& spec) {
  return spec.type() == "LoadBalancer" && spec.external_traffic_policy() == "Local";
}

bool IsReachedFromOutside(const ServiceSpec& spec) {
  return HasNodePorts(spec) || (HasClusterIp(spec) && !spec.external_ips().empty());
}

std::set<int32_t> NodePortsIn(const ServiceSpec& spec) {
  std::set<int32_t> numbers;
  for (const ServicePort& port : spec.ports()) {
    if (port.node_port() != 0) numbers.insert(port.node_port());
  }
  return numbers;
}

template <class Values>
bool SameValues(const Values& a, const Values& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

// A port that names no node port has that of the old port of its name, unless another took it.
void KeepNodePorts(const ServiceSpec& before, ServiceSpec* spec) {
  std::set<int32_t> used = NodePortsIn(*spec);
  std::map<std::string, int32_t> by_name;
  for (const ServicePort& port : before.ports()) by_name[port.name()] = port.node_port();
  for (ServicePort& port : *spec->mutable_ports()) {
    const auto known = by_name.find(port.name());
    if (port.node_port() != 0 || known == by_name.end() || known->second == 0) continue;
    if (used.insert(known->second).second) port.set_node_port(known->second);
  }
}

void KeepAllocated(const ServiceSpec& before, ServiceSpec* spec) {
  if (HasClusterIp(before) && HasClusterIp(*spec)) {
    if (spec->cluster_ip().empty() && spec->cluster_ips().empty())
      spec->set_cluster_ip(before.cluster_ip());
    if (spec->cluster_ips().empty() && spec->cluster_ip() == before.cluster_ip())
      *spec->mutable_cluster_ips() = before.cluster_ips();
  }
  if (HasNodePorts(before) && HasNodePorts(*spec)) KeepNodePorts(before, spec);
  if (HasHealthPort(before) && HasHealthPort(*spec) && spec->health_check_node_port() == 0)
    spec->set_health_check_node_port(before.health_check_node_port());
}

void DropAddresses(const ServiceSpec& before, ServiceSpec* spec) {
  if (!HasClusterIp(before) || HasClusterIp(*spec)) return;
  if (spec->cluster_ip() == before.cluster_ip() &&
      SameValues(spec->cluster_ips(), before.cluster_ips())) {
    spec->clear_cluster_ip();
    spec->clear_cluster_ips();
  }
  if (SameValues(spec->ip_families(), before.ip_families())) spec->clear_ip_families();
  if (spec->ip_family_policy() == before.ip_family_policy()) spec->clear_ip_family_policy();
}

void DropUnused(const ServiceSpec& before, ServiceSpec* spec) {
  DropAddresses(before, spec);
  if (HasNodePorts(before) && !HasNodePorts(*spec)) {
    const std::set<int32_t> old_ports = NodePortsIn(before);
    const std::set<int32_t> ports = NodePortsIn(*spec);
    if (std::includes(old_ports.begin(), old_ports.end(), ports.begin(), ports.end())) {
      for (ServicePort& port : *spec->mutable_ports()) port.clear_node_port();
    }
  }
  if (HasHealthPort(before) && !HasHealthPort(*spec) &&
      spec->health_check_node_port() == before.health_check_node_port())
    spec->clear_health_check_node_port();
  if (before.type() == "LoadBalancer" && spec->type() != "LoadBalancer") {
    if (spec->allocate_load_balancer_node_ports() == before.allocate_load_balancer_node_ports())
      spec->clear_allocate_load_balancer_node_ports();
    if (spec->load_balancer_class() == before.load_balancer_class())
      spec->clear_load_balancer_class();
  }
  if (IsReachedFromOutside(before) && !IsReachedFromOutside(*spec) &&
      spec->external_traffic_policy() == before.external_traffic_policy())
    spec->clear_external_traffic_policy();
}

}  // namespace

void CarryOver(const google::protobuf::Message& old_object, google::protobuf::Message* new_object) {
  const auto* before = google::protobuf::DynamicCastToGenerated<Service>(&old_object);
  auto* service = google::protobuf::DynamicCastToGenerated<Service>(new_object);
  if (before == nullptr || service == nullptr) return;
  KeepAllocated(before->spec(), service->mutable_spec());
  DropUnused(before->spec(), service->mutable_spec());
  // Nothing balances any more: upstream does not wait for its controller to say so.
  if (service->spec().type() != "LoadBalancer" && service->has_status())
    service->mutable_status()->clear_load_balancer();
}

}  // namespace kubemu
