#ifndef KUBEMU_MESSAGES_API_TAINTS_H_
#define KUBEMU_MESSAGES_API_TAINTS_H_

#include <string_view>

#include "google/protobuf/repeated_ptr_field.h"

namespace k8s::core::v1 {
class Node;
class NodeSelectorTerm;
class PodSpec;
class Taint;
class Toleration;
}  // namespace k8s::core::v1

namespace kubemu {

inline constexpr std::string_view kNoSchedule = "NoSchedule";
inline constexpr std::string_view kPreferNoSchedule = "PreferNoSchedule";
inline constexpr std::string_view kNoExecute = "NoExecute";

using Tolerations = google::protobuf::RepeatedPtrField<k8s::core::v1::Toleration>;
using Taints = google::protobuf::RepeatedPtrField<k8s::core::v1::Taint>;

// An empty effect tolerates every effect; operator Exists with an empty key every taint.
// Rule: api/core/v1/toleration.go.
bool Tolerates(const k8s::core::v1::Toleration& toleration, const k8s::core::v1::Taint& taint);
bool AnyTolerates(const Tolerations& tolerations, const k8s::core::v1::Taint& taint);

// The first taint, in the node's order, of effect NoSchedule or NoExecute that nothing tolerates;
// nullptr: the pod may be placed.
const k8s::core::v1::Taint* FirstUntoleratedTaint(const Tolerations& tolerations,
                                                  const Taints& taints);

// All expressions and fields of the term hold for the node. A term without any holds for none.
// Rule: component-helpers/scheduling/corev1/nodeaffinity.
bool MatchesTerm(const k8s::core::v1::NodeSelectorTerm& term, const k8s::core::v1::Node& node);

// spec.nodeSelector and the required node affinity both allow the node. Of the affinity's terms
// one is enough; a required affinity without terms allows no node.
bool MatchesNodeSelectorAndAffinity(const k8s::core::v1::PodSpec& spec,
                                    const k8s::core::v1::Node& node);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_TAINTS_H_
