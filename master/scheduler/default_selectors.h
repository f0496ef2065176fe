#ifndef KUBEMU_MASTER_SCHEDULER_DEFAULT_SELECTORS_H_
#define KUBEMU_MASTER_SCHEDULER_DEFAULT_SELECTORS_H_

#include <map>
#include <optional>
#include <string>

#include "master/scheduler/pod_info.h"
#include "messages/object.h"

namespace kubemu {

// The selector of "pods like this one": those of the services that select it and of the ReplicaSet
// that owns it, together. Spreading counts by it when a pod says nothing of its own
// (pkg/scheduler/framework/plugins/helper/spread.go).
class DefaultSelectors {
 public:
  static constexpr size_t kCachedMax = 10'000;

  // nullptr if neither a service nor a ReplicaSet stands behind the pod. Valid until the next call
  // of any method.
  const LabelSelector* Find(const PodInfo& pod);

  // Services and ReplicaSets as they change; `after` none: gone.
  void ServiceChanged(const std::string& key, const Object& after);
  void ReplicaSetChanged(const Object& before, const Object& after);

 private:
  std::optional<LabelSelector> Build(const PodInfo& pod) const;

  std::map<std::string, Labels> services_;       // key to selector
  std::map<std::string, LabelSelector> owners_;  // uid of a ReplicaSet to selector
  std::map<std::string, std::optional<LabelSelector>> cache_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_DEFAULT_SELECTORS_H_
