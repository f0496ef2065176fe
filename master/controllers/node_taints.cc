#include "master/controllers/node_taints.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "master/controllers/conditions.h"

namespace kubemu {
namespace {

using k8s::core::v1::Node;
using k8s::core::v1::Taint;

constexpr const char* kNoSchedule = "NoSchedule";
constexpr const char* kNoExecute = "NoExecute";
constexpr const char* kUnschedulableTaint = "node.kubernetes.io/unschedulable";

struct ConditionTaint {
  const char* condition;
  const char* status;
  const char* key;
};

constexpr ConditionTaint kConditionTaints[] = {
    {"Ready", "False", kNotReadyTaint},
    {"Ready", "Unknown", kUnreachableTaint},
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure"},
};

// In the order in which they are added.
std::vector<std::string> WantedNoSchedule(const Node& node) {
  std::vector<std::string> keys;
  for (const ConditionTaint& row : kConditionTaints) {
    if (ConditionStatus(node.status().conditions(), row.condition) == row.status) {
      keys.push_back(row.key);
    }
  }
  if (node.spec().unschedulable()) keys.push_back(kUnschedulableTaint);
  return keys;
}

bool IsOurs(const Taint& taint) {
  if (taint.effect() == kNoExecute) {
    return taint.key() == kNotReadyTaint || taint.key() == kUnreachableTaint;
  }
  if (taint.effect() != kNoSchedule) return false;
  return taint.key() == kUnschedulableTaint ||
         std::any_of(std::begin(kConditionTaints), std::end(kConditionTaints),
                     [&taint](const ConditionTaint& row) { return taint.key() == row.key; });
}

}  // namespace

std::string ReadyStatus(const Node& node) {
  return ConditionStatus(node.status().conditions(), "Ready");
}

std::string WantedNoExecute(const Node& node) {
  const std::string ready = ReadyStatus(node);
  return ready == "False" ? kNotReadyTaint : ready == "Unknown" ? kUnreachableTaint : "";
}

std::string CurrentNoExecute(const Node& node) {
  for (const Taint& taint : node.spec().taints()) {
    if (taint.effect() == kNoExecute && IsOurs(taint)) return taint.key();
  }
  return "";
}

bool SetTaints(Node* node, const std::string& no_execute, WallTime wall) {
  std::set<std::pair<std::string, std::string>> missing;  // key, effect
  std::vector<std::pair<std::string, std::string>> wanted;
  for (const std::string& key : WantedNoSchedule(*node)) wanted.emplace_back(key, kNoSchedule);
  if (!no_execute.empty()) wanted.emplace_back(no_execute, kNoExecute);
  missing.insert(wanted.begin(), wanted.end());

  auto* taints = node->mutable_spec()->mutable_taints();
  const auto is_unwanted = [&missing](const Taint& taint) {
    return IsOurs(taint) && missing.erase({taint.key(), taint.effect()}) == 0;
  };
  const auto end = std::remove_if(taints->begin(), taints->end(), is_unwanted);
  bool changed = end != taints->end();
  taints->erase(end, taints->end());
  for (const auto& [key, effect] : wanted) {
    if (!missing.contains({key, effect})) continue;
    Taint* taint = taints->Add();
    taint->set_key(key);
    taint->set_effect(effect);
    SetTime(wall, taint->mutable_time_added());
    changed = true;
  }
  return changed;
}

bool MarkUnknown(Node* node, WallTime wall) {
  bool changed = false;
  auto* conditions = node->mutable_status()->mutable_conditions();
  for (const char* type : {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}) {
    const auto* condition = FindCondition(*conditions, type);
    if (condition == nullptr) {
      changed |= SetCondition(conditions, type, "Unknown", "NodeStatusNeverUpdated",
                              "Kubelet never posted node status.", wall);
      *conditions->rbegin()->mutable_last_heartbeat_time() = node->metadata().creation_timestamp();
    } else if (condition->status() != "Unknown") {
      changed |= SetCondition(conditions, type, "Unknown", "NodeStatusUnknown",
                              "Kubelet stopped posting node status.", wall);
    }
  }
  return changed;
}

}  // namespace kubemu
