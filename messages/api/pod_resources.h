#ifndef KUBEMU_MESSAGES_API_POD_RESOURCES_H_
#define KUBEMU_MESSAGES_API_POD_RESOURCES_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "messages/api/quantity.h"

namespace k8s::core::v1 {
class PodSpec;
}

namespace kubemu {

// "cpu", "memory", "ephemeral-storage", "pods", ... and how much of it.
using ResourceList = std::map<std::string, Quantity, std::less<>>;

inline constexpr std::string_view kCpu = "cpu";
inline constexpr std::string_view kMemory = "memory";

// The entries of a resource field as a list. `Entries` is a repeated field of messages with key()
// and value().string(). What is no quantity counts as zero (validation has refused it before).
template <typename Entries>
ResourceList ToResourceList(const Entries& entries) {
  ResourceList list;
  for (const auto& entry : entries) {
    list[entry.key()] = Quantity::Parse(entry.value().string()).value_or(Quantity());
  }
  return list;
}

// The amount in the list, zero when it is not there.
Quantity AmountOf(const ResourceList& list, std::string_view resource);

// What the pod asks of a node: the larger of its containers' sum and what any moment of its
// initialisation needs; sidecars (init containers with restartPolicy Always) count for the rest of
// the pod's life; the runtime class's overhead is added.
// Rule: component-helpers/resource/helpers.go.
ResourceList PodRequests(const k8s::core::v1::PodSpec& spec);

// The same of the limits; overhead is added only to resources that have a limit.
ResourceList PodLimits(const k8s::core::v1::PodSpec& spec);

// "Guaranteed": every container has limits for cpu and memory, and requests equal to them.
// "BestEffort": none has a request or limit for either. Else "Burstable".
// Rule: pkg/apis/core/v1/helper/qos/qos.go.
std::string_view PodQosClass(const k8s::core::v1::PodSpec& spec);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_POD_RESOURCES_H_
