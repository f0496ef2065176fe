#include "master/controllers/deployment_status.h"

#include <algorithm>
#include <limits>

#include "master/controllers/conditions.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::Deployment;
using k8s::apps::v1::DeploymentCondition;
using k8s::apps::v1::DeploymentStatus;
using k8s::apps::v1::ReplicaSetCondition;

constexpr const char* kAvailable = "Available";
constexpr const char* kProgressing = "Progressing";
constexpr const char* kReplicaFailure = "ReplicaFailure";

void RemoveCondition(std::string_view type, DeploymentStatus* status) {
  auto* conditions = status->mutable_conditions();
  conditions->erase(std::remove_if(conditions->begin(), conditions->end(),
                                   [&](const auto& entry) { return entry.type() == type; }),
                    conditions->end());
}

// Did anything move in the right direction since the last status?
bool HasProgressed(const DeploymentStatus& last, const DeploymentStatus& now) {
  const int old_last = last.replicas() - last.updated_replicas();
  const int old_now = now.replicas() - now.updated_replicas();
  return now.updated_replicas() > last.updated_replicas() || old_now < old_last ||
         now.ready_replicas() > last.ready_replicas() ||
         now.available_replicas() > last.available_replicas();
}

// "ReplicaSet \"web-abc\"", or the Deployment itself while it has none.
std::string Subject(const Deployment& deployment, const RevisionSets& sets) {
  if (sets.current() == nullptr) {
    return StrCat("Deployment \"", deployment.metadata().name(), "\"");
  }
  return StrCat("ReplicaSet \"", sets.current()->object.meta().name(), "\"");
}

// Progress renews the time of the last update even if nothing else of the condition changes.
void SetProgressing(const std::string& message, WallTime wall, DeploymentStatus* status) {
  const DeploymentCondition* last = FindCondition(*status, kProgressing);
  const bool was_true = last != nullptr && last->status() == "True";
  const int64_t since = was_true ? last->last_transition_time().seconds() : WallSeconds(wall);
  RemoveCondition(kProgressing, status);
  SetDeploymentCondition(kProgressing, "True", "ReplicaSetUpdated", message, wall, status);
  auto* conditions = status->mutable_conditions();
  conditions->rbegin()->mutable_last_transition_time()->set_seconds(since);
}

const ReplicaSetCondition* FailureOf(const RevisionSet& set) {
  for (const auto& condition : set.get().status().conditions()) {
    if (condition.type() == kReplicaFailure) return &condition;
  }
  return nullptr;
}

void CopyFailure(const RevisionSets& sets, WallTime wall, DeploymentStatus* status) {
  const ReplicaSetCondition* failure =
      sets.current() == nullptr ? nullptr : FailureOf(*sets.current());
  for (size_t i = 0; i < sets.all.size() && failure == nullptr; ++i) {
    failure = FailureOf(sets.all[i]);
  }
  if (failure == nullptr) {
    RemoveCondition(kReplicaFailure, status);
  } else {
    SetDeploymentCondition(kReplicaFailure, failure->status(), failure->reason(),
                           failure->message(), wall, status);
  }
}

}  // namespace

bool HasProgressDeadline(const Deployment& deployment) {
  return deployment.spec().has_progress_deadline_seconds() &&
         deployment.spec().progress_deadline_seconds() != std::numeric_limits<int32_t>::max();
}

const DeploymentCondition* FindCondition(const DeploymentStatus& status, std::string_view type) {
  for (const auto& condition : status.conditions()) {
    if (condition.type() == type) return &condition;
  }
  return nullptr;
}

void SetDeploymentCondition(const std::string& type, const std::string& status,
                            std::string_view reason, const std::string& message, WallTime wall,
                            DeploymentStatus* out) {
  const DeploymentCondition* last = FindCondition(*out, type);
  if (last != nullptr && last->status() == status && last->reason() == reason) return;
  const bool same = last != nullptr && last->status() == status;
  const int64_t since = same ? last->last_transition_time().seconds() : WallSeconds(wall);
  RemoveCondition(type, out);
  DeploymentCondition* condition = out->add_conditions();
  condition->set_type(type);
  condition->set_status(status);
  condition->set_reason(std::string(reason));
  condition->set_message(message);
  condition->mutable_last_update_time()->set_seconds(WallSeconds(wall));
  condition->mutable_last_transition_time()->set_seconds(since);
}

void NotePause(const Deployment& deployment, WallTime wall, DeploymentStatus* status) {
  if (!HasProgressDeadline(deployment)) return;
  const DeploymentCondition* last = FindCondition(*status, kProgressing);
  if (last != nullptr && last->reason() == kTimedOut) return;  // that is the more telling one
  const bool was_paused = last != nullptr && last->reason() == "DeploymentPaused";
  if (deployment.spec().paused() && !was_paused) {
    SetDeploymentCondition(kProgressing, "Unknown", "DeploymentPaused", "Deployment is paused",
                           wall, status);
  } else if (!deployment.spec().paused() && was_paused) {
    SetDeploymentCondition(kProgressing, "Unknown", "DeploymentResumed", "Deployment is resumed",
                           wall, status);
  }
}

void CountReplicas(const Deployment& deployment, const RevisionSets& sets, WallTime wall,
                   DeploymentStatus* status) {
  int asked = 0;
  int replicas = 0;
  int ready = 0;
  int available = 0;
  for (const RevisionSet& set : sets.all) {
    asked += set.get().spec().replicas();
    replicas += set.get().status().replicas();
    ready += set.get().status().ready_replicas();
    available += set.get().status().available_replicas();
  }
  status->set_observed_generation(deployment.metadata().generation());
  status->set_replicas(replicas);
  status->set_updated_replicas(
      sets.current() == nullptr ? 0 : sets.current()->get().status().replicas());
  status->set_ready_replicas(ready);
  status->set_available_replicas(available);
  status->set_unavailable_replicas(std::max(0, asked - available));
  if (available >= deployment.spec().replicas() - MaxUnavailable(deployment)) {
    SetDeploymentCondition(kAvailable, "True", "MinimumReplicasAvailable",
                           "Deployment has minimum availability.", wall, status);
  } else {
    SetDeploymentCondition(kAvailable, "False", "MinimumReplicasUnavailable",
                           "Deployment does not have minimum availability.", wall, status);
  }
}

bool IsComplete(const Deployment& deployment, const DeploymentStatus& status) {
  const int wanted = deployment.spec().replicas();
  return status.updated_replicas() == wanted && status.replicas() == wanted &&
         status.available_replicas() == wanted &&
         status.observed_generation() >= deployment.metadata().generation();
}

void JudgeProgress(const Deployment& deployment, const RevisionSets& sets, bool overdue,
                   WallTime wall, DeploymentStatus* status) {
  if (!HasProgressDeadline(deployment)) RemoveCondition(kProgressing, status);
  const DeploymentCondition* last = FindCondition(*status, kProgressing);
  // Once a rollout is complete, what happens to its pods is no progress of it.
  const bool is_over = status->replicas() == status->updated_replicas() && last != nullptr &&
                       last->reason() == kNewSetAvailable;
  if (HasProgressDeadline(deployment) && !is_over) {
    const std::string subject = Subject(deployment, sets);
    if (IsComplete(deployment, *status)) {
      SetDeploymentCondition(kProgressing, "True", kNewSetAvailable,
                             StrCat(subject, " has successfully progressed."), wall, status);
    } else if (HasProgressed(deployment.status(), *status)) {
      SetProgressing(StrCat(subject, " is progressing."), wall, status);
    } else if (overdue) {
      SetDeploymentCondition(kProgressing, "False", kTimedOut,
                             StrCat(subject, " has timed out progressing."), wall, status);
    }
  }
  CopyFailure(sets, wall, status);
}

}  // namespace kubemu
