#ifndef KUBEMU_MASTER_SCHEDULER_POD_INFO_H_
#define KUBEMU_MASTER_SCHEDULER_POD_INFO_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "master/scheduler/label_classes.h"
#include "master/scheduler/resources.h"
#include "messages/api/selector.h"
#include "messages/object.h"

namespace k8s::core::v1 {
class Pod;
class PodSpec;
}  // namespace k8s::core::v1

namespace kubemu {

// One (anti-)affinity term: the pods it means, and the node label that says what "together" is.
struct AffinityTerm {
  std::vector<std::string> namespaces;
  std::optional<LabelSelector> namespace_selector;  // namespaces whose labels match are meant, too
  LabelSelector selector;
  std::string topology_key;
};

struct WeightedTerm {
  int32_t weight = 0;
  AffinityTerm term;
};

// One topology spread constraint.
struct SpreadConstraint {
  std::string topology_key;
  int32_t max_skew = 1;
  bool hard = false;  // DoNotSchedule
  LabelSelector selector;
  int32_t min_domains = 1;
  bool honor_affinity = true;  // nodeAffinityPolicy
  bool honor_taints = false;   // nodeTaintsPolicy
};

struct HostPort {
  std::string ip;  // "0.0.0.0": all
  std::string protocol;
  int32_t port = 0;
  bool operator==(const HostPort&) const = default;
};

// What the scheduler knows of one pod, worked out once for each version of it.
struct PodInfo {
  // REQUIRES: the object is a Pod.
  explicit PodInfo(Object pod);

  const k8s::core::v1::Pod& pod() const;
  const k8s::core::v1::PodSpec& spec() const;
  bool HasAntiAffinity() const { return !required_anti_affinity.empty(); }
  // Terms that weigh on where other pods are liked to be.
  bool HasScoringTerms() const {
    return !required_affinity.empty() || !preferred_affinity.empty() ||
           !preferred_anti_affinity.empty();
  }

  Object object;
  std::string key;  // "namespace/name"
  std::string ns;
  std::string uid;
  std::string node_name;  // "": not placed
  int32_t priority = 0;
  bool terminating = false;
  bool has_node_constraints = false;  // nodeSelector or required node affinity
  bool has_preferred_nodes = false;
  Labels labels;
  Resources requests;
  ScoringRequest scoring_request;
  std::vector<HostPort> host_ports;
  std::vector<std::string> images;  // of all containers, with a tag
  std::vector<AffinityTerm> required_affinity;
  std::vector<AffinityTerm> required_anti_affinity;
  std::vector<WeightedTerm> preferred_affinity;
  std::vector<WeightedTerm> preferred_anti_affinity;
  std::vector<SpreadConstraint> spread;
  uint32_t label_class = 0;  // set while a Cluster holds it
};

// "nginx" means "nginx:latest" (pkg/scheduler/framework/plugins/imagelocality).
std::string NormalizedImage(const std::string& image);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_POD_INFO_H_
