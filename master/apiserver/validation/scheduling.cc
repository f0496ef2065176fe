#include "master/apiserver/validation/scheduling.h"

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "master/apiserver/validation/metadata.h"
#include "messages/api/names.h"
#include "messages/api/taints.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

namespace core = ::k8s::core::v1;

std::vector<std::string> Effects() {
  return {std::string(kNoExecute), std::string(kNoSchedule), std::string(kPreferNoSchedule)};
}

// The form in which Go prints it.
std::string GoToleration(const core::Toleration& toleration) {
  return StrCat("core.Toleration{Key:", Quoted(toleration.key()),
                ", Operator:", Quoted(toleration.operator_()),
                ", Value:", Quoted(toleration.value()), ", Effect:", Quoted(toleration.effect()),
                ", TolerationSeconds:(*int64)(nil)}");
}

void ValidateToleration(const core::Toleration& toleration, const FieldPath& path,
                        FieldErrorList* errors) {
  const std::string& op = toleration.operator_();
  if (!toleration.key().empty()) {
    errors->Invalid(path.Child("key"), toleration.key(), CheckQualifiedName(toleration.key()));
  } else if (op != "Exists") {
    errors->Invalid(path.Child("operator"), op,
                    "operator must be Exists when `key` is empty, which means \"match all values "
                    "and all keys\"");
  }
  if (toleration.has_toleration_seconds() && toleration.effect() != kNoExecute) {
    errors->Invalid(path.Child("effect"), toleration.effect(),
                    "effect must be 'NoExecute' when `tolerationSeconds` is set");
  }
  if (op.empty() || op == "Equal") {
    errors->Invalid(path.Child("operator"), toleration.value(),
                    CheckLabelValue(toleration.value()));
  } else if (op == "Exists") {
    if (!toleration.value().empty()) {
      errors->InvalidRaw(path.Child("operator"), GoToleration(toleration),
                         "value must be empty when `operator` is 'Exists'");
    }
  } else {
    errors->NotSupported(path.Child("operator"), op, {"Equal", "Exists"});
  }
  if (!toleration.effect().empty()) {
    ValidateChoice(toleration.effect(), Effects(), path.Child("effect"), errors);
  }
}

void ValidateNodeExpression(const core::NodeSelectorRequirement& requirement, const FieldPath& path,
                            FieldErrorList* errors) {
  const std::string& op = requirement.operator_();
  const FieldPath values = path.Child("values");
  if (op == "In" || op == "NotIn") {
    if (requirement.values().empty()) {
      errors->Required(values, "must be specified when `operator` is 'In' or 'NotIn'");
    }
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (!requirement.values().empty()) {
      errors->Forbidden(values,
                        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    }
  } else if (op == "Gt" || op == "Lt") {
    if (requirement.values_size() != 1) {
      errors->Required(values, "must be specified single value when `operator` is 'Lt' or 'Gt'");
    }
  } else {
    errors->Invalid(path.Child("operator"), op, "not a valid selector operator");
  }
  errors->Invalid(path.Child("key"), requirement.key(), CheckQualifiedName(requirement.key()));
}

void ValidateNodeField(const core::NodeSelectorRequirement& requirement, const FieldPath& path,
                       FieldErrorList* errors) {
  const std::string& op = requirement.operator_();
  if (op != "In" && op != "NotIn") {
    errors->Invalid(path.Child("operator"), op, "not a valid selector operator");
  } else if (requirement.values_size() != 1) {
    errors->Required(path.Child("values"),
                     "must be only one value when `operator` is 'In' or 'NotIn' for node field "
                     "selector");
  }
  if (requirement.key() != "metadata.name") {
    errors->Invalid(path.Child("key"), requirement.key(), "not a valid field selector key");
  }
}

void ValidateTerm(const core::NodeSelectorTerm& term, const FieldPath& path,
                  FieldErrorList* errors) {
  for (int i = 0; i < term.match_expressions_size(); ++i) {
    ValidateNodeExpression(term.match_expressions(i), path.Child("matchExpressions").Index(i),
                           errors);
  }
  for (int i = 0; i < term.match_fields_size(); ++i) {
    ValidateNodeField(term.match_fields(i), path.Child("matchFields").Index(i), errors);
  }
}

void ValidateWeight(int32_t weight, const FieldPath& path, FieldErrorList* errors) {
  if (weight < 1 || weight > 100) {
    errors->Invalid(path.Child("weight"), weight, "must be in the range 1-100");
  }
}

void ValidateNodeAffinity(const core::NodeAffinity& affinity, const FieldPath& path,
                          FieldErrorList* errors) {
  if (affinity.has_required_during_scheduling_ignored_during_execution()) {
    const auto& terms =
        affinity.required_during_scheduling_ignored_during_execution().node_selector_terms();
    const FieldPath terms_path =
        path.Child("requiredDuringSchedulingIgnoredDuringExecution").Child("nodeSelectorTerms");
    if (terms.empty()) {
      errors->Required(terms_path, "must have at least one node selector term");
    }
    for (int i = 0; i < terms.size(); ++i) ValidateTerm(terms[i], terms_path.Index(i), errors);
  }
  const auto& preferred = affinity.preferred_during_scheduling_ignored_during_execution();
  for (int i = 0; i < preferred.size(); ++i) {
    const FieldPath preferred_path =
        path.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i);
    ValidateWeight(preferred[i].weight(), preferred_path, errors);
    ValidateTerm(preferred[i].preference(), preferred_path.Child("preference"), errors);
  }
}

void ValidatePodTerm(const core::PodAffinityTerm& term, const FieldPath& path,
                     FieldErrorList* errors) {
  ValidateLabelSelector(term.label_selector(), path.Child("labelSelector"), errors);
  ValidateLabelSelector(term.namespace_selector(), path.Child("namespaceSelector"), errors);
  if (term.topology_key().empty()) {
    errors->Required(path.Child("topologyKey"), "can not be empty");
  } else {
    errors->Invalid(path.Child("topologyKey"), term.topology_key(),
                    CheckQualifiedName(term.topology_key()));
  }
}

// Affinity to pods and against pods have the same fields.
template <typename PodAffinity>
void ValidatePodAffinity(const PodAffinity& affinity, const FieldPath& path,
                         FieldErrorList* errors) {
  const auto& required = affinity.required_during_scheduling_ignored_during_execution();
  for (int i = 0; i < required.size(); ++i) {
    ValidatePodTerm(required[i],
                    path.Child("requiredDuringSchedulingIgnoredDuringExecution").Index(i), errors);
  }
  const auto& preferred = affinity.preferred_during_scheduling_ignored_during_execution();
  for (int i = 0; i < preferred.size(); ++i) {
    const FieldPath preferred_path =
        path.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i);
    ValidateWeight(preferred[i].weight(), preferred_path, errors);
    ValidatePodTerm(preferred[i].pod_affinity_term(), preferred_path.Child("podAffinityTerm"),
                    errors);
  }
}

void ValidateSpread(const core::PodSpec& spec, const FieldPath& path, FieldErrorList* errors) {
  std::set<std::pair<std::string, std::string>> seen;
  for (int i = 0; i < spec.topology_spread_constraints_size(); ++i) {
    const core::TopologySpreadConstraint& constraint = spec.topology_spread_constraints(i);
    const FieldPath constraint_path = path.Index(i);
    if (constraint.max_skew() <= 0) {
      errors->Invalid(constraint_path.Child("maxSkew"), constraint.max_skew(),
                      "must be greater than zero");
    }
    if (constraint.topology_key().empty()) {
      errors->Required(constraint_path.Child("topologyKey"), "can not be empty");
    }
    const std::string& action = constraint.when_unsatisfiable();
    if (action != "DoNotSchedule" && action != "ScheduleAnyway") {
      errors->NotSupported(constraint_path.Child("whenUnsatisfiable"), action,
                           {"DoNotSchedule", "ScheduleAnyway"});
    }
    if (!seen.emplace(constraint.topology_key(), action).second) {
      errors->Duplicate(constraint_path.Child("{topologyKey, whenUnsatisfiable}"),
                        StrCat("{", constraint.topology_key(), ", ", action, "}"));
    }
    ValidateLabelSelector(constraint.label_selector(), constraint_path.Child("labelSelector"),
                          errors);
  }
}

}  // namespace

void ValidateScheduling(const core::PodSpec& spec, const FieldPath& path, FieldErrorList* errors) {
  ValidateLabels(spec.node_selector(), path.Child("nodeSelector"), errors);
  for (int i = 0; i < spec.tolerations_size(); ++i) {
    ValidateToleration(spec.tolerations(i), path.Child("tolerations").Index(i), errors);
  }
  const FieldPath affinity = path.Child("affinity");
  ValidateNodeAffinity(spec.affinity().node_affinity(), affinity.Child("nodeAffinity"), errors);
  ValidatePodAffinity(spec.affinity().pod_affinity(), affinity.Child("podAffinity"), errors);
  ValidatePodAffinity(spec.affinity().pod_anti_affinity(), affinity.Child("podAntiAffinity"),
                      errors);
  ValidateSpread(spec, path.Child("topologySpreadConstraints"), errors);
  std::set<std::string> gates;
  for (int i = 0; i < spec.scheduling_gates_size(); ++i) {
    const std::string& gate = spec.scheduling_gates(i).name();
    const FieldPath gate_path = path.Child("schedulingGates").Index(i);
    errors->Invalid(gate_path, gate, CheckQualifiedName(gate));
    if (!gates.insert(gate).second) errors->Duplicate(gate_path, gate);
  }
}

void ValidateTaints(const core::NodeSpec& spec, const FieldPath& path, FieldErrorList* errors) {
  std::set<std::pair<std::string, std::string>> seen;
  for (int i = 0; i < spec.taints_size(); ++i) {
    const core::Taint& taint = spec.taints(i);
    const FieldPath taint_path = path.Index(i);
    errors->Invalid(taint_path.Child("key"), taint.key(), CheckQualifiedName(taint.key()));
    errors->Invalid(taint_path.Child("value"), taint.value(), CheckLabelValue(taint.value()));
    ValidateChoice(taint.effect(), Effects(), taint_path.Child("effect"), errors);
    if (!seen.emplace(taint.key(), taint.effect()).second) {
      errors->Add({FieldErrorType::kDuplicate, taint_path.text(),
                   StrCat("core.Taint{Key:", Quoted(taint.key()), ", Value:", Quoted(taint.value()),
                          ", Effect:", Quoted(taint.effect()), ", TimeAdded:<nil>}"),
                   "taints must be unique by key and effect pair"});
    }
  }
}

}  // namespace kubemu
