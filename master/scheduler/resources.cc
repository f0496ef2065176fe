#include "master/scheduler/resources.h"

#include <algorithm>

#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

// The request of one container, with the default in place of none.
int64_t Asked(const k8s::core::v1::Container& container, std::string_view resource, bool milli,
              int64_t otherwise) {
  for (const auto& entry : container.resources().requests()) {
    if (entry.key() != resource) continue;
    const Quantity amount = Quantity::Parse(entry.value().string()).value_or(Quantity());
    return milli ? amount.MilliValue() : amount.Value();
  }
  return otherwise;
}

ScoringRequest ScoringRequestOf(const k8s::core::v1::Container& container) {
  return {Asked(container, kCpu, true, ScoringRequest::kDefaultMilliCpu),
          Asked(container, kMemory, false, ScoringRequest::kDefaultMemory)};
}

ScoringRequest Sum(const ScoringRequest& a, const ScoringRequest& b) {
  return {a.milli_cpu + b.milli_cpu, a.memory + b.memory};
}

ScoringRequest Larger(const ScoringRequest& a, const ScoringRequest& b) {
  return {std::max(a.milli_cpu, b.milli_cpu), std::max(a.memory, b.memory)};
}

}  // namespace

Resources Resources::From(const ResourceList& list) {
  Resources result;
  for (const auto& [name, amount] : list) {
    if (name == kCpu) {
      result.milli_cpu = amount.MilliValue();
    } else if (name == kMemory) {
      result.memory = amount.Value();
    } else if (name == "ephemeral-storage") {
      result.ephemeral_storage = amount.Value();
    } else if (name != "pods") {
      result.scalar.emplace_back(name, amount.Value());
    }
  }
  return result;
}

int64_t Resources::Scalar(std::string_view name) const {
  for (const auto& [key, amount] : scalar) {
    if (key == name) return amount;
  }
  return 0;
}

void Resources::Add(const Resources& other) {
  milli_cpu += other.milli_cpu;
  memory += other.memory;
  ephemeral_storage += other.ephemeral_storage;
  for (const auto& [name, amount] : other.scalar) {
    const auto at = std::lower_bound(
        scalar.begin(), scalar.end(), name,
        [](const auto& entry, const std::string& wanted) { return entry.first < wanted; });
    if (at != scalar.end() && at->first == name) {
      at->second += amount;
    } else {
      scalar.emplace(at, name, amount);
    }
  }
}

void Resources::Subtract(const Resources& other) {
  milli_cpu -= other.milli_cpu;
  memory -= other.memory;
  ephemeral_storage -= other.ephemeral_storage;
  for (const auto& [name, amount] : other.scalar) {
    for (auto& [key, mine] : scalar) {
      if (key == name) mine -= amount;
    }
  }
}

bool Resources::IsZero() const {
  return milli_cpu == 0 && memory == 0 && ephemeral_storage == 0 && scalar.empty();
}

ScoringRequest ScoringRequestOf(const k8s::core::v1::PodSpec& spec) {
  ScoringRequest running;
  for (const auto& container : spec.containers()) {
    running = Sum(running, ScoringRequestOf(container));
  }
  ScoringRequest sidecars;
  ScoringRequest initializing;
  for (const auto& container : spec.init_containers()) {
    const ScoringRequest own = ScoringRequestOf(container);
    const ScoringRequest moment = Sum(sidecars, own);
    if (container.restart_policy() == "Always") {
      running = Sum(running, own);
      sidecars = moment;
    }
    initializing = Larger(initializing, moment);
  }
  const Resources overhead = Resources::From(ToResourceList(spec.overhead()));
  return Sum(Larger(running, initializing), {overhead.milli_cpu, overhead.memory});
}

}  // namespace kubemu
