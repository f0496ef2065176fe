#include "master/scheduler/placement.h"

#include <algorithm>

#include "master/scheduler/inter_pod_affinity.h"
#include "master/scheduler/scores.h"
#include "master/scheduler/topology_spread.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr int kMinFeasibleNodes = 100;
constexpr int kMinFeasiblePercent = 5;

std::string Join(int nodes, std::vector<std::string> counted) {
  std::sort(counted.begin(), counted.end());
  return StrCat("0/", nodes, " nodes are available: ", StrJoin(counted, ", "), ".");
}

std::string PreemptionText(int nodes, int resolvable) {
  std::vector<std::string> counted;
  if (resolvable > 0) {
    counted.push_back(StrCat(resolvable, " No preemption victims found for incoming pod"));
  }
  if (nodes > resolvable) {
    counted.push_back(StrCat(nodes - resolvable, " Preemption is not helpful for scheduling"));
  }
  return Join(nodes, std::move(counted));
}

void AddWeighted(const std::vector<int64_t>& scores, int64_t weight, std::vector<int64_t>* total) {
  for (size_t i = 0; i < total->size(); ++i) (*total)[i] += weight * scores[i];
}

template <class Score>
std::vector<int64_t> ScoreEach(const std::vector<const NodeInfo*>& nodes, Score score) {
  std::vector<int64_t> scores;
  scores.reserve(nodes.size());
  for (const NodeInfo* node : nodes) scores.push_back(score(*node));
  return scores;
}

void AddSpread(const PodInfo& pod, const Cluster& cluster, const LabelSelector* default_selector,
               const std::vector<const NodeInfo*>& feasible, std::vector<int64_t>* total) {
  const bool system_default = pod.spread.empty() && default_selector != nullptr;
  if (pod.spread.empty() && !system_default) return;
  const std::vector<SpreadConstraint> defaults =
      system_default ? SystemDefaultSpread(*default_selector) : std::vector<SpreadConstraint>();
  const SpreadScore spread(pod, cluster, system_default ? defaults : pod.spread, system_default,
                           feasible);
  if (spread.IsNeeded()) AddWeighted(spread.Scores(), kPodTopologySpreadWeight, total);
}

// The best score wins; among equals, each has the same chance (a reservoir of one).
size_t PickBest(const std::vector<int64_t>& scores, Random& random) {
  size_t best = 0;
  uint64_t equals = 1;
  for (size_t i = 1; i < scores.size(); ++i) {
    if (scores[i] > scores[best]) {
      best = i;
      equals = 1;
    } else if (scores[i] == scores[best] && random.Uniform(++equals) == 0) {
      best = i;
    }
  }
  return best;
}

void Note(const NodeInfo& node, Rejection rejection, FitError* error) {
  for (std::string& reason : rejection.reasons) ++error->reasons[std::move(reason)];
  error->plugins |= static_cast<uint32_t>(rejection.plugin);
  if (rejection.resolvable) error->resolvable.push_back(node.name());
}

}  // namespace

std::string FitError::Message(bool may_preempt) const {
  if (nodes == 0) return "no nodes available to schedule pods";
  std::vector<std::string> counted;
  for (const auto& [reason, count] : reasons) counted.push_back(StrCat(count, " ", reason));
  std::string text = Join(nodes, std::move(counted));
  StrAppend(&text, " preemption: ");
  if (may_preempt) {
    StrAppend(&text, PreemptionText(nodes, static_cast<int>(resolvable.size())));
  } else {
    StrAppend(&text, "not eligible due to preemptionPolicy=Never.");
  }
  if (text.size() > kMessageMax) text = text.substr(0, kMessageMax - 4) + " ...";
  return text;
}

int FeasibleNodesWanted(int nodes) {
  if (nodes < kMinFeasibleNodes) return nodes;
  const int percent = std::max(50 - nodes / 125, kMinFeasiblePercent);
  return std::max(kMinFeasibleNodes, nodes * percent / 100);
}

std::vector<int64_t> TotalScores(const PodInfo& pod, const Cluster& cluster,
                                 const LabelSelector* default_selector,
                                 const std::vector<const NodeInfo*>& feasible) {
  // Upstream leaves pods that ask for nothing out of balancing: they cannot unbalance a node.
  const bool balance = pod.requests.milli_cpu > 0 || pod.requests.memory > 0;
  std::vector<int64_t> total = ScoreEach(feasible, [&](const NodeInfo& node) {
    return kNodeResourcesFitWeight * LeastAllocatedScore(pod, node) +
           (balance ? kBalancedAllocationWeight * BalancedAllocationScore(pod, node) : 0) +
           kImageLocalityWeight * ImageLocalityScore(pod, node, cluster);
  });
  std::vector<int64_t> taints =
      ScoreEach(feasible, [&](const NodeInfo& node) { return IntolerableTaints(pod, node); });
  NormalizeScores(true, &taints);
  AddWeighted(taints, kTaintTolerationWeight, &total);
  if (pod.has_preferred_nodes) {
    std::vector<int64_t> preferred =
        ScoreEach(feasible, [&](const NodeInfo& node) { return PreferredNodeWeight(pod, node); });
    NormalizeScores(false, &preferred);
    AddWeighted(preferred, kNodeAffinityWeight, &total);
  }
  AddSpread(pod, cluster, default_selector, feasible, &total);
  const AffinityScore affinity(pod, cluster);
  if (affinity.IsNeeded()) AddWeighted(affinity.Scores(feasible), kInterPodAffinityWeight, &total);
  return total;
}

Placement Placer::Place(const PodInfo& pod, const Cluster& cluster,
                        const LabelSelector* default_selector, Random& random) {
  Placement placement;
  const std::vector<NodeInfo*>& nodes = cluster.nodes();
  const SpreadFilter spread(pod, cluster);
  const AffinityFilter affinity(pod, cluster);
  const size_t wanted = static_cast<size_t>(FeasibleNodesWanted(static_cast<int>(nodes.size())));
  std::vector<const NodeInfo*> feasible;
  placement.error.nodes = static_cast<int>(nodes.size());
  size_t looked = 0;
  for (; looked < nodes.size() && feasible.size() < wanted; ++looked) {
    const NodeInfo& node = *nodes[(next_node_ + looked) % nodes.size()];
    Verdict verdict = FilterNodeAlone(pod, node);
    if (!verdict && spread.IsNeeded()) verdict = spread.Filter(node);
    if (!verdict && affinity.IsNeeded()) verdict = affinity.Filter(node);
    if (verdict) {
      Note(node, *std::move(verdict), &placement.error);
    } else {
      feasible.push_back(&node);
    }
  }
  placement.evaluated = static_cast<int>(looked);
  placement.feasible = static_cast<int>(feasible.size());
  if (!nodes.empty()) next_node_ = (next_node_ + looked) % nodes.size();
  if (feasible.empty()) return placement;
  const size_t best = feasible.size() == 1
                          ? 0
                          : PickBest(TotalScores(pod, cluster, default_selector, feasible), random);
  placement.node = feasible[best]->name();
  return placement;
}

}  // namespace kubemu
