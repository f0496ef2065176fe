#include "master/controllers/endpoint_slice_controller.h"

#include <utility>

#include "master/controllers/endpoint_values.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Pod;
using k8s::core::v1::Service;
using k8s::discovery::v1::EndpointSlice;

constexpr const char* kServiceName = "kubernetes.io/service-name";
constexpr const char* kManagedBy = "endpointslice.kubernetes.io/managed-by";
constexpr const char* kManager = "endpointslice-controller.k8s.io";
constexpr const char* kZone = "topology.kubernetes.io/zone";

std::string ZoneLabel(const Object& node) {
  const std::string* zone = node ? FindEntry(node.meta().labels(), kZone) : nullptr;
  return zone == nullptr ? "" : *zone;
}

// The service that a slice belongs to; "" if its label was taken away.
std::string ServiceOf(const Object& slice) {
  const std::string* name = FindEntry(slice.meta().labels(), kServiceName);
  return name == nullptr ? "" : ObjectKey(slice.meta().namespace_(), *name);
}

std::string AddressType(const Object& service) {
  const auto& families = service.As<Service>().spec().ip_families();
  return families.empty() || families[0] == "IPv4" ? "IPv4" : "IPv6";
}

// A slice of the service without endpoints and ports.
EndpointSlice EmptySlice(const Object& service) {
  EndpointSlice slice;
  auto* meta = slice.mutable_metadata();
  meta->set_generate_name(service.meta().name() + "-");
  meta->set_namespace_(service.meta().namespace_());
  for (const auto& label : InheritedLabels(service)) {
    SetEntry(meta->mutable_labels(), label.key(), label.value());
  }
  SetEntry(meta->mutable_labels(), kServiceName, service.meta().name());
  SetEntry(meta->mutable_labels(), kManagedBy, kManager);
  auto* owner = meta->add_owner_references();
  owner->set_api_version("v1");
  owner->set_kind("Service");
  owner->set_name(service.meta().name());
  owner->set_uid(service.meta().uid());
  owner->set_controller(true);
  owner->set_block_owner_deletion(true);
  slice.set_address_type(AddressType(service));
  return slice;
}

}  // namespace

EndpointSliceController::EndpointSliceController(Options options)
    : ServiceReconciler({options.interval, options.interval_per_pod}), options_(options) {
  Watch({.kind = &KindOf<EndpointSlice>(),
         .label_selector = std::string(kManagedBy) + "=" + kManager});
  Watch({.kind = &KindOf<k8s::core::v1::Node>()});
}

void EndpointSliceController::OwnChanged(size_t source, const Informer::Change& change, Trace trace,
                                         Env& env) {
  if (source == kSlices) return SliceChanged(change, trace, env);
  if (ZoneLabel(change.before) == ZoneLabel(change.after)) return;
  for (const auto& [key, service] : this->source(kServices).objects()) Touch(key, trace, env);
}

// Somebody else's change of a slice is put right; our own finds nothing to do.
void EndpointSliceController::SliceChanged(const Informer::Change& change, Trace trace, Env& env) {
  if (change.before) {
    const std::string service = ServiceOf(change.before);
    const auto it = slices_.find(service);
    if (it != slices_.end()) {
      it->second.erase(change.key);
      if (it->second.empty()) slices_.erase(it);
    }
    Touch(service, trace, env);
  }
  if (change.after) {
    const std::string service = ServiceOf(change.after);
    slices_[service][change.key] = change.after;
    Touch(service, trace, env);
  }
}

bool EndpointSliceController::ReconcileService(const std::string& key, const Object& service,
                                               Env& env) {
  if (!service || !HasEndpoints(service) || IsTerminating(service)) return false;
  std::map<std::string, Object> existing;
  const EndpointSlice like = EmptySlice(service);
  const auto slices = slices_.find(key);
  if (slices != slices_.end()) {
    for (const auto& [slice_key, slice] : slices->second) {
      if (IsTerminating(slice)) continue;
      if (slice.As<EndpointSlice>().address_type() == like.address_type()) {
        existing.emplace(slice_key, slice);
      } else {
        Delete(slice, "", env);
      }
    }
  }
  EndpointSlicePlan plan =
      PlanEndpointSlices(GroupsOf(service), existing, like, options_.max_endpoints_per_slice);
  const bool writes = !plan.empty();
  for (EndpointSlice& slice : plan.create) Create(Object::From(std::move(slice)), env);
  for (EndpointSlice& slice : plan.update) Update(Object::From(std::move(slice)), "", env);
  for (const Object& slice : plan.remove) Delete(slice, "", env);
  return writes;
}

std::map<std::string, EndpointGroup> EndpointSliceController::GroupsOf(
    const Object& service) const {
  std::map<std::string, EndpointGroup> groups;
  // Pods of one workload have the same ports: the last group is tried first.
  std::vector<BackendPort> last_ports;
  EndpointGroup* last = nullptr;
  for (const auto& [key, pod] : members().Of(service.key())) {
    if (!IsEndpoint(pod)) continue;
    std::vector<BackendPort> ports = PortsOf(service, pod);
    if (last == nullptr || ports != last_ports) {
      EndpointGroup group;
      for (const BackendPort& port : ports) {
        auto& added = group.ports.emplace_back();
        added.set_name(port.name);
        added.set_protocol(port.protocol);
        added.set_port(port.port);
        if (!port.app_protocol.empty()) added.set_app_protocol(port.app_protocol);
      }
      const std::string ports_key = PortsKey(group.ports);
      last = &groups.emplace(ports_key, std::move(group)).first->second;
      last_ports = std::move(ports);
    }
    const WantedEndpoint endpoint = EndpointOf(service, pod);
    // Of two pods with one address the one that serves is meant: the other is on its way out.
    WantedEndpoint& slot = last->endpoints[endpoint.address()];
    if (slot.pod == nullptr || endpoint.serving) slot = endpoint;
  }
  return groups;
}

WantedEndpoint EndpointSliceController::EndpointOf(const Object& service, const Object& pod) const {
  WantedEndpoint endpoint;
  endpoint.pod = &pod;
  endpoint.serving = IsPodReady(pod);
  endpoint.terminating = IsTerminating(pod);
  endpoint.ready = service.As<Service>().spec().publish_not_ready_addresses() ||
                   (endpoint.serving && !endpoint.terminating);
  endpoint.hostname = HostnameIn(service, pod);
  endpoint.zone = ZoneLabel(source(kNodes).Find(pod.As<Pod>().spec().node_name()));
  // endpointslice/trafficdist.
  endpoint.hints_zone = service.As<Service>().spec().traffic_distribution() == "PreferClose" &&
                        endpoint.ready && !endpoint.zone.empty();
  return endpoint;
}

}  // namespace kubemu
