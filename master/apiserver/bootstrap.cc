#include "master/apiserver/bootstrap.h"

#include <utility>

#include "master/apiserver/dns_addon.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Endpoints;
using k8s::core::v1::Namespace;
using k8s::core::v1::Service;
using k8s::discovery::v1::EndpointSlice;

constexpr const char* kName = "kubernetes";
constexpr const char* kNamespace = "default";

ApiCall Write(Action action, Object object) {
  ApiCall call;
  call.action = action;
  call.kind = &object.kind();
  call.ns = object.meta().namespace_();
  call.name = object.meta().name();
  call.field_manager = "kube-apiserver";
  call.object = std::move(object);
  return call;
}

Object MakeNamespace(const char* name) {
  Namespace ns;
  ns.mutable_metadata()->set_name(name);
  return Object::From(std::move(ns));
}

Object MakeService(Ipv4 cluster_ip, uint16_t port) {
  Service service;
  auto* meta = service.mutable_metadata();
  meta->set_name(kName);
  meta->set_namespace_(kNamespace);
  SetEntry(meta->mutable_labels(), "component", "apiserver");
  SetEntry(meta->mutable_labels(), "provider", "kubernetes");
  service.mutable_spec()->set_type("ClusterIP");
  service.mutable_spec()->set_cluster_ip(cluster_ip.ToString());
  auto* https = service.mutable_spec()->add_ports();
  https->set_name("https");
  https->set_port(443);
  https->set_protocol("TCP");
  https->mutable_target_port()->set_type(0);
  https->mutable_target_port()->set_int_val(port);
  return Object::From(std::move(service));
}

Object MakeEndpoints(const std::string& ip, uint16_t port) {
  Endpoints endpoints;
  auto* meta = endpoints.mutable_metadata();
  meta->set_name(kName);
  meta->set_namespace_(kNamespace);
  SetEntry(meta->mutable_labels(), "endpointslice.kubernetes.io/skip-mirror", "true");
  auto* subset = endpoints.add_subsets();
  subset->add_addresses()->set_ip(ip);
  auto* https = subset->add_ports();
  https->set_name("https");
  https->set_port(port);
  https->set_protocol("TCP");
  return Object::From(std::move(endpoints));
}

Object MakeSlice(const std::string& ip, uint16_t port) {
  EndpointSlice slice;
  auto* meta = slice.mutable_metadata();
  meta->set_name(kName);
  meta->set_namespace_(kNamespace);
  SetEntry(meta->mutable_labels(), "kubernetes.io/service-name", kName);
  slice.set_address_type("IPv4");
  auto* endpoint = slice.add_endpoints();
  endpoint->add_addresses(ip);
  endpoint->mutable_conditions()->set_ready(true);
  auto* https = slice.add_ports();
  https->set_name("https");
  https->set_port(port);
  https->set_protocol("TCP");
  return Object::From(std::move(slice));
}

bool PointsTo(const Object& endpoints, const std::string& ip, uint16_t port) {
  const auto& subsets = endpoints.As<Endpoints>().subsets();
  return subsets.size() == 1 && subsets[0].addresses_size() == 1 && subsets[0].ports_size() == 1 &&
         subsets[0].addresses(0).ip() == ip && subsets[0].ports(0).port() == port;
}

bool SlicePointsTo(const Object& object, const std::string& ip, uint16_t port) {
  const EndpointSlice& slice = object.As<EndpointSlice>();
  return slice.endpoints_size() == 1 && slice.endpoints(0).addresses_size() == 1 &&
         slice.ports_size() == 1 && slice.endpoints(0).addresses(0) == ip &&
         slice.ports(0).port() == port;
}

}  // namespace

std::vector<ApiCall> MissingBootstrap(const Cache& cache, Ipv4 cluster_ip, Ipv4 cluster_dns,
                                      const std::string& ip, uint16_t port) {
  std::vector<ApiCall> calls;
  for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    if (!cache.Find(KindOf<Namespace>(), "", name))
      calls.push_back(Write(Action::kCreate, MakeNamespace(name)));
  }
  if (!calls.empty()) return calls;
  if (!cache.Find(KindOf<Service>(), kNamespace, kName))
    calls.push_back(Write(Action::kCreate, MakeService(cluster_ip, port)));
  const Object endpoints = cache.Find(KindOf<Endpoints>(), kNamespace, kName);
  if (!endpoints || !PointsTo(endpoints, ip, port)) {
    calls.push_back(Write(endpoints ? Action::kUpdate : Action::kCreate, MakeEndpoints(ip, port)));
  }
  const Object slice = cache.Find(KindOf<EndpointSlice>(), kNamespace, kName);
  if (!slice || !SlicePointsTo(slice, ip, port))
    calls.push_back(Write(slice ? Action::kUpdate : Action::kCreate, MakeSlice(ip, port)));
  if (cluster_dns.IsNone()) return calls;
  for (Object& object : DnsAddon(cluster_dns)) {
    const auto& meta = object.meta();
    if (cache.Find(object.kind(), meta.namespace_(), meta.name())) continue;
    calls.push_back(Write(Action::kCreate, std::move(object)));
  }
  return calls;
}

}  // namespace kubemu
