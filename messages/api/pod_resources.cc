#include "messages/api/pod_resources.h"

#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Container;
using k8s::core::v1::PodSpec;

enum class Side { kRequests, kLimits };

ResourceList ResourcesOf(const Container& container, Side side) {
  return side == Side::kRequests ? ToResourceList(container.resources().requests())
                                 : ToResourceList(container.resources().limits());
}

void AddTo(ResourceList* sum, const ResourceList& more) {
  for (const auto& [name, amount] : more) (*sum)[name] += amount;
}

void RaiseTo(ResourceList* list, const ResourceList& floor) {
  for (const auto& [name, amount] : floor) {
    const auto [entry, inserted] = list->try_emplace(name, amount);
    if (!inserted && entry->second < amount) entry->second = amount;
  }
}

ResourceList WithoutOverhead(const PodSpec& spec, Side side) {
  ResourceList running;
  for (const Container& container : spec.containers()) {
    AddTo(&running, ResourcesOf(container, side));
  }
  ResourceList sidecars;  // those started so far
  ResourceList initializing;
  for (const Container& container : spec.init_containers()) {
    const ResourceList own = ResourcesOf(container, side);
    ResourceList moment = sidecars;
    AddTo(&moment, own);
    if (container.restart_policy() == "Always") {
      AddTo(&running, own);
      sidecars = moment;
    }
    RaiseTo(&initializing, moment);
  }
  RaiseTo(&running, initializing);
  return running;
}

// The amounts above zero of cpu and memory, which alone decide the class.
ResourceList QosAmounts(const Container& container, Side side) {
  ResourceList amounts;
  for (const auto& [name, amount] : ResourcesOf(container, side)) {
    if ((name == kCpu || name == kMemory) && amount.Sign() > 0) amounts[name] = amount;
  }
  return amounts;
}

}  // namespace

Quantity AmountOf(const ResourceList& list, std::string_view resource) {
  const auto entry = list.find(resource);
  return entry == list.end() ? Quantity() : entry->second;
}

ResourceList PodRequests(const PodSpec& spec) {
  ResourceList requests = WithoutOverhead(spec, Side::kRequests);
  AddTo(&requests, ToResourceList(spec.overhead()));
  return requests;
}

ResourceList PodLimits(const PodSpec& spec) {
  ResourceList limits = WithoutOverhead(spec, Side::kLimits);
  for (const auto& [name, amount] : ToResourceList(spec.overhead())) {
    const auto limit = limits.find(name);
    if (limit != limits.end() && !limit->second.IsZero()) limit->second += amount;
  }
  return limits;
}

std::string_view PodQosClass(const PodSpec& spec) {
  ResourceList requests;
  ResourceList limits;
  bool guaranteed = true;
  for (const auto* containers : {&spec.init_containers(), &spec.containers()}) {
    for (const Container& container : *containers) {
      AddTo(&requests, QosAmounts(container, Side::kRequests));
      const ResourceList own_limits = QosAmounts(container, Side::kLimits);
      if (own_limits.size() < 2) guaranteed = false;
      AddTo(&limits, own_limits);
    }
  }
  if (requests.empty() && limits.empty()) return "BestEffort";
  return guaranteed && requests == limits ? "Guaranteed" : "Burstable";
}

}  // namespace kubemu
