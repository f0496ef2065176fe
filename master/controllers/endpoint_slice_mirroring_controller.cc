#include "master/controllers/endpoint_slice_mirroring_controller.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <utility>

#include "master/controllers/endpoint_slice_plan.h"
#include "master/controllers/endpoint_values.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/core/ip.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::EndpointAddress;
using k8s::core::v1::Endpoints;
using k8s::core::v1::Service;
using k8s::discovery::v1::EndpointSlice;

constexpr size_t kEndpointsSource = 0;
constexpr size_t kServicesSource = 1;
constexpr size_t kSlicesSource = 2;

constexpr const char* kNameLabel = "kubernetes.io/service-name";
constexpr const char* kManagerLabel = "endpointslice.kubernetes.io/managed-by";
constexpr const char* kMirroring = "endpointslicemirroring-controller.k8s.io";
constexpr const char* kSkipMirror = "endpointslice.kubernetes.io/skip-mirror";
constexpr const char* kLeader = "control-plane.alpha.kubernetes.io/leader";
constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr const char* kTriggerTime = "endpoints.kubernetes.io/last-change-trigger-time";

std::string MirroredService(const Object& slice) {
  const std::string* name = FindEntry(slice.meta().labels(), kNameLabel);
  return name == nullptr ? "" : ObjectKey(slice.meta().namespace_(), *name);
}

void AddMirrored(const EndpointAddress& address, bool ready, EndpointSlice* slice) {
  // IPv6 is not there in kubemu.
  if (!Ipv4::Parse(address.ip()).ok()) return;
  auto* endpoint = slice->add_endpoints();
  endpoint->add_addresses(address.ip());
  endpoint->mutable_conditions()->set_ready(ready);
  if (!address.hostname().empty()) endpoint->set_hostname(address.hostname());
  if (!address.node_name().empty()) endpoint->set_node_name(address.node_name());
  if (address.has_target_ref()) *endpoint->mutable_target_ref() = address.target_ref();
}

EndpointSlice EmptyMirror(const Object& endpoints) {
  EndpointSlice slice;
  auto* meta = slice.mutable_metadata();
  meta->set_generate_name(endpoints.meta().name() + "-");
  meta->set_namespace_(endpoints.meta().namespace_());
  *meta->mutable_labels() = endpoints.meta().labels();
  SetEntry(meta->mutable_labels(), kNameLabel, endpoints.meta().name());
  SetEntry(meta->mutable_labels(), kManagerLabel, kMirroring);
  for (const auto& entry : endpoints.meta().annotations()) {
    if (entry.key() == kLastApplied || entry.key() == kTriggerTime) continue;
    SetEntry(meta->mutable_annotations(), entry.key(), entry.value());
  }
  auto* owner = meta->add_owner_references();
  owner->set_api_version("v1");
  owner->set_kind("Endpoints");
  owner->set_name(endpoints.meta().name());
  owner->set_uid(endpoints.meta().uid());
  owner->set_controller(true);
  owner->set_block_owner_deletion(true);
  slice.set_address_type("IPv4");
  return slice;
}

template <class Entries>
bool SameMarks(const Entries& a, const Entries& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.key() == y.key() && x.value() == y.value();
  });
}

bool Says(const EndpointSlice& slice, const EndpointSlice& wanted) {
  EndpointSlice is = slice;
  EndpointSlice should = wanted;
  is.clear_metadata();
  should.clear_metadata();
  return google::protobuf::util::MessageDifferencer::Equivalent(is, should) &&
         SameMarks(slice.metadata().labels(), wanted.metadata().labels()) &&
         SameMarks(slice.metadata().annotations(), wanted.metadata().annotations());
}

}  // namespace

std::map<std::string, EndpointSlice> MirrorOf(const Object& object) {
  std::map<std::string, EndpointSlice> mirror;
  const EndpointSlice empty = EmptyMirror(object);
  for (const auto& subset : object.As<Endpoints>().subsets()) {
    EndpointSlice slice = empty;
    for (const auto& port : subset.ports()) {
      auto* added = slice.add_ports();
      added->set_name(port.name());
      added->set_protocol(port.protocol().empty() ? "TCP" : port.protocol());
      added->set_port(port.port());
      if (port.has_app_protocol()) added->set_app_protocol(port.app_protocol());
    }
    // Two subsets with the same ports are one slice.
    EndpointSlice& one =
        mirror.try_emplace(PortsKey(slice.ports()), std::move(slice)).first->second;
    const int room =
        one.endpoints_size() + EndpointSliceMirroringController::kEndpointsPerSubsetMax;
    for (const auto& address : subset.addresses()) {
      if (one.endpoints_size() < room) AddMirrored(address, true, &one);
    }
    for (const auto& address : subset.not_ready_addresses()) {
      if (one.endpoints_size() < room) AddMirrored(address, false, &one);
    }
  }
  std::erase_if(mirror, [](const auto& entry) { return entry.second.endpoints().empty(); });
  return mirror;
}

EndpointSliceMirroringController::EndpointSliceMirroringController() {
  Watch({.kind = &KindOf<Endpoints>()});
  Watch({.kind = &KindOf<Service>()});
  Watch({.kind = &KindOf<EndpointSlice>(),
         .label_selector = std::string(kManagerLabel) + "=" + kMirroring});
}

void EndpointSliceMirroringController::Changed(size_t source, const Informer::Change& change,
                                               Trace trace, Env&) {
  if (source != kSlicesSource) return queue().Add(change.key, trace);
  if (change.before) {
    const std::string service = MirroredService(change.before);
    const auto it = slices_.find(service);
    if (it != slices_.end()) {
      it->second.erase(change.key);
      if (it->second.empty()) slices_.erase(it);
    }
    queue().Add(service, trace);
  }
  if (change.after) {
    const std::string service = MirroredService(change.after);
    slices_[service][change.key] = change.after;
    queue().Add(service, trace);
  }
}

bool EndpointSliceMirroringController::Wanted(const std::string& key) const {
  const Object endpoints = source(kEndpointsSource).Find(key);
  const Object service = source(kServicesSource).Find(key);
  if (!endpoints || !service || IsTerminating(endpoints)) return false;
  const std::string* skip = FindEntry(endpoints.meta().labels(), kSkipMirror);
  if (skip != nullptr && *skip == "true") return false;
  if (FindEntry(endpoints.meta().annotations(), kLeader) != nullptr) return false;
  return service.As<Service>().spec().selector().empty();
}

void EndpointSliceMirroringController::Reconcile(const std::string& key, Env& env) {
  std::map<std::string, EndpointSlice> wanted;
  if (Wanted(key)) wanted = MirrorOf(source(kEndpointsSource).Find(key));
  const auto slices = slices_.find(key);
  if (slices != slices_.end()) {
    for (const auto& [slice_key, slice] : slices->second) {
      if (IsTerminating(slice)) continue;
      const auto it = wanted.find(PortsKey(slice.As<EndpointSlice>().ports()));
      if (it == wanted.end()) {
        Delete(slice, "", env);
        continue;
      }
      if (!Says(slice.As<EndpointSlice>(), it->second)) {
        EndpointSlice update = it->second;
        auto* meta = update.mutable_metadata();
        const auto labels = meta->labels();
        const auto annotations = meta->annotations();
        *meta = slice.meta();
        *meta->mutable_labels() = labels;
        *meta->mutable_annotations() = annotations;
        Update(Object::From(std::move(update)), "", env);
      }
      wanted.erase(it);
    }
  }
  for (auto& [ports, slice] : wanted) Create(Object::From(std::move(slice)), env);
}

}  // namespace kubemu
