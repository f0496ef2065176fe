#include "messages/api/taints.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "messages/core/strings.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Node;
using k8s::core::v1::NodeSelectorRequirement;
using k8s::core::v1::NodeSelectorTerm;
using k8s::core::v1::PodSpec;
using k8s::core::v1::Taint;
using k8s::core::v1::Toleration;

const std::string* FindLabel(const Node& node, std::string_view key) {
  for (const auto& label : node.metadata().labels()) {
    if (label.key() == key) return &label.value();
  }
  return nullptr;
}

bool OneOf(const NodeSelectorRequirement& requirement, const std::string& value) {
  const auto& values = requirement.values();
  return std::find(values.begin(), values.end(), value) != values.end();
}

// Gt and Lt: exactly one value, and both sides whole numbers.
bool Compares(const NodeSelectorRequirement& requirement, const std::string& value) {
  int64_t left = 0;
  int64_t right = 0;
  if (requirement.values_size() != 1 || !ParseInteger(value, &left) ||
      !ParseInteger(requirement.values(0), &right)) {
    return false;
  }
  return requirement.operator_() == "Gt" ? left > right : left < right;
}

// `value` is nullptr when the node does not have the label.
bool Holds(const NodeSelectorRequirement& requirement, const std::string* value) {
  const std::string& op = requirement.operator_();
  if (op == "In") return value != nullptr && OneOf(requirement, *value);
  if (op == "NotIn") return value == nullptr || !OneOf(requirement, *value);
  if (op == "Exists") return value != nullptr;
  if (op == "DoesNotExist") return value == nullptr;
  if (op == "Gt" || op == "Lt") return value != nullptr && Compares(requirement, *value);
  return false;
}

bool RequiredAffinityAllows(const PodSpec& spec, const Node& node) {
  const auto& affinity = spec.affinity().node_affinity();
  if (!affinity.has_required_during_scheduling_ignored_during_execution()) return true;
  const auto& terms =
      affinity.required_during_scheduling_ignored_during_execution().node_selector_terms();
  return std::any_of(terms.begin(), terms.end(),
                     [&node](const NodeSelectorTerm& term) { return MatchesTerm(term, node); });
}

}  // namespace

bool Tolerates(const Toleration& toleration, const Taint& taint) {
  if (!toleration.effect().empty() && toleration.effect() != taint.effect()) return false;
  if (!toleration.key().empty() && toleration.key() != taint.key()) return false;
  const std::string& op = toleration.operator_();
  if (op == "Exists") return true;
  return (op.empty() || op == "Equal") && toleration.value() == taint.value();
}

bool AnyTolerates(const Tolerations& tolerations, const Taint& taint) {
  return std::any_of(tolerations.begin(), tolerations.end(),
                     [&taint](const Toleration& t) { return Tolerates(t, taint); });
}

const Taint* FirstUntoleratedTaint(const Tolerations& tolerations, const Taints& taints) {
  for (const Taint& taint : taints) {
    const bool keeps_out = taint.effect() == kNoSchedule || taint.effect() == kNoExecute;
    if (keeps_out && !AnyTolerates(tolerations, taint)) return &taint;
  }
  return nullptr;
}

bool MatchesTerm(const NodeSelectorTerm& term, const Node& node) {
  if (term.match_expressions().empty() && term.match_fields().empty()) return false;
  for (const NodeSelectorRequirement& requirement : term.match_expressions()) {
    if (!Holds(requirement, FindLabel(node, requirement.key()))) return false;
  }
  for (const NodeSelectorRequirement& requirement : term.match_fields()) {
    // metadata.name is the only field there is.
    const bool known = requirement.key() == "metadata.name" && requirement.values_size() == 1;
    if (!known || !Holds(requirement, &node.metadata().name())) return false;
  }
  return true;
}

bool MatchesNodeSelectorAndAffinity(const PodSpec& spec, const Node& node) {
  for (const auto& wanted : spec.node_selector()) {
    const std::string* label = FindLabel(node, wanted.key());
    if (label == nullptr || *label != wanted.value()) return false;
  }
  return RequiredAffinityAllows(spec, node);
}

}  // namespace kubemu
