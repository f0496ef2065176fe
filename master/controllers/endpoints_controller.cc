#include "master/controllers/endpoints_controller.h"

#include <algorithm>
#include <iterator>
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
using k8s::core::v1::Service;

constexpr const char* kEndpointsManagedBy = "endpoints.kubernetes.io/managed-by";
constexpr const char* kEndpointsManager = "endpoint-controller";
constexpr const char* kOverCapacity = "endpoints.kubernetes.io/over-capacity";

// The pods behind one set of ports, by address.
struct Subset {
  std::map<std::string, const Object*> ready;
  std::map<std::string, const Object*> not_ready;
};
using Subsets = std::map<std::vector<BackendPort>, Subset>;

Subsets SubsetsOf(const Object& service, const std::map<std::string, Object>& pods) {
  const bool publish_all = service.As<Service>().spec().publish_not_ready_addresses();
  Subsets subsets;
  for (const auto& [key, pod] : pods) {
    if (!IsEndpoint(pod) || (IsTerminating(pod) && !publish_all)) continue;
    std::vector<BackendPort> ports = PortsOf(service, pod);
    if (ports.empty() && !IsHeadless(service)) continue;
    Subset& subset = subsets[std::move(ports)];
    const bool is_ready = publish_all || IsPodReady(pod);
    (is_ready ? subset.ready : subset.not_ready)[pod.As<Pod>().status().pod_ip()] = &pod;
  }
  return subsets;
}

// Cuts to the capacity, ready ones kept first; returns whether anything was cut. What has no
// address left goes.
bool Truncate(Subsets& subsets) {
  size_t room = EndpointsController::kAddressesMax;
  bool cut = false;
  for (auto& [ports, subset] : subsets) {
    for (auto* addresses : {&subset.ready, &subset.not_ready}) {
      while (addresses->size() > room) {
        addresses->erase(std::prev(addresses->end()));
        cut = true;
      }
      room -= addresses->size();
    }
  }
  std::erase_if(subsets, [](const auto& subset) {
    return subset.second.ready.empty() && subset.second.not_ready.empty();
  });
  return cut;
}

bool Same(const EndpointAddress& address, const Object& service, const Object& pod) {
  return address.ip() == pod.As<Pod>().status().pod_ip() &&
         address.node_name() == pod.As<Pod>().spec().node_name() &&
         address.target_ref().uid() == pod.meta().uid() &&
         address.target_ref().name() == pod.meta().name() &&
         address.hostname() == HostnameIn(service, pod);
}

template <class Addresses>
bool SameAll(const Addresses& addresses, const Object& service,
             const std::map<std::string, const Object*>& pods) {
  return std::equal(addresses.begin(), addresses.end(), pods.begin(), pods.end(),
                    [&service](const EndpointAddress& address, const auto& pod) {
                      return Same(address, service, *pod.second);
                    });
}

bool Same(const k8s::core::v1::EndpointPort& port, const BackendPort& wanted) {
  return port.name() == wanted.name && port.protocol() == wanted.protocol &&
         port.port() == wanted.port && port.app_protocol() == wanted.app_protocol;
}

// Compares without building anything: thousands of addresses that did not change cost little.
bool SameSubsets(const Endpoints& current, const Object& service, const Subsets& subsets) {
  return std::equal(current.subsets().begin(), current.subsets().end(), subsets.begin(),
                    subsets.end(), [&service](const auto& is, const auto& wanted) {
                      return SameAll(is.addresses(), service, wanted.second.ready) &&
                             SameAll(is.not_ready_addresses(), service, wanted.second.not_ready) &&
                             std::equal(is.ports().begin(), is.ports().end(), wanted.first.begin(),
                                        wanted.first.end(), [](const auto& port, const auto& like) {
                                          return Same(port, like);
                                        });
                    });
}

void SetAddress(const Object& service, const Object& pod, EndpointAddress* address) {
  address->set_ip(pod.As<Pod>().status().pod_ip());
  const std::string hostname = HostnameIn(service, pod);
  if (!hostname.empty()) address->set_hostname(hostname);
  const std::string& node = pod.As<Pod>().spec().node_name();
  if (!node.empty()) address->set_node_name(node);
  auto* target = address->mutable_target_ref();
  target->set_kind("Pod");
  target->set_namespace_(pod.meta().namespace_());
  target->set_name(pod.meta().name());
  target->set_uid(pod.meta().uid());
}

void SetSubsets(const Object& service, const Subsets& subsets, Endpoints* endpoints) {
  endpoints->clear_subsets();
  for (const auto& [ports, subset] : subsets) {
    auto* added = endpoints->add_subsets();
    for (const auto& [ip, pod] : subset.ready) SetAddress(service, *pod, added->add_addresses());
    for (const auto& [ip, pod] : subset.not_ready) {
      SetAddress(service, *pod, added->add_not_ready_addresses());
    }
    for (const BackendPort& port : ports) {
      auto* added_port = added->add_ports();
      added_port->set_name(port.name);
      added_port->set_port(port.port);
      added_port->set_protocol(port.protocol);
      if (!port.app_protocol.empty()) added_port->set_app_protocol(port.app_protocol);
    }
  }
}

// The service's labels and the mark of this controller.
StringEntries LabelsOf(const Object& service) {
  StringEntries labels;
  for (const auto& label : InheritedLabels(service)) SetEntry(&labels, label.key(), label.value());
  SetEntry(&labels, kEndpointsManagedBy, kEndpointsManager);
  return labels;
}

bool SameEntries(const StringEntries& a, const StringEntries& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.key() == y.key() && x.value() == y.value();
  });
}

}  // namespace

EndpointsController::EndpointsController(Options options)
    : ServiceReconciler({options.interval, options.interval_per_pod}) {
  Watch({.kind = &KindOf<Endpoints>()});
}

void EndpointsController::OwnChanged(size_t, const Informer::Change& change, Trace trace,
                                     Env& env) {
  Touch(change.key, trace, env);
}

bool EndpointsController::ReconcileService(const std::string& key, const Object& service,
                                           Env& env) {
  const Object current = source(kEndpoints).Find(key);
  if (!service) {
    // Endpoints without a service belong to whoever made them, unless it was us.
    const std::string* manager =
        current ? FindEntry(current.meta().labels(), kEndpointsManagedBy) : nullptr;
    if (manager != nullptr && *manager == kEndpointsManager) Delete(current, "", env);
    return true;
  }
  if (!HasEndpoints(service)) return false;
  Subsets subsets = SubsetsOf(service, members().Of(key));
  const bool is_cut = Truncate(subsets);
  const StringEntries labels = LabelsOf(service);
  if (current && SameEntries(labels, current.meta().labels()) &&
      is_cut == (FindEntry(current.meta().annotations(), kOverCapacity) != nullptr) &&
      SameSubsets(current.As<Endpoints>(), service, subsets)) {
    return false;
  }
  Endpoints endpoints;
  auto* meta = endpoints.mutable_metadata();
  if (current) *meta = current.meta();
  meta->set_name(service.meta().name());
  meta->set_namespace_(service.meta().namespace_());
  *meta->mutable_labels() = labels;
  EraseEntry(meta->mutable_annotations(), kOverCapacity);
  if (is_cut) SetEntry(meta->mutable_annotations(), kOverCapacity, "truncated");
  SetSubsets(service, subsets, &endpoints);
  if (current) {
    Update(Object::From(std::move(endpoints)), "", env);
  } else {
    Create(Object::From(std::move(endpoints)), env);
  }
  return true;
}

}  // namespace kubemu
