#include <algorithm>
#include <map>

#include "master/apiserver/tables/table.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Endpoints;
using k8s::core::v1::Service;
using k8s::discovery::v1::EndpointSlice;

std::string ExternalIp(const Service& service) {
  const auto& spec = service.spec();
  if (spec.type() == "ExternalName") return spec.external_name();
  std::vector<std::string> ips;
  if (spec.type() == "LoadBalancer") {
    for (const auto& ingress : service.status().load_balancer().ingress())
      ips.push_back(ingress.ip().empty() ? ingress.hostname() : ingress.ip());
  }
  ips.insert(ips.end(), spec.external_ips().begin(), spec.external_ips().end());
  if (!ips.empty()) return StrJoin(ips, ",");
  return spec.type() == "LoadBalancer" ? "<pending>" : "<none>";
}

std::string Ports(const Service& service) {
  std::vector<std::string> texts;
  for (const auto& port : service.spec().ports()) {
    std::string text = StrCat(port.port());
    if (port.node_port() > 0) StrAppend(&text, ":", port.node_port());
    texts.push_back(StrCat(text, "/", port.protocol()));
  }
  return OrNone(StrJoin(texts, ","));
}

std::string Selector(const Service& service) {
  std::map<std::string, std::string> labels;
  for (const auto& label : service.spec().selector()) labels[label.key()] = label.value();
  std::vector<std::string> texts;
  for (const auto& [key, value] : labels) texts.push_back(StrCat(key, "=", value));
  return OrNone(StrJoin(texts, ","));
}

TableCells ServiceCells(const Object& object, WallTime now) {
  const Service& service = object.As<Service>();
  const auto& spec = service.spec();
  return {service.metadata().name(),
          spec.type(),
          spec.cluster_ips().empty() ? "<none>" : spec.cluster_ips(0),
          ExternalIp(service),
          Ports(service),
          CreationAge(object, now),
          Selector(service)};
}

std::string Addresses(const Endpoints& endpoints) {
  std::vector<std::string> texts;
  for (const auto& subset : endpoints.subsets()) {
    for (const auto& address : subset.addresses()) {
      if (subset.ports().empty()) texts.push_back(address.ip());
    }
    for (const auto& port : subset.ports()) {
      for (const auto& address : subset.addresses())
        texts.push_back(StrCat(address.ip(), ":", port.port()));
    }
  }
  return WithMore(texts, texts.size());
}

TableCells EndpointsCells(const Object& object, WallTime now) {
  return {object.meta().name(), Addresses(object.As<Endpoints>()), CreationAge(object, now)};
}

std::string SlicePorts(const EndpointSlice& slice) {
  std::vector<std::string> texts;
  for (const auto& port : slice.ports()) {
    texts.push_back(port.has_port()       ? StrCat(port.port())
                    : port.name().empty() ? "*"
                                          : port.name());
  }
  return texts.empty() ? "<unset>" : WithMore(texts, texts.size());
}

std::string SliceAddresses(const EndpointSlice& slice) {
  std::vector<std::string> texts;
  for (const auto& endpoint : slice.endpoints())
    texts.insert(texts.end(), endpoint.addresses().begin(), endpoint.addresses().end());
  return texts.empty() ? "<unset>" : WithMore(texts, texts.size());
}

TableCells SliceCells(const Object& object, WallTime now) {
  const EndpointSlice& slice = object.As<EndpointSlice>();
  return {slice.metadata().name(), slice.address_type(), SlicePorts(slice), SliceAddresses(slice),
          CreationAge(object, now)};
}

}  // namespace

const TablePrinter* NetworkPrinter(const Kind& kind) {
  static const TablePrinter kServices{{{"Name"},
                                       {"Type"},
                                       {"Cluster-IP"},
                                       {"External-IP"},
                                       {"Port(s)"},
                                       {"Age"},
                                       {"Selector", "string", 1}},
                                      ServiceCells};
  static const TablePrinter kEndpoints{{{"Name"}, {"Endpoints"}, {"Age"}}, EndpointsCells};
  static const TablePrinter kSlices{{{"Name"}, {"AddressType"}, {"Ports"}, {"Endpoints"}, {"Age"}},
                                    SliceCells};
  if (&kind == &KindOf<Service>()) return &kServices;
  if (&kind == &KindOf<Endpoints>()) return &kEndpoints;
  if (&kind == &KindOf<EndpointSlice>()) return &kSlices;
  return nullptr;
}

}  // namespace kubemu
