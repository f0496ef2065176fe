#ifndef KUBEMU_MASTER_SCHEDULER_INTER_POD_AFFINITY_H_
#define KUBEMU_MASTER_SCHEDULER_INTER_POD_AFFINITY_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "master/scheduler/cluster.h"
#include "master/scheduler/filters.h"

namespace kubemu {

// (topology key, the node label's value) to a count or weight.
using TopologyCounts = std::map<std::pair<std::string, std::string>, int64_t>;

// Does the term mean pods of this namespace with these labels?
bool MeansPod(const AffinityTerm& term, const std::string& ns, const Labels& labels,
              const Cluster& cluster);

// Required affinity and anti-affinity between pods, for one pod that is being placed.
// Rules: pkg/scheduler/framework/plugins/interpodaffinity.
class AffinityFilter {
 public:
  AffinityFilter(const PodInfo& pod, const Cluster& cluster);
  bool IsNeeded() const { return needed_; }
  Verdict Filter(const NodeInfo& node) const;

 private:
  void CountOwn(const Cluster& cluster);
  void CountExisting(const Cluster& cluster);
  bool AffinityHolds(const NodeInfo& node) const;

  const PodInfo& pod_;
  bool needed_ = false;
  bool self_match_ = false;       // the pod itself is meant by all its affinity terms
  TopologyCounts affinity_;       // pods meant by all its affinity terms
  TopologyCounts anti_affinity_;  // pods meant by one of its anti-affinity terms
  TopologyCounts existing_anti_;  // pods whose anti-affinity means it
};

// Preferred terms: its own and those of pods that are already placed.
class AffinityScore {
 public:
  // What a placed pod's required affinity weighs for others (hardPodAffinityWeight).
  static constexpr int64_t kHardWeight = 1;
  AffinityScore(const PodInfo& pod, const Cluster& cluster);
  bool IsNeeded() const { return !weights_.empty(); }
  // For each feasible node 0..100.
  std::vector<int64_t> Scores(const std::vector<const NodeInfo*>& feasible) const;

 private:
  void AddOwn(const std::vector<WeightedTerm>& terms, int64_t sign, const Cluster& cluster);
  void AddExisting(const NodeInfo& node, const Cluster& cluster);
  void AddTerm(const AffinityTerm& term, int64_t weight, const NodeInfo& node,
               const Cluster& cluster);

  const PodInfo& pod_;
  TopologyCounts weights_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_INTER_POD_AFFINITY_H_
