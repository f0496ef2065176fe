#include "master/controllers/replicaset_status.h"

#include <algorithm>
#include <set>

#include "master/controllers/canonical.h"
#include "master/controllers/pod_facts.h"
#include "messages/api/labels.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::ReplicaSet;
using k8s::apps::v1::ReplicaSetStatus;
using k8s::core::v1::Pod;

// Younger than this when first seen: it has become ready just now (timestamps are whole seconds).
constexpr Duration kJustNow = 2s;

int64_t Seconds(WallTime wall) {
  return std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
}

bool HasAllLabels(const Pod& pod, const StringEntries& labels) {
  return std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
    const std::string* value = FindEntry(pod.metadata().labels(), label.key());
    return value != nullptr && *value == label.value();
  });
}

void SetFailure(const std::optional<ReplicaFailure>& failure, WallTime wall,
                ReplicaSetStatus* status) {
  auto* conditions = status->mutable_conditions();
  const auto at = std::find_if(conditions->begin(), conditions->end(), [](const auto& condition) {
    return condition.type() == "ReplicaFailure";
  });
  if (!failure) {
    if (at != conditions->end()) conditions->erase(at);
    return;
  }
  if (at != conditions->end() && at->reason() == failure->reason) return;  // the first one stays
  auto* condition = at != conditions->end() ? &*at : status->add_conditions();
  condition->set_type("ReplicaFailure");
  condition->set_status("True");
  condition->mutable_last_transition_time()->set_seconds(Seconds(wall));
  condition->set_reason(failure->reason);
  condition->set_message(failure->message);
}

}  // namespace

Time ReadyTimes::Since(const Pod& pod, const std::string& key, Time now, WallTime wall) {
  const int64_t transition = ReadySince(pod);
  const auto [at, is_new] = seen_.try_emplace(key);
  if (is_new || at->second.transition != transition) {
    const Duration age = wall.time_since_epoch() - std::chrono::seconds(transition);
    at->second = Seen{transition, age > kJustNow ? now - age : now};
  }
  return at->second.since;
}

void ReadyTimes::Keep(const std::vector<Object>& pods) {
  if (seen_.empty()) return;
  std::set<std::string> keys;
  for (const Object& pod : pods) keys.insert(pod.key());
  std::erase_if(seen_, [&](const auto& entry) { return !keys.contains(entry.first); });
}

StatusResult ComputeReplicaSetStatus(const ReplicaSet& set, const std::vector<Object>& pods,
                                     const std::optional<ReplicaFailure>& failure,
                                     ReadyTimes* ready_times, Time now, WallTime wall,
                                     ReplicaSetStatus* status) {
  const std::string before = CanonicalBytes(*status);
  const auto min_ready = std::chrono::seconds(set.spec().min_ready_seconds());
  const StringEntries& labels = set.spec().template_().metadata().labels();
  StatusResult result;
  int fully_labeled = 0;
  int ready = 0;
  int available = 0;
  for (const Object& object : pods) {
    const Pod& pod = object.As<Pod>();
    if (HasAllLabels(pod, labels)) ++fully_labeled;
    if (!IsPodReady(pod)) continue;
    ++ready;
    const Time at =
        min_ready.count() == 0 ? now : ready_times->Since(pod, object.key(), now, wall) + min_ready;
    if (at <= now) {
      ++available;
    } else {
      result.next_available = std::min(result.next_available, at);
    }
  }
  ready_times->Keep(pods);
  status->set_replicas(static_cast<int>(pods.size()));
  status->set_fully_labeled_replicas(fully_labeled);
  status->set_ready_replicas(ready);
  status->set_available_replicas(available);
  status->set_observed_generation(set.metadata().generation());
  SetFailure(failure, wall, status);
  result.changed = CanonicalBytes(*status) != before;
  return result;
}

}  // namespace kubemu
