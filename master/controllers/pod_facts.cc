#include "master/controllers/pod_facts.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Pod;

constexpr std::string_view kDeletionCost = "controller.kubernetes.io/pod-deletion-cost";

const k8s::core::v1::PodCondition* ReadyCondition(const Pod& pod) {
  for (const auto& condition : pod.status().conditions()) {
    if (condition.type() == "Ready") return &condition;
  }
  return nullptr;
}

int PhaseRank(const std::string& phase) {
  if (phase == "Pending" || phase.empty()) return 0;
  return phase == "Unknown" ? 1 : 2;
}

int64_t DeletionCost(const Pod& pod) {
  const std::string* text = FindEntry(pod.metadata().annotations(), kDeletionCost);
  int32_t cost = 0;
  return text != nullptr && ParseInteger(*text, &cost) ? cost : 0;
}

int64_t Restarts(const Pod& pod) {
  int64_t most = 0;
  for (const auto& status : pod.status().container_statuses()) {
    most = std::max<int64_t>(most, status.restart_count());
  }
  return most;
}

// Ages are compared by their power of two, so that pods of about the same age are alike and which
// of them goes does not follow where they happen to be.
int AgeRank(int64_t since, WallTime now) {
  int64_t age = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch() -
                                                                     std::chrono::seconds(since))
                    .count();
  int rank = -1;
  for (; age > 0; age >>= 1) ++rank;
  return rank;
}

struct Ranked {
  Object object;
  bool placed = false;
  int phase = 0;
  bool ready = false;
  int64_t cost = 0;
  int beside = 0;  // ready pods of the group on its node
  int64_t ready_since = 0;
  int64_t restarts = 0;
  int64_t created = 0;
};

// Negative: `a` became so more recently than `b`; unknown counts as most recent.
int CompareTimes(int64_t a, int64_t b, WallTime now) {
  if (a == 0 || b == 0) return a == b ? 0 : (a == 0 ? -1 : 1);
  return AgeRank(a, now) - AgeRank(b, now);
}

bool GoesBefore(const Ranked& a, const Ranked& b, WallTime now) {
  if (a.placed != b.placed) return !a.placed;
  if (a.phase != b.phase) return a.phase < b.phase;
  if (a.ready != b.ready) return !a.ready;
  if (a.cost != b.cost) return a.cost < b.cost;
  if (a.beside != b.beside) return a.beside > b.beside;
  if (a.ready) {
    const int order = CompareTimes(a.ready_since, b.ready_since, now);
    if (order != 0) return order < 0;
  }
  if (a.restarts != b.restarts) return a.restarts > b.restarts;
  const int order = CompareTimes(a.created, b.created, now);
  return order != 0 ? order < 0 : a.object.meta().uid() < b.object.meta().uid();
}

}  // namespace

bool IsPodActive(const Pod& pod) {
  return pod.status().phase() != "Succeeded" && pod.status().phase() != "Failed" &&
         !pod.metadata().has_deletion_timestamp();
}

bool IsPodReady(const Pod& pod) {
  const auto* condition = ReadyCondition(pod);
  return condition != nullptr && condition->status() == "True";
}

int64_t ReadySince(const Pod& pod) {
  const auto* condition = ReadyCondition(pod);
  return condition == nullptr ? 0 : condition->last_transition_time().seconds();
}

std::vector<Object> InDeletionOrder(const std::vector<Object>& pods,
                                    const std::vector<Object>& group, WallTime now) {
  std::map<std::string, int> ready_on;
  for (const Object& object : group) {
    const Pod& pod = object.As<Pod>();
    if (IsPodActive(pod) && IsPodReady(pod)) ++ready_on[pod.spec().node_name()];
  }
  std::vector<Ranked> ranked;
  ranked.reserve(pods.size());
  for (const Object& object : pods) {
    const Pod& pod = object.As<Pod>();
    const std::string& node = pod.spec().node_name();
    ranked.push_back({object, !node.empty(), PhaseRank(pod.status().phase()), IsPodReady(pod),
                      DeletionCost(pod), node.empty() ? 0 : ready_on[node], ReadySince(pod),
                      Restarts(pod), pod.metadata().creation_timestamp().seconds()});
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [now](const Ranked& a, const Ranked& b) { return GoesBefore(a, b, now); });
  std::vector<Object> ordered;
  ordered.reserve(ranked.size());
  for (Ranked& entry : ranked) ordered.push_back(std::move(entry.object));
  return ordered;
}

}  // namespace kubemu
