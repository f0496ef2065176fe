#include "master/controllers/replicaset_status.h"

#include <algorithm>

#include "master/controllers/canonical.h"
#include "master/controllers/conditions.h"
#include "messages/proto/k8s/apps.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::ReplicaSet;
using k8s::apps::v1::ReplicaSetStatus;

void SetFailure(const std::optional<ReplicaFailure>& failure, WallTime wall,
                ReplicaSetStatus* status) {
  auto* conditions = status->mutable_conditions();
  const auto at = std::find_if(conditions->begin(), conditions->end(), [](const auto& condition) {
    return condition.type() == "ReplicaFailure";
  });
  if (!failure) {
    if (at != conditions->end()) conditions->erase(at);
    return;
  }
  if (at != conditions->end() && at->reason() == failure->reason) return;  // the first one stays
  auto* condition = at != conditions->end() ? &*at : status->add_conditions();
  condition->set_type("ReplicaFailure");
  condition->set_status("True");
  condition->mutable_last_transition_time()->set_seconds(WallSeconds(wall));
  condition->set_reason(failure->reason);
  condition->set_message(failure->message);
}

}  // namespace

bool ComputeReplicaSetStatus(const ReplicaSet& set, const PodTally::Counts& counts,
                             const std::optional<ReplicaFailure>& failure, WallTime wall,
                             ReplicaSetStatus* status) {
  const std::string before = CanonicalBytes(*status);
  status->set_replicas(counts.active);
  status->set_fully_labeled_replicas(counts.labeled);
  status->set_ready_replicas(counts.ready);
  status->set_available_replicas(counts.available);
  status->set_observed_generation(set.metadata().generation());
  SetFailure(failure, wall, status);
  return CanonicalBytes(*status) != before;
}

}  // namespace kubemu
