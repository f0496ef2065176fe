#include "master/scheduler/topology_spread.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "messages/api/taints.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

// Which classes a constraint counts: pods of the same namespace that it selects and that stay.
struct CountedBy {
  const SpreadConstraint* constraint;
  const std::string* ns;
  bool operator()(const LabelClasses::Class& pods) const {
    return !pods.terminating && pods.ns == *ns && Selects(constraint->selector, pods.labels);
  }
};

using Matches = ClassMatches<CountedBy>;

bool HasAllKeys(const NodeInfo& node, const std::vector<const SpreadConstraint*>& constraints) {
  return std::all_of(constraints.begin(), constraints.end(), [&](const auto* constraint) {
    return node.Label(constraint->topology_key) != nullptr;
  });
}

// Does the node count for this constraint, as its policies say?
bool Counts(const SpreadConstraint& constraint, const PodInfo& pod, const NodeInfo& node) {
  if (constraint.honor_affinity && pod.has_node_constraints &&
      !MatchesNodeSelectorAndAffinity(pod.spec(), node.node())) {
    return false;
  }
  return !constraint.honor_taints ||
         FirstUntoleratedTaint(pod.spec().tolerations(), node.node().spec().taints()) == nullptr;
}

int64_t LeastOf(const std::map<std::string, int64_t>& domains, int32_t min_domains) {
  if (static_cast<int64_t>(domains.size()) < min_domains) return 0;
  int64_t least = std::numeric_limits<int32_t>::max();
  for (const auto& [value, count] : domains) least = std::min(least, count);
  return least;
}

}  // namespace

SpreadFilter::SpreadFilter(const PodInfo& pod, const Cluster& cluster) {
  std::vector<const SpreadConstraint*> hard;
  for (const SpreadConstraint& constraint : pod.spread) {
    if (constraint.hard) hard.push_back(&constraint);
  }
  for (const SpreadConstraint* constraint : hard) {
    Counted counted;
    counted.constraint = constraint;
    counted.self_match = Selects(constraint->selector, pod.labels);
    Matches matches(cluster.classes(), {constraint, &pod.ns});
    for (const NodeInfo* node : cluster.nodes()) {
      if (!HasAllKeys(*node, hard) || !Counts(*constraint, pod, *node)) continue;
      counted.pods[*node->Label(constraint->topology_key)] += CountOn(*node, matches);
    }
    counted.least = LeastOf(counted.pods, constraint->min_domains);
    counted_.push_back(std::move(counted));
  }
}

Verdict SpreadFilter::Filter(const NodeInfo& node) const {
  for (const Counted& counted : counted_) {
    const std::string* value = node.Label(counted.constraint->topology_key);
    if (value == nullptr) {
      return Rejection{
          Plugin::kPodTopologySpread,
          false,
          {"node(s) didn't match pod topology spread constraints (missing required label)"}};
    }
    const auto domain = counted.pods.find(*value);
    const int64_t pods = domain == counted.pods.end() ? 0 : domain->second;
    const int64_t skew = pods + (counted.self_match ? 1 : 0) - counted.least;
    if (skew <= counted.constraint->max_skew) continue;
    return Rejection{
        Plugin::kPodTopologySpread, true, {"node(s) didn't match pod topology spread constraints"}};
  }
  return std::nullopt;
}

std::vector<SpreadConstraint> SystemDefaultSpread(const LabelSelector& selector) {
  SpreadConstraint host;
  host.topology_key = kHostnameLabel;
  host.max_skew = 3;
  host.selector = selector;
  SpreadConstraint zone = host;
  zone.topology_key = kZoneLabel;
  zone.max_skew = 5;
  return {std::move(host), std::move(zone)};
}

SpreadScore::SpreadScore(const PodInfo& pod, const Cluster& cluster,
                         const std::vector<SpreadConstraint>& constraints, bool system_default,
                         const std::vector<const NodeInfo*>& feasible)
    : feasible_(feasible), ignored_(feasible.size(), false) {
  Wanted wanted;
  for (const SpreadConstraint& constraint : constraints) {
    if (!constraint.hard) wanted.push_back(&constraint);
  }
  if (wanted.empty()) return;
  size_t counted_nodes = feasible.size();
  for (size_t i = 0; i < feasible.size() && !system_default; ++i) {
    ignored_[i] = !HasAllKeys(*feasible[i], wanted);
    if (ignored_[i]) --counted_nodes;
  }
  for (const SpreadConstraint* constraint : wanted) {
    if (constraint->topology_key == kHostnameLabel) {
      CountHosts(pod, cluster, *constraint, counted_nodes);
    } else {
      CountDomains(pod, cluster, *constraint, system_default ? Wanted() : wanted);
    }
  }
}

void SpreadScore::CountHosts(const PodInfo& pod, const Cluster& cluster,
                             const SpreadConstraint& constraint, size_t hosts) {
  Matches matches(cluster.classes(), {&constraint, &pod.ns});
  Soft soft{&constraint, std::log(static_cast<double>(hosts + 2)), {}, {}};
  for (size_t i = 0; i < feasible_.size(); ++i) {
    soft.on_host.push_back(ignored_[i] ? 0 : CountOn(*feasible_[i], matches));
  }
  soft_.push_back(std::move(soft));
}

void SpreadScore::CountDomains(const PodInfo& pod, const Cluster& cluster,
                               const SpreadConstraint& constraint, const Wanted& needed) {
  Matches matches(cluster.classes(), {&constraint, &pod.ns});
  Soft soft{&constraint, 0, {}, {}};
  for (size_t i = 0; i < feasible_.size(); ++i) {
    const std::string* value = feasible_[i]->Label(constraint.topology_key);
    if (!ignored_[i] && value != nullptr) soft.in_domain.try_emplace(*value, 0);
  }
  soft.weight = std::log(static_cast<double>(soft.in_domain.size() + 2));
  for (const NodeInfo* node : cluster.nodes()) {
    const std::string* value = node->Label(constraint.topology_key);
    if (value == nullptr || !HasAllKeys(*node, needed) || !Counts(constraint, pod, *node)) continue;
    const auto domain = soft.in_domain.find(*value);
    if (domain != soft.in_domain.end()) domain->second += CountOn(*node, matches);
  }
  soft_.push_back(std::move(soft));
}

double SpreadScore::RawScore(size_t node_index) const {
  double score = 0;
  for (const Soft& soft : soft_) {
    const std::string* value = feasible_[node_index]->Label(soft.constraint->topology_key);
    if (value == nullptr) continue;
    const int64_t pods =
        soft.on_host.empty() ? soft.in_domain.at(*value) : soft.on_host[node_index];
    score += static_cast<double>(pods) * soft.weight + (soft.constraint->max_skew - 1);
  }
  return score;
}

std::vector<int64_t> SpreadScore::Scores() const {
  std::vector<int64_t> scores(feasible_.size(), 0);
  int64_t least = std::numeric_limits<int64_t>::max();
  int64_t most = 0;
  for (size_t i = 0; i < feasible_.size(); ++i) {
    if (ignored_[i]) continue;
    scores[i] = std::llround(RawScore(i));
    least = std::min(least, scores[i]);
    most = std::max(most, scores[i]);
  }
  for (size_t i = 0; i < feasible_.size(); ++i) {
    if (ignored_[i]) {
      scores[i] = 0;
    } else {
      scores[i] = most == 0 ? 100 : 100 * (most + least - scores[i]) / most;
    }
  }
  return scores;
}

}  // namespace kubemu
