#ifndef KUBEMU_MASTER_SCHEDULER_RESOURCES_H_
#define KUBEMU_MASTER_SCHEDULER_RESOURCES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/api/pod_resources.h"

namespace k8s::core::v1 {
class PodSpec;
}

namespace kubemu {

// Amounts as the scheduler counts them: integers, so that a filter is a few comparisons. cpu in
// thousandths of a core, memory and ephemeral-storage in bytes; everything else (extended
// resources, huge pages) by name.
struct Resources {
  int64_t milli_cpu = 0;
  int64_t memory = 0;
  int64_t ephemeral_storage = 0;
  std::vector<std::pair<std::string, int64_t>> scalar;  // sorted by name

  // "pods" is left out: it is counted, not asked for.
  static Resources From(const ResourceList& list);

  int64_t Scalar(std::string_view name) const;
  void Add(const Resources& other);
  // REQUIRES: `other` was added before.
  void Subtract(const Resources& other);
  // Nothing asked for at all.
  bool IsZero() const;
};

// What scoring counts for a pod: a container that asks for no cpu counts kDefaultMilliCpu, one that
// asks for no memory kDefaultMemory (pkg/scheduler/util/pod_resources.go).
struct ScoringRequest {
  static constexpr int64_t kDefaultMilliCpu = 100;
  static constexpr int64_t kDefaultMemory = 200 * 1024 * 1024;
  int64_t milli_cpu = 0;
  int64_t memory = 0;
};

ScoringRequest ScoringRequestOf(const k8s::core::v1::PodSpec& spec);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_RESOURCES_H_
