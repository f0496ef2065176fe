#ifndef KUBEMU_MASTER_CONTROLLERS_DEPLOYMENT_STATUS_H_
#define KUBEMU_MASTER_CONTROLLERS_DEPLOYMENT_STATUS_H_

#include <string>
#include <string_view>

#include "master/controllers/deployment_rules.h"
#include "messages/core/time.h"

namespace k8s::apps::v1 {
class DeploymentCondition;
class DeploymentStatus;
}  // namespace k8s::apps::v1

// The status of a Deployment and its conditions, as pure functions.
// Rules: pkg/controller/deployment/{sync,progress}.go.
namespace kubemu {

inline constexpr std::string_view kNewSetAvailable = "NewReplicaSetAvailable";
inline constexpr std::string_view kTimedOut = "ProgressDeadlineExceeded";

// True if the Deployment wants to know when its rollout is stuck.
bool HasProgressDeadline(const k8s::apps::v1::Deployment& deployment);

// nullptr: no condition of that type.
const k8s::apps::v1::DeploymentCondition* FindCondition(
    const k8s::apps::v1::DeploymentStatus& status, std::string_view type);

// Adds or replaces a condition. The same status and reason again change nothing;
// lastTransitionTime moves only with the status.
void SetDeploymentCondition(const std::string& type, const std::string& status,
                            std::string_view reason, const std::string& message, WallTime wall,
                            k8s::apps::v1::DeploymentStatus* out);

// Sets Progressing to DeploymentPaused or DeploymentResumed when that has changed.
void NotePause(const k8s::apps::v1::Deployment& deployment, WallTime wall,
               k8s::apps::v1::DeploymentStatus* status);

// Counts and the condition Available, into *status (which holds the last status).
void CountReplicas(const k8s::apps::v1::Deployment& deployment, const RevisionSets& sets,
                   WallTime wall, k8s::apps::v1::DeploymentStatus* status);

// All that is asked for is there, of the new revision, and available.
bool IsComplete(const k8s::apps::v1::Deployment& deployment,
                const k8s::apps::v1::DeploymentStatus& status);

// The conditions Progressing and ReplicaFailure during a rollout. `overdue`: no progress was seen
// for progressDeadlineSeconds.
void JudgeProgress(const k8s::apps::v1::Deployment& deployment, const RevisionSets& sets,
                   bool overdue, WallTime wall, k8s::apps::v1::DeploymentStatus* status);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_DEPLOYMENT_STATUS_H_
