#ifndef KUBEMU_MASTER_CONTROLLERS_CONDITIONS_H_
#define KUBEMU_MASTER_CONTROLLERS_CONDITIONS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "messages/core/time.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

// Conditions of nodes, pods and namespaces are different messages with the same fields.

// Whole seconds, as in Kubernetes.
inline int64_t WallSeconds(WallTime wall) {
  return std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
}
inline void SetTime(WallTime wall, k8s::meta::v1::Time* time) {
  time->set_seconds(WallSeconds(wall));
}

// Null if there is no condition of that type.
template <class Conditions>
auto FindCondition(const Conditions& conditions, std::string_view type)
    -> const std::remove_reference_t<decltype(*conditions.begin())>* {
  for (const auto& condition : conditions) {
    if (condition.type() == type) return &condition;
  }
  return nullptr;
}

// "True", "False", "Unknown"; "" if there is no condition of that type.
template <class Conditions>
std::string ConditionStatus(const Conditions& conditions, std::string_view type) {
  const auto* condition = FindCondition(conditions, type);
  return condition == nullptr ? "" : condition->status();
}

// Adds or changes a condition; lastTransitionTime moves only with the status. Returns whether
// anything but a time changed.
template <class Conditions>
bool SetCondition(Conditions* conditions, const std::string& type, const std::string& status,
                  const std::string& reason, const std::string& message, WallTime wall) {
  for (auto& condition : *conditions) {
    if (condition.type() != type) continue;
    if (condition.status() == status && condition.reason() == reason &&
        condition.message() == message) {
      return false;
    }
    if (condition.status() != status) SetTime(wall, condition.mutable_last_transition_time());
    condition.set_status(status);
    condition.set_reason(reason);
    condition.set_message(message);
    return true;
  }
  auto* added = conditions->Add();
  added->set_type(type);
  added->set_status(status);
  added->set_reason(reason);
  added->set_message(message);
  SetTime(wall, added->mutable_last_transition_time());
  return true;
}

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_CONDITIONS_H_
