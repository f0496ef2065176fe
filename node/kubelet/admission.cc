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

RequestTotals FromList(const QuantityEntries& list) {
  RequestTotals requests;
  for (const auto& entry : list) {
    const absl::StatusOr<Quantity> quantity = Quantity::Parse(entry.value().string());
    if (!quantity.ok()) continue;  // the API server accepts none such
    if (entry.key() == "cpu") requests.milli_cpu = quantity->MilliValue();
    if (entry.key() == "memory") requests.memory = quantity->Value();
  }
  return requests;
}

void TakeLarger(const RequestTotals& other, RequestTotals* requests) {
  requests->milli_cpu = std::max(requests->milli_cpu, other.milli_cpu);
  requests->memory = std::max(requests->memory, other.memory);
}

AdmissionRejection OutOf(const char* resource, int64_t requested, int64_t used, int64_t capacity) {
  return {StrCat("OutOf", resource),
          StrCat("Pod was rejected: Node didn't have enough resource: ", resource,
                 ", requested: ", requested, ", used: ", used, ", capacity: ", capacity)};
}

// What the node says it can give away.
RequestTotals Allocatable(const KubeletOptions& options) {
  const k8s::core::v1::NodeStatus status =
      MakeNodeStatus(options, NodeHealthState(), {}, k8s::core::v1::NodeStatus(), WallTime{});
  RequestTotals allocatable = FromList(status.allocatable());
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

RequestTotals& RequestTotals::operator+=(const RequestTotals& other) {
  milli_cpu += other.milli_cpu;
  memory += other.memory;
  pods += other.pods;
  return *this;
}

RequestTotals& RequestTotals::operator-=(const RequestTotals& other) {
  milli_cpu -= other.milli_cpu;
  memory -= other.memory;
  pods -= other.pods;
  return *this;
}

RequestTotals RequestsOf(const k8s::core::v1::PodSpec& spec) {
  RequestTotals sum;
  for (const auto& container : spec.containers()) {
    sum += FromList(container.resources().requests());
  }
  RequestTotals sidecars;
  RequestTotals largest_init;
  for (const auto& container : spec.init_containers()) {
    RequestTotals own = FromList(container.resources().requests());
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

std::optional<AdmissionRejection> Admit(const KubeletOptions& options,
                                        const k8s::core::v1::Pod& pod, const RequestTotals& used) {
  const RequestTotals wanted = RequestsOf(pod.spec());
  const RequestTotals capacity = Allocatable(options);
  if (used.pods + 1 > capacity.pods) return OutOf("pods", 1, used.pods, capacity.pods);
  if (wanted.milli_cpu > 0 && used.milli_cpu + wanted.milli_cpu > capacity.milli_cpu) {
    return OutOf("cpu", wanted.milli_cpu, used.milli_cpu, capacity.milli_cpu);
  }
  if (wanted.memory > 0 && used.memory + wanted.memory > capacity.memory) {
    return OutOf("memory", wanted.memory, used.memory, capacity.memory);
  }
  if (!SelectorMatches(options, pod)) {
    return AdmissionRejection{"NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed"};
  }
  return std::nullopt;
}

}  // namespace kubemu
