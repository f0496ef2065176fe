#ifndef KUBEMU_MASTER_SCHEDULER_TOPOLOGY_SPREAD_H_
#define KUBEMU_MASTER_SCHEDULER_TOPOLOGY_SPREAD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "master/scheduler/cluster.h"
#include "master/scheduler/filters.h"

namespace kubemu {

// Even spreading of pods over topology domains (hosts, zones), for one pod that is being placed.
// Rules: pkg/scheduler/framework/plugins/podtopologyspread.

// Constraints that must hold (DoNotSchedule). Counts all nodes once; asking is then cheap.
class SpreadFilter {
 public:
  SpreadFilter(const PodInfo& pod, const Cluster& cluster);
  bool IsNeeded() const { return !counted_.empty(); }
  Verdict Filter(const NodeInfo& node) const;

 private:
  struct Counted {
    const SpreadConstraint* constraint = nullptr;
    bool self_match = false;
    std::map<std::string, int64_t> pods;  // by the label's value
    int64_t least = 0;                    // of all domains; 0 with fewer than minDomains
  };
  std::vector<Counted> counted_;
};

// What upstream spreads by when a pod has no constraints of its own: over hosts (skew 3) and zones
// (skew 5), preferably. `selector`: that of the pod's services and its ReplicaSet.
std::vector<SpreadConstraint> SystemDefaultSpread(const LabelSelector& selector);

// Constraints that are only preferred (ScheduleAnyway).
class SpreadScore {
 public:
  // `constraints`: all of the pod's own, or the system's default (then nodes that lack one of the
  // topology keys count, too). `feasible`: the nodes that passed the filters. All must outlive
  // this object.
  SpreadScore(const PodInfo& pod, const Cluster& cluster,
              const std::vector<SpreadConstraint>& constraints, bool system_default,
              const std::vector<const NodeInfo*>& feasible);
  bool IsNeeded() const { return !soft_.empty(); }
  // For each feasible node 0..100; the fewer such pods are in its domains, the more.
  std::vector<int64_t> Scores() const;

 private:
  using Wanted = std::vector<const SpreadConstraint*>;
  struct Soft {
    const SpreadConstraint* constraint = nullptr;
    double weight = 0;                         // the more domains, the more a pod weighs
    std::map<std::string, int64_t> in_domain;  // pods by the label's value
    std::vector<int64_t> on_host;              // instead, for hosts: pods by feasible node
  };
  void CountHosts(const PodInfo& pod, const Cluster& cluster, const SpreadConstraint& constraint,
                  size_t hosts);
  void CountDomains(const PodInfo& pod, const Cluster& cluster, const SpreadConstraint& constraint,
                    const Wanted& needed);
  double RawScore(size_t node_index) const;

  const std::vector<const NodeInfo*>& feasible_;
  std::vector<Soft> soft_;
  std::vector<bool> ignored_;  // feasible nodes without a needed label
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_TOPOLOGY_SPREAD_H_
