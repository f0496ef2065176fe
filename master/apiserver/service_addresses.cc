#include "master/apiserver/service_addresses.h"

#include <algorithm>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Service;
using k8s::core::v1::ServicePort;

bool NeedsIp(const Service& service) {
  return service.spec().type() != "ExternalName";
}

bool NeedsHealthPort(const Service& service) {
  return service.spec().type() == "LoadBalancer" &&
         service.spec().external_traffic_policy() == "Local";
}

bool NeedsNodePorts(const Service& service) {
  if (service.spec().type() == "NodePort") return true;
  return service.spec().type() == "LoadBalancer" &&
         (!service.spec().has_allocate_load_balancer_node_ports() ||
          service.spec().allocate_load_balancer_node_ports());
}

std::vector<Ipv4> IpsOf(const Service& service) {
  std::vector<Ipv4> ips;
  for (const std::string& text : service.spec().cluster_ips()) {
    const absl::StatusOr<Ipv4> ip = Ipv4::Parse(text);
    if (ip.ok()) ips.push_back(*ip);
  }
  return ips;
}

// The ports on nodes, each once.
std::vector<uint16_t> PortsOf(const Service& service) {
  std::vector<uint16_t> ports;
  for (const ServicePort& port : service.spec().ports()) {
    if (port.node_port() > 0) ports.push_back(static_cast<uint16_t>(port.node_port()));
  }
  if (service.spec().health_check_node_port() > 0)
    ports.push_back(static_cast<uint16_t>(service.spec().health_check_node_port()));
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  return ports;
}

template <class Key>
void Drop(std::map<Key, int>* counts, const Key& key) {
  const auto it = counts->find(key);
  if (it != counts->end() && --it->second == 0) counts->erase(it);
}

// This cluster has IPv4 only (pkg/registry/core/service/storage/alloc.go, initIPFamilyFields). A
// family that is not named is that of the address asked for.
void CheckFamilies(const Service& service, FieldErrorList* errors) {
  const auto& spec = service.spec();
  if (spec.ip_family_policy() == "RequireDualStack") {
    errors->Invalid(FieldPath("spec").Child("ipFamilyPolicy"), spec.ip_family_policy(),
                    "this cluster is not configured for dual-stack services");
  }
  std::vector<std::string> families(spec.ip_families().begin(), spec.ip_families().end());
  std::vector<std::string> ips(spec.cluster_ips().begin(), spec.cluster_ips().end());
  if (ips.empty()) ips.push_back(spec.cluster_ip());
  if (families.size() < ips.size()) families.resize(ips.size(), "IPv4");
  for (size_t i = 0; i < ips.size(); ++i) {
    if (ips[i].find(':') != std::string::npos) families[i] = "IPv6";
  }
  int index = -1;
  for (const std::string& family : families) {
    ++index;
    if (family == "IPv4") continue;
    errors->Invalid(FieldPath("spec").Child("ipFamilies").Index(index), family,
                    "not configured on this cluster");
  }
}

void SetFamilies(Service* service) {
  auto* spec = service->mutable_spec();
  if (spec->ip_families().empty()) spec->add_ip_families("IPv4");
  if (!spec->has_ip_family_policy()) spec->set_ip_family_policy("SingleStack");
}

}  // namespace

ServiceAddresses::ServiceAddresses(Options options) : options_(options) {
  const uint64_t size = options_.cluster_ips.size();
  // Static bands: KEP-3070 (addresses) and KEP-3668 (node ports).
  next_ip_ = std::min<uint64_t>(std::max<uint64_t>(16, size / 16), 256);
  if (next_ip_ + 1 >= size) next_ip_ = 1;
  const uint32_t ports = options_.last_node_port - options_.first_node_port + 1u;
  next_port_ = options_.first_node_port + std::min(std::max(16u, ports / 32), 128u);
  if (next_port_ > options_.last_node_port) next_port_ = options_.first_node_port;
}

void ServiceAddresses::Follow(const Object& before, const Object& after) {
  if (after) {
    for (Ipv4 ip : IpsOf(after.As<Service>())) ++ips_[ip];
    for (uint16_t port : PortsOf(after.As<Service>())) ++ports_[port];
  }
  if (before) {
    for (Ipv4 ip : IpsOf(before.As<Service>())) Drop(&ips_, ip);
    for (uint16_t port : PortsOf(before.As<Service>())) Drop(&ports_, port);
  }
}

void ServiceAddresses::Release(const Reservation& reservation) {
  for (Ipv4 ip : reservation.ips) Drop(&ips_, ip);
  for (uint16_t port : reservation.ports) Drop(&ports_, port);
}

ServiceAddresses::Reservation ServiceAddresses::Assign(const Service* old, Service* service,
                                                       FieldErrorList* errors) {
  Reservation taken;
  if (NeedsIp(*service)) AssignIp(old, service, &taken, errors);
  AssignPorts(old, service, &taken, errors);
  if (NeedsHealthPort(*service)) AssignHealthPort(service, &taken, errors);
  if (!errors->empty()) {
    Release(taken);
    return {};
  }
  return taken;
}

void ServiceAddresses::AssignIp(const Service* old, Service* service, Reservation* taken,
                                FieldErrorList* errors) {
  auto* spec = service->mutable_spec();
  CheckFamilies(*service, errors);
  if (!errors->empty()) return;
  SetFamilies(service);
  if (spec->cluster_ip().empty() && !spec->cluster_ips().empty())
    spec->set_cluster_ip(spec->cluster_ips(0));
  const FieldPath path = FieldPath("spec").Child("clusterIPs");
  if (spec->cluster_ip().empty()) {
    const Ipv4 ip = FreeIp();
    if (ip.IsNone())
      return errors->Invalid(path, "", "failed to allocate a serviceIP: range is full");
    TakeIp(ip, taken);
    spec->set_cluster_ip(ip.ToString());
  } else if (spec->cluster_ip() != "None") {
    const absl::StatusOr<Ipv4> ip = Ipv4::Parse(spec->cluster_ip());
    if (!ip.ok()) return;  // validation has said so
    const std::vector<Ipv4> held = old == nullptr ? std::vector<Ipv4>() : IpsOf(*old);
    const std::string shown = StrCat("[\"", ip->ToString(), "\"]");
    if (!options_.cluster_ips.Contains(*ip)) {
      return errors->InvalidRaw(
          path, shown,
          StrCat("failed to allocate IP ", ip->ToString(), ": the provided IP (", ip->ToString(),
                 ") is not in the valid range. The range of valid IPs is ",
                 options_.cluster_ips.ToString()));
    }
    if (std::find(held.begin(), held.end(), *ip) == held.end() && !TakeIp(*ip, taken)) {
      return errors->InvalidRaw(
          path, shown,
          StrCat("failed to allocate IP ", ip->ToString(), ": provided IP is already allocated"));
    }
  }
  spec->clear_cluster_ips();
  spec->add_cluster_ips(spec->cluster_ip());
}

void ServiceAddresses::AssignPorts(const Service* old, Service* service, Reservation* taken,
                                   FieldErrorList* errors) {
  std::vector<uint16_t> held = old == nullptr ? std::vector<uint16_t>() : PortsOf(*old);
  // Ports that were asked for come first, so that a free one is not given away before.
  for (int pass = 0; pass < 2; ++pass) {
    int index = -1;
    for (ServicePort& port : *service->mutable_spec()->mutable_ports()) {
      ++index;
      const FieldPath path = FieldPath("spec").Child("ports").Index(index).Child("nodePort");
      const int64_t wanted = port.node_port();
      if (pass == 0 && wanted != 0) {
        if (wanted < options_.first_node_port || wanted > options_.last_node_port) {
          errors->Invalid(path, wanted,
                          StrCat("provided port is not in the valid range. The range of valid "
                                 "ports is ",
                                 options_.first_node_port, "-", options_.last_node_port));
          continue;
        }
        const auto number = static_cast<uint16_t>(wanted);
        if (std::find(held.begin(), held.end(), number) != held.end()) continue;
        if (!TakePort(number, taken)) {
          errors->Invalid(path, wanted, "provided port is already allocated");
        } else {
          held.push_back(number);  // the same number for another protocol is no conflict
        }
      } else if (pass == 1 && wanted == 0 && NeedsNodePorts(*service)) {
        const uint16_t number = FreePort();
        if (number == 0) return errors->Invalid(path, 0, "range is full");
        TakePort(number, taken);
        port.set_node_port(number);
      }
    }
  }
}

void ServiceAddresses::AssignHealthPort(Service* service, Reservation* taken,
                                        FieldErrorList* errors) {
  if (service->spec().health_check_node_port() != 0) return;
  const uint16_t number = FreePort();
  const FieldPath path = FieldPath("spec").Child("healthCheckNodePort");
  if (number == 0) return errors->Invalid(path, 0, "range is full");
  TakePort(number, taken);
  service->mutable_spec()->set_health_check_node_port(number);
}

bool ServiceAddresses::TakeIp(Ipv4 ip, Reservation* taken) {
  if (ips_.contains(ip)) return false;
  ips_[ip] = 1;
  taken->ips.push_back(ip);
  return true;
}

bool ServiceAddresses::TakePort(uint16_t port, Reservation* taken) {
  if (ports_.contains(port)) return false;
  ports_[port] = 1;
  taken->ports.push_back(port);
  return true;
}

// The next free address; 0.0.0.0 if there is none. The first and last of the range, and the one of
// default/kubernetes, are never given.
Ipv4 ServiceAddresses::FreeIp() {
  const uint64_t size = options_.cluster_ips.size();
  for (uint64_t tried = 0; tried < size; ++tried) {
    const Ipv4 ip = options_.cluster_ips.At(next_ip_);
    next_ip_ = next_ip_ + 2 >= size ? 2 : next_ip_ + 1;
    if (!ips_.contains(ip)) return ip;
  }
  return Ipv4();
}

uint16_t ServiceAddresses::FreePort() {
  const uint32_t count = options_.last_node_port - options_.first_node_port + 1u;
  for (uint32_t tried = 0; tried < count; ++tried) {
    const auto port = static_cast<uint16_t>(next_port_);
    next_port_ = next_port_ >= options_.last_node_port ? options_.first_node_port : next_port_ + 1;
    if (!ports_.contains(port)) return port;
  }
  return 0;
}

}  // namespace kubemu
