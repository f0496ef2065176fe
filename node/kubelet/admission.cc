#include "node/kubelet/admission.h"

#include <algorithm>

#include "messages/api/labels.h"
#include "messages/api/quantity.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "node/kubelet/node_object.h"

namespace kubemu {
namespace {

using QuantityEntries = google::protobuf::RepeatedPtrField<k8s::resource::QuantityEntry>;

PodRequests FromList(const QuantityEntries& list) {
  PodRequests requests;
  for (const auto& entry : list) {
    const absl::StatusOr<Quantity> quantity = Quantity::Parse(entry.value().string());
    if (!quantity.ok()) continue;  // the API server accepts none such
    if (entry.key() == "cpu") requests.milli_cpu = quantity->MilliValue();
    if (entry.key() == "memory") requests.memory = quantity->Value();
  }
  return requests;
}

void TakeLarger(const PodRequests& other, PodRequests* requests) {
  requests->milli_cpu = std::max(requests->milli_cpu, other.milli_cpu);
  requests->memory = std::max(requests->memory, other.memory);
}

Rejection OutOf(const char* resource, int64_t requested, int64_t used, int64_t capacity) {
  return {StrCat("OutOf", resource),
          StrCat("Pod was rejected: Node didn't have enough resource: ", resource,
                 ", requested: ", requested, ", used: ", used, ", capacity: ", capacity)};
}

// What the node says it can give away.
PodRequests Allocatable(const KubeletOptions& options) {
  const k8s::core::v1::NodeStatus status =
      MakeNodeStatus(options, NodeHealthState(), {}, k8s::core::v1::NodeStatus(), WallTime{});
  PodRequests allocatable = FromList(status.allocatable());
  allocatable.pods = options.pods;
  return allocatable;
}

bool SelectorMatches(const KubeletOptions& options, const k8s::core::v1::Pod& pod) {
  if (pod.spec().node_selector().empty()) return true;
  k8s::core::v1::Node node;
  ReconcileNodeMeta(options, false, &node);
  for (const auto& wanted : pod.spec().node_selector()) {
    const std::string* value = FindEntry(node.metadata().labels(), wanted.key());
    // A label that was put on the Node later is not known here: only a contradiction counts.
    if (value != nullptr && *value != wanted.value()) return false;
  }
  return true;
}

}  // namespace

PodRequests& PodRequests::operator+=(const PodRequests& other) {
  milli_cpu += other.milli_cpu;
  memory += other.memory;
  pods += other.pods;
  return *this;
}

PodRequests& PodRequests::operator-=(const PodRequests& other) {
  milli_cpu -= other.milli_cpu;
  memory -= other.memory;
  pods -= other.pods;
  return *this;
}

PodRequests RequestsOf(const k8s::core::v1::PodSpec& spec) {
  PodRequests sum;
  for (const auto& container : spec.containers()) {
    sum += FromList(container.resources().requests());
  }
  PodRequests sidecars;
  PodRequests largest_init;
  for (const auto& container : spec.init_containers()) {
    PodRequests own = FromList(container.resources().requests());
    if (container.restart_policy() == "Always") {
      sidecars += own;
      TakeLarger(sidecars, &largest_init);
    } else {
      own += sidecars;
      TakeLarger(own, &largest_init);
    }
  }
  sum += sidecars;
  TakeLarger(largest_init, &sum);
  sum += FromList(spec.overhead());
  sum.pods = 1;
  return sum;
}

std::optional<Rejection> Admit(const KubeletOptions& options, const k8s::core::v1::Pod& pod,
                               const PodRequests& used) {
  const PodRequests wanted = RequestsOf(pod.spec());
  const PodRequests capacity = Allocatable(options);
  if (used.pods + 1 > capacity.pods) return OutOf("pods", 1, used.pods, capacity.pods);
  if (wanted.milli_cpu > 0 && used.milli_cpu + wanted.milli_cpu > capacity.milli_cpu) {
    return OutOf("cpu", wanted.milli_cpu, used.milli_cpu, capacity.milli_cpu);
  }
  if (wanted.memory > 0 && used.memory + wanted.memory > capacity.memory) {
    return OutOf("memory", wanted.memory, used.memory, capacity.memory);
  }
  if (!SelectorMatches(options, pod)) {
    return Rejection{"NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed"};
  }
  return std::nullopt;
}

}  // namespace kubemu
