#include "master/controllers/endpoints_controller.h"

#include <map>
#include <utility>
#include <vector>

#include "master/controllers/endpoint_values.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::EndpointAddress;
using k8s::core::v1::Endpoints;
using k8s::core::v1::Pod;

constexpr const char* kManagedBy = "endpoints.kubernetes.io/managed-by";
constexpr const char* kManager = "endpoint-controller";
constexpr const char* kOverCapacity = "endpoints.kubernetes.io/over-capacity";

// The addresses behind one set of ports.
struct Subset {
  std::map<std::string, EndpointAddress> ready;  // by address
  std::map<std::string, EndpointAddress> not_ready;
};
using Subsets = std::map<std::vector<BackendPort>, Subset>;

EndpointAddress AddressOf(const Object& service, const Object& pod) {
  EndpointAddress address;
  address.set_ip(pod.As<Pod>().status().pod_ip());
  const std::string hostname = HostnameIn(service, pod);
  if (!hostname.empty()) address.set_hostname(hostname);
  const std::string& node = pod.As<Pod>().spec().node_name();
  if (!node.empty()) address.set_node_name(node);
  auto* target = address.mutable_target_ref();
  target->set_kind("Pod");
  target->set_namespace_(pod.meta().namespace_());
  target->set_name(pod.meta().name());
  target->set_uid(pod.meta().uid());
  return address;
}

Subsets SubsetsOf(const Object& service, const std::map<std::string, Object>& pods) {
  const bool publish_all =
      service.As<k8s::core::v1::Service>().spec().publish_not_ready_addresses();
  Subsets subsets;
  for (const auto& [key, pod] : pods) {
    if (!IsEndpoint(pod) || (IsTerminating(pod) && !publish_all)) continue;
    std::vector<BackendPort> ports = PortsOf(service, pod);
    if (ports.empty() && !IsHeadless(service)) continue;
    Subset& subset = subsets[std::move(ports)];
    EndpointAddress address = AddressOf(service, pod);
    const std::string ip = address.ip();
    (publish_all || IsPodReady(pod) ? subset.ready : subset.not_ready)[ip] = std::move(address);
  }
  return subsets;
}

// Takes at most `room` addresses over; ready ones first.
void Append(const std::map<std::string, EndpointAddress>& addresses, size_t& room,
            google::protobuf::RepeatedPtrField<EndpointAddress>* to) {
  for (const auto& [ip, address] : addresses) {
    if (room == 0) return;
    *to->Add() = address;
    --room;
  }
}

Endpoints Wanted(const Object& service, const std::map<std::string, Object>& pods) {
  Endpoints endpoints;
  auto* meta = endpoints.mutable_metadata();
  meta->set_name(service.meta().name());
  meta->set_namespace_(service.meta().namespace_());
  for (const auto& label : InheritedLabels(service)) {
    SetEntry(meta->mutable_labels(), label.key(), label.value());
  }
  SetEntry(meta->mutable_labels(), kManagedBy, kManager);
  const Subsets subsets = SubsetsOf(service, pods);
  size_t total = 0;
  for (const auto& [ports, subset] : subsets) {
    total += subset.ready.size() + subset.not_ready.size();
  }
  size_t room = EndpointsController::kAddressesMax;
  for (const auto& [ports, subset] : subsets) {
    auto* added = endpoints.add_subsets();
    Append(subset.ready, room, added->mutable_addresses());
    Append(subset.not_ready, room, added->mutable_not_ready_addresses());
    for (const BackendPort& port : ports) {
      auto* added_port = added->add_ports();
      added_port->set_name(port.name);
      added_port->set_port(port.port);
      added_port->set_protocol(port.protocol);
      if (!port.app_protocol.empty()) added_port->set_app_protocol(port.app_protocol);
    }
  }
  if (total > EndpointsController::kAddressesMax) {
    SetEntry(meta->mutable_annotations(), kOverCapacity, "truncated");
  }
  return endpoints;
}

// Equal in what this controller writes.
bool Same(const Endpoints& a, const Endpoints& b) {
  Endpoints left;
  Endpoints right;
  for (const auto& [from, to] : {std::pair{&a, &left}, std::pair{&b, &right}}) {
    *to->mutable_subsets() = from->subsets();
    *to->mutable_metadata()->mutable_labels() = from->metadata().labels();
    const std::string* mark = FindEntry(from->metadata().annotations(), kOverCapacity);
    if (mark != nullptr) {
      SetEntry(to->mutable_metadata()->mutable_annotations(), kOverCapacity, *mark);
    }
  }
  return left.SerializeAsString() == right.SerializeAsString();
}

}  // namespace

EndpointsController::EndpointsController(Options options)
    : ServiceReconciler(options.min_interval) {
  Watch({.kind = &KindOf<Endpoints>()});
}

void EndpointsController::OwnChanged(size_t, const Informer::Change& change, Trace trace,
                                     Env& env) {
  Touch(change.key, trace, env);
}

void EndpointsController::Reconcile(const std::string& key, Env& env) {
  const Object service = source(kServices).Find(key);
  const Object current = source(kEndpoints).Find(key);
  if (!service) {
    // Endpoints without a service belong to whoever made them, unless it was us.
    const std::string* manager = current ? FindEntry(current.meta().labels(), kManagedBy) : nullptr;
    if (manager != nullptr && *manager == kManager) Delete(current, "", env);
    return;
  }
  if (!HasEndpoints(service)) return;
  Endpoints wanted = Wanted(service, members().Of(key));
  if (!current) {
    Create(Object::From(std::move(wanted)), env);
  } else if (!Same(wanted, current.As<Endpoints>())) {
    Endpoints updated = current.As<Endpoints>();
    *updated.mutable_subsets() = wanted.subsets();
    *updated.mutable_metadata()->mutable_labels() = wanted.metadata().labels();
    EraseEntry(updated.mutable_metadata()->mutable_annotations(), kOverCapacity);
    for (const auto& entry : wanted.metadata().annotations()) {
      SetEntry(updated.mutable_metadata()->mutable_annotations(), entry.key(), entry.value());
    }
    Update(Object::From(std::move(updated)), "", env);
  } else {
    return;
  }
  Wrote(key, env);
}

}  // namespace kubemu
