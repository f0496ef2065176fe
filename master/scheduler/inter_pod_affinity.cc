#include "master/scheduler/inter_pod_affinity.h"

#include <algorithm>
#include <set>

namespace kubemu {
namespace {

using Terms = std::vector<AffinityTerm>;

// Adds `weight` at the node's value of the key; nodes without the label are in no domain.
void AddAt(const NodeInfo& node, const std::string& key, int64_t weight, TopologyCounts* counts) {
  const std::string* value = node.Label(key);
  if (value != nullptr && weight != 0) (*counts)[{key, *value}] += weight;
}

int64_t CountAt(const NodeInfo& node, const std::string& key, const TopologyCounts& counts) {
  const std::string* value = node.Label(key);
  if (value == nullptr) return 0;
  const auto at = counts.find({key, *value});
  return at == counts.end() ? 0 : at->second;
}

// All terms together, or one, as a predicate on label classes.
struct MeantBy {
  const AffinityTerm* first;
  size_t count;
  const Cluster* cluster;
  bool operator()(const LabelClasses::Class& pods) const {
    return std::all_of(first, first + count, [&](const AffinityTerm& term) {
      return MeansPod(term, pods.ns, pods.labels, *cluster);
    });
  }
};

}  // namespace

bool MeansPod(const AffinityTerm& term, const std::string& ns, const Labels& labels,
              const Cluster& cluster) {
  const bool named =
      std::find(term.namespaces.begin(), term.namespaces.end(), ns) != term.namespaces.end();
  if (!named && !(term.namespace_selector &&
                  Selects(*term.namespace_selector, cluster.NamespaceLabels(ns)))) {
    return false;
  }
  return Selects(term.selector, labels);
}

AffinityFilter::AffinityFilter(const PodInfo& pod, const Cluster& cluster) : pod_(pod) {
  needed_ = !pod.required_affinity.empty() || !pod.required_anti_affinity.empty() ||
            cluster.pods_with_anti_affinity() > 0;
  if (!needed_) return;
  CountOwn(cluster);
  if (cluster.pods_with_anti_affinity() > 0) CountExisting(cluster);
}

void AffinityFilter::CountOwn(const Cluster& cluster) {
  const Terms& terms = pod_.required_affinity;
  if (!terms.empty()) {
    self_match_ = std::all_of(terms.begin(), terms.end(), [&](const AffinityTerm& term) {
      return MeansPod(term, pod_.ns, pod_.labels, cluster);
    });
    ClassMatches<MeantBy> matches(cluster.classes(), {terms.data(), terms.size(), &cluster});
    for (const NodeInfo* node : cluster.nodes()) {
      const int64_t pods = CountOn(*node, matches);
      for (const AffinityTerm& term : terms) AddAt(*node, term.topology_key, pods, &affinity_);
    }
  }
  for (const AffinityTerm& term : pod_.required_anti_affinity) {
    ClassMatches<MeantBy> matches(cluster.classes(), {&term, 1, &cluster});
    for (const NodeInfo* node : cluster.nodes()) {
      AddAt(*node, term.topology_key, CountOn(*node, matches), &anti_affinity_);
    }
  }
}

void AffinityFilter::CountExisting(const Cluster& cluster) {
  for (const NodeInfo* node : cluster.nodes()) {
    if (node->pods_with_anti_affinity() == 0) continue;
    for (const auto& placed : node->pods()) {
      for (const AffinityTerm& term : placed->required_anti_affinity) {
        if (!MeansPod(term, pod_.ns, pod_.labels, cluster)) continue;
        AddAt(*node, term.topology_key, 1, &existing_anti_);
      }
    }
  }
}

bool AffinityFilter::AffinityHolds(const NodeInfo& node) const {
  bool all_there = true;
  for (const AffinityTerm& term : pod_.required_affinity) {
    if (node.Label(term.topology_key) == nullptr) return false;
    if (CountAt(node, term.topology_key, affinity_) <= 0) all_there = false;
  }
  // The first pod of a group that wants to be with its own kind may go anywhere.
  return all_there || (affinity_.empty() && self_match_);
}

Verdict AffinityFilter::Filter(const NodeInfo& node) const {
  if (!AffinityHolds(node)) {
    return Rejection{Plugin::kInterPodAffinity, false, {"node(s) didn't match pod affinity rules"}};
  }
  for (const AffinityTerm& term : pod_.required_anti_affinity) {
    if (CountAt(node, term.topology_key, anti_affinity_) <= 0) continue;
    return Rejection{
        Plugin::kInterPodAffinity, true, {"node(s) didn't match pod anti-affinity rules"}};
  }
  if (existing_anti_.empty()) return std::nullopt;
  for (const auto& [key, value] : node.labels()) {
    if (!existing_anti_.contains({key, value})) continue;
    return Rejection{Plugin::kInterPodAffinity,
                     true,
                     {"node(s) didn't satisfy existing pods anti-affinity rules"}};
  }
  return std::nullopt;
}

AffinityScore::AffinityScore(const PodInfo& pod, const Cluster& cluster) : pod_(pod) {
  AddOwn(pod.preferred_affinity, 1, cluster);
  AddOwn(pod.preferred_anti_affinity, -1, cluster);
  if (cluster.pods_with_scoring_terms() == 0) return;
  for (const NodeInfo* node : cluster.nodes()) {
    if (node->pods_with_scoring_terms() > 0) AddExisting(*node, cluster);
  }
}

void AffinityScore::AddOwn(const std::vector<WeightedTerm>& terms, int64_t sign,
                           const Cluster& cluster) {
  for (const WeightedTerm& weighted : terms) {
    ClassMatches<MeantBy> matches(cluster.classes(), {&weighted.term, 1, &cluster});
    for (const NodeInfo* node : cluster.nodes()) {
      AddAt(*node, weighted.term.topology_key, sign * weighted.weight * CountOn(*node, matches),
            &weights_);
    }
  }
}

void AffinityScore::AddTerm(const AffinityTerm& term, int64_t weight, const NodeInfo& node,
                            const Cluster& cluster) {
  if (MeansPod(term, pod_.ns, pod_.labels, cluster)) {
    AddAt(node, term.topology_key, weight, &weights_);
  }
}

void AffinityScore::AddExisting(const NodeInfo& node, const Cluster& cluster) {
  for (const auto& placed : node.pods()) {
    for (const AffinityTerm& term : placed->required_affinity) {
      AddTerm(term, kHardWeight, node, cluster);
    }
    for (const WeightedTerm& weighted : placed->preferred_affinity) {
      AddTerm(weighted.term, weighted.weight, node, cluster);
    }
    for (const WeightedTerm& weighted : placed->preferred_anti_affinity) {
      AddTerm(weighted.term, -weighted.weight, node, cluster);
    }
  }
}

std::vector<int64_t> AffinityScore::Scores(const std::vector<const NodeInfo*>& feasible) const {
  std::set<std::string> keys;
  for (const auto& [pair, weight] : weights_) keys.insert(pair.first);
  std::vector<int64_t> scores;
  scores.reserve(feasible.size());
  for (const NodeInfo* node : feasible) {
    int64_t score = 0;
    for (const std::string& key : keys) score += CountAt(*node, key, weights_);
    scores.push_back(score);
  }
  if (scores.empty()) return scores;
  const auto [least, most] = std::minmax_element(scores.begin(), scores.end());
  const int64_t low = *least;
  const int64_t range = *most - low;
  for (int64_t& score : scores) {
    score = range == 0 ? 0
                       : static_cast<int64_t>(
                             100 * (static_cast<double>(score - low) / static_cast<double>(range)));
  }
  return scores;
}

}  // namespace kubemu
