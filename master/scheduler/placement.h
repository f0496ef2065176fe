#ifndef KUBEMU_MASTER_SCHEDULER_PLACEMENT_H_
#define KUBEMU_MASTER_SCHEDULER_PLACEMENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "master/scheduler/cluster.h"
#include "master/scheduler/filters.h"
#include "messages/core/random.h"

namespace kubemu {

// Why no node takes a pod: for each reason, on how many nodes.
struct FitError {
  int nodes = 0;  // all there are
  std::map<std::string, int> reasons;
  uint32_t plugins = 0;                 // bits of Plugin: whose refusals
  std::vector<std::string> resolvable;  // nodes where evicting pods might help

  // The text of the FailedScheduling event and of the PodScheduled condition, cut at
  // kMessageMax bytes. `may_preempt`: false for preemptionPolicy Never.
  static constexpr size_t kMessageMax = 1024;
  std::string Message(bool may_preempt) const;
};

// The outcome for one pod.
struct Placement {
  std::string node;  // "" if none fits: then `error` says why
  FitError error;
  int evaluated = 0;  // nodes that were filtered
  int feasible = 0;
};

// How many feasible nodes are enough to choose among (adaptive percentageOfNodesToScore,
// kubernetes.md section 3.3).
int FeasibleNodesWanted(int nodes);

// Chooses nodes for pods, one at a time. Looks at nodes in turn, beginning where it stopped the
// last time, so that in large clusters every node gets its share.
class Placer {
 public:
  // `default_selector`: that of the pod's services and owner, for upstream's default spreading;
  // nullptr if it has none, or constraints of its own.
  Placement Place(const PodInfo& pod, const Cluster& cluster, const LabelSelector* default_selector,
                  Random& random);

 private:
  size_t next_node_ = 0;
};

// The weighted sum of all scores for each feasible node.
std::vector<int64_t> TotalScores(const PodInfo& pod, const Cluster& cluster,
                                 const LabelSelector* default_selector,
                                 const std::vector<const NodeInfo*>& feasible);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_PLACEMENT_H_
