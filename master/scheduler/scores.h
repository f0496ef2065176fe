#ifndef KUBEMU_MASTER_SCHEDULER_SCORES_H_
#define KUBEMU_MASTER_SCHEDULER_SCORES_H_

#include <cstdint>
#include <vector>

#include "master/scheduler/cluster.h"

namespace kubemu {

// How good a feasible node is for a pod, 0..100 by each plugin, pure functions of pod and nodes.
// Rules: pkg/scheduler/framework/plugins/<name>.
inline constexpr int64_t kMaxNodeScore = 100;

// Weights of upstream's default profile (kubernetes.md section 3.2).
inline constexpr int64_t kTaintTolerationWeight = 3;
inline constexpr int64_t kNodeAffinityWeight = 2;
inline constexpr int64_t kPodTopologySpreadWeight = 2;
inline constexpr int64_t kInterPodAffinityWeight = 2;
inline constexpr int64_t kNodeResourcesFitWeight = 1;
inline constexpr int64_t kBalancedAllocationWeight = 1;
inline constexpr int64_t kImageLocalityWeight = 1;

// The share of cpu and memory that stays free, averaged; what pods do not ask for counts as
// ScoringRequest says.
int64_t LeastAllocatedScore(const PodInfo& pod, const NodeInfo& node);
// How equally cpu and memory are used: 100 * (1 - standard deviation of the used fractions).
int64_t BalancedAllocationScore(const PodInfo& pod, const NodeInfo& node);
// PreferNoSchedule taints that the pod does not tolerate: before normalisation, fewer is better.
int64_t IntolerableTaints(const PodInfo& pod, const NodeInfo& node);
// Sum of the weights of the preferred node affinity terms that hold: before normalisation.
int64_t PreferredNodeWeight(const PodInfo& pod, const NodeInfo& node);
// The images that the node has already, by their size (23 MB per container count nothing, 1000 MB
// all) and by how many nodes have them, so that pods do not pile up on one.
int64_t ImageLocalityScore(const PodInfo& pod, const NodeInfo& node, const Cluster& cluster);

// Stretches counts to 0..100; `reverse`: the smallest count is the best.
void NormalizeScores(bool reverse, std::vector<int64_t>* scores);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_SCORES_H_
