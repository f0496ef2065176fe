#include "master/scheduler/scores.h"

#include <algorithm>
#include <cmath>

#include "messages/api/taints.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

constexpr int64_t kMegabyte = 1024 * 1024;
constexpr int64_t kSmallImage = 23 * kMegabyte;
constexpr int64_t kLargeImage = 1000 * kMegabyte;

int64_t FreeShare(int64_t used, int64_t capacity) {
  return used > capacity ? 0 : (capacity - used) * kMaxNodeScore / capacity;
}

double UsedFraction(int64_t used, int64_t capacity) {
  return std::min(1.0, static_cast<double>(used) / static_cast<double>(capacity));
}

bool ToleratesPreference(const PodInfo& pod, const k8s::core::v1::Taint& taint) {
  for (const auto& toleration : pod.spec().tolerations()) {
    // Only tolerations that could mean this effect count (tainttoleration.PreScore).
    if (!toleration.effect().empty() && toleration.effect() != kPreferNoSchedule) continue;
    if (Tolerates(toleration, taint)) return true;
  }
  return false;
}

}  // namespace

int64_t LeastAllocatedScore(const PodInfo& pod, const NodeInfo& node) {
  int64_t sum = 0;
  int64_t resources = 0;
  const ScoringRequest& used = node.scoring_requested();
  if (const int64_t capacity = node.allocatable().milli_cpu; capacity > 0) {
    sum += FreeShare(used.milli_cpu + pod.scoring_request.milli_cpu, capacity);
    ++resources;
  }
  if (const int64_t capacity = node.allocatable().memory; capacity > 0) {
    sum += FreeShare(used.memory + pod.scoring_request.memory, capacity);
    ++resources;
  }
  return resources == 0 ? 0 : sum / resources;
}

int64_t BalancedAllocationScore(const PodInfo& pod, const NodeInfo& node) {
  const Resources& capacity = node.allocatable();
  // One resource alone is always in balance with itself.
  if (capacity.milli_cpu == 0 || capacity.memory == 0) return kMaxNodeScore;
  const double cpu =
      UsedFraction(node.requested().milli_cpu + pod.requests.milli_cpu, capacity.milli_cpu);
  const double memory =
      UsedFraction(node.requested().memory + pod.requests.memory, capacity.memory);
  // Of two values the standard deviation is half their distance.
  return static_cast<int64_t>((1 - std::abs(cpu - memory) / 2) * kMaxNodeScore);
}

int64_t IntolerableTaints(const PodInfo& pod, const NodeInfo& node) {
  int64_t count = 0;
  for (const auto& taint : node.node().spec().taints()) {
    if (taint.effect() == kPreferNoSchedule && !ToleratesPreference(pod, taint)) ++count;
  }
  return count;
}

int64_t PreferredNodeWeight(const PodInfo& pod, const NodeInfo& node) {
  if (!pod.has_preferred_nodes) return 0;
  int64_t sum = 0;
  for (const auto& preferred : pod.spec()
                                   .affinity()
                                   .node_affinity()
                                   .preferred_during_scheduling_ignored_during_execution()) {
    if (preferred.weight() != 0 && MatchesTerm(preferred.preference(), node.node())) {
      sum += preferred.weight();
    }
  }
  return sum;
}

int64_t ImageLocalityScore(const PodInfo& pod, const NodeInfo& node, const Cluster& cluster) {
  if (node.images().empty() || pod.images.empty()) return 0;
  int64_t sum = 0;
  for (const std::string& image : pod.images) {
    const auto at = std::lower_bound(
        node.images().begin(), node.images().end(), image,
        [](const auto& entry, const std::string& wanted) { return entry.first < wanted; });
    if (at == node.images().end() || at->first != image) continue;
    const double spread = static_cast<double>(cluster.NodesWithImage(image)) /
                          static_cast<double>(cluster.nodes().size());
    sum += static_cast<int64_t>(static_cast<double>(at->second) * spread);
  }
  const int64_t most = kLargeImage * static_cast<int64_t>(pod.images.size());
  sum = std::clamp(sum, kSmallImage, most);
  return kMaxNodeScore * (sum - kSmallImage) / (most - kSmallImage);
}

void NormalizeScores(bool reverse, std::vector<int64_t>* scores) {
  const int64_t most = scores->empty() ? 0 : *std::max_element(scores->begin(), scores->end());
  for (int64_t& score : *scores) {
    if (most == 0) {
      score = reverse ? kMaxNodeScore : 0;
      continue;
    }
    score = kMaxNodeScore * score / most;
    if (reverse) score = kMaxNodeScore - score;
  }
}

}  // namespace kubemu
