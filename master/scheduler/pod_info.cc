#include "master/scheduler/pod_info.h"

#include <algorithm>

#include "messages/api/object_selectors.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Container;
using k8s::core::v1::Pod;
using k8s::core::v1::PodSpec;

// What the API server has validated; an invalid one would select nothing.
LabelSelector ToSelector(const k8s::meta::v1::LabelSelector& selector) {
  return ToLabelSelector(selector).value_or(LabelSelector::Nothing());
}

void AddHostPorts(const Container& container, std::vector<HostPort>* ports) {
  for (const auto& port : container.ports()) {
    if (port.host_port() <= 0) continue;
    ports->push_back({port.host_ip().empty() ? "0.0.0.0" : port.host_ip(),
                      port.protocol().empty() ? "TCP" : port.protocol(), port.host_port()});
  }
}

// The selector plus one "key in (value)" for each of `keys` that the pod has.
LabelSelector WithMatchLabelKeys(LabelSelector selector,
                                 const google::protobuf::RepeatedPtrField<std::string>& keys,
                                 LabelRequirement::Operator op, const Labels& labels) {
  if (keys.empty()) return selector;
  std::vector<LabelRequirement> all = selector.requirements();
  for (const std::string& key : keys) {
    const std::string* value = FindLabel(labels, key);
    if (value != nullptr) all.push_back(LabelRequirement{key, op, {*value}});
  }
  return LabelSelector(std::move(all));
}

AffinityTerm ToTerm(const k8s::core::v1::PodAffinityTerm& from, const PodInfo& pod) {
  AffinityTerm term;
  term.topology_key = from.topology_key();
  term.namespaces.assign(from.namespaces().begin(), from.namespaces().end());
  if (from.has_namespace_selector()) {
    term.namespace_selector = ToSelector(from.namespace_selector());
  } else if (term.namespaces.empty()) {
    term.namespaces.push_back(pod.ns);
  }
  term.selector =
      from.has_label_selector() ? ToSelector(from.label_selector()) : LabelSelector::Nothing();
  if (!from.has_label_selector()) return term;
  term.selector = WithMatchLabelKeys(std::move(term.selector), from.match_label_keys(),
                                     LabelRequirement::Operator::kIn, pod.labels);
  term.selector = WithMatchLabelKeys(std::move(term.selector), from.mismatch_label_keys(),
                                     LabelRequirement::Operator::kNotIn, pod.labels);
  return term;
}

template <class Terms>
std::vector<AffinityTerm> ToTerms(const Terms& from, const PodInfo& pod) {
  std::vector<AffinityTerm> terms;
  for (const auto& term : from) terms.push_back(ToTerm(term, pod));
  return terms;
}

template <class Terms>
std::vector<WeightedTerm> ToWeightedTerms(const Terms& from, const PodInfo& pod) {
  std::vector<WeightedTerm> terms;
  for (const auto& term : from) {
    terms.push_back({term.weight(), ToTerm(term.pod_affinity_term(), pod)});
  }
  return terms;
}

std::vector<SpreadConstraint> ToSpread(const PodSpec& spec, const PodInfo& pod) {
  std::vector<SpreadConstraint> constraints;
  for (const auto& from : spec.topology_spread_constraints()) {
    SpreadConstraint constraint;
    constraint.topology_key = from.topology_key();
    constraint.max_skew = from.max_skew();
    constraint.hard = from.when_unsatisfiable() == "DoNotSchedule";
    constraint.selector =
        from.has_label_selector() ? ToSelector(from.label_selector()) : LabelSelector::Nothing();
    if (from.has_label_selector()) {
      constraint.selector =
          WithMatchLabelKeys(std::move(constraint.selector), from.match_label_keys(),
                             LabelRequirement::Operator::kIn, pod.labels);
    }
    if (from.has_min_domains()) constraint.min_domains = from.min_domains();
    constraint.honor_affinity = from.node_affinity_policy() != "Ignore";
    constraint.honor_taints = from.node_taints_policy() == "Honor";
    constraints.push_back(std::move(constraint));
  }
  return constraints;
}

void SetAffinity(const k8s::core::v1::Affinity& affinity, PodInfo* info) {
  const auto& node = affinity.node_affinity();
  if (node.has_required_during_scheduling_ignored_during_execution()) {
    info->has_node_constraints = true;
  }
  info->has_preferred_nodes = !node.preferred_during_scheduling_ignored_during_execution().empty();
  const auto& pods = affinity.pod_affinity();
  info->required_affinity =
      ToTerms(pods.required_during_scheduling_ignored_during_execution(), *info);
  info->preferred_affinity =
      ToWeightedTerms(pods.preferred_during_scheduling_ignored_during_execution(), *info);
  const auto& anti = affinity.pod_anti_affinity();
  info->required_anti_affinity =
      ToTerms(anti.required_during_scheduling_ignored_during_execution(), *info);
  info->preferred_anti_affinity =
      ToWeightedTerms(anti.preferred_during_scheduling_ignored_during_execution(), *info);
}

}  // namespace

PodInfo::PodInfo(Object from) : object(std::move(from)) {
  const PodSpec& spec = this->spec();
  const auto& meta = pod().metadata();
  key = object.key();
  ns = meta.namespace_();
  uid = meta.uid();
  node_name = spec.node_name();
  priority = spec.priority();
  terminating = meta.has_deletion_timestamp();
  has_node_constraints = !spec.node_selector().empty();
  labels = SortedLabels(pod().metadata());
  requests = Resources::From(PodRequests(spec));
  scoring_request = ScoringRequestOf(spec);
  for (const Container& container : spec.init_containers()) {
    // Only a sidecar lives beside the containers and keeps its host ports.
    if (container.restart_policy() == "Always") AddHostPorts(container, &host_ports);
    images.push_back(NormalizedImage(container.image()));
  }
  for (const Container& container : spec.containers()) {
    AddHostPorts(container, &host_ports);
    images.push_back(NormalizedImage(container.image()));
  }
  if (spec.has_affinity()) SetAffinity(spec.affinity(), this);
  spread = ToSpread(spec, *this);
}

const Pod& PodInfo::pod() const {
  return object.As<Pod>();
}

const PodSpec& PodInfo::spec() const {
  return pod().spec();
}

std::string NormalizedImage(const std::string& image) {
  const size_t slash = image.rfind('/');
  const size_t colon = image.rfind(':');
  const bool has_tag = colon != std::string::npos && (slash == std::string::npos || colon > slash);
  return has_tag ? image : StrCat(image, ":latest");
}

}  // namespace kubemu
