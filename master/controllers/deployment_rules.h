#ifndef KUBEMU_MASTER_CONTROLLERS_DEPLOYMENT_RULES_H_
#define KUBEMU_MASTER_CONTROLLERS_DEPLOYMENT_RULES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/object.h"

namespace k8s::apps::v1 {
class Deployment;
class ReplicaSet;
}  // namespace k8s::apps::v1
namespace k8s::core::v1 {
class PodTemplateSpec;
}

// The arithmetic of Deployments as pure functions.
// Rules: pkg/controller/deployment/util/deployment_util.go, kubernetes.md section 5.1.
namespace kubemu {

inline constexpr std::string_view kTemplateHashLabel = "pod-template-hash";
inline constexpr std::string_view kRevisionAnnotation = "deployment.kubernetes.io/revision";
inline constexpr std::string_view kRevisionHistoryAnnotation =
    "deployment.kubernetes.io/revision-history";
inline constexpr std::string_view kDesiredReplicasAnnotation =
    "deployment.kubernetes.io/desired-replicas";
inline constexpr std::string_view kMaxReplicasAnnotation = "deployment.kubernetes.io/max-replicas";

bool IsRollingUpdate(const k8s::apps::v1::Deployment& deployment);

// How many pods more than spec.replicas there may be, and how many of them may be missing, during
// a rolling update. Percentages of the one round up, of the other down; both 0: one may be missing.
struct Bounds {
  int surge = 0;
  int unavailable = 0;
};
Bounds ResolveBounds(const k8s::apps::v1::Deployment& deployment);
// The same as counted by the strategy: 0 for Recreate.
int MaxSurge(const k8s::apps::v1::Deployment& deployment);
int MaxUnavailable(const k8s::apps::v1::Deployment& deployment);

// The template as text to compare and hash: without the hash label, without what means the same as
// its absence, so that a template that went through JSON is equal to what it was.
std::string CanonicalTemplate(const k8s::core::v1::PodTemplateSpec& spec);
// The pod-template-hash: 32 bits FNV-1a, in characters that make no words.
std::string TemplateHash(const std::string& canonical, std::optional<int32_t> collisions);

// One ReplicaSet of a Deployment, and the size that is planned for it.
struct RevisionSet {
  Object object;
  int replicas = 0;  // planned; begins as spec.replicas

  const k8s::apps::v1::ReplicaSet& get() const;
  int64_t revision() const;
  bool changed() const;
};

// All ReplicaSets of a Deployment, oldest first.
struct RevisionSets {
  std::vector<RevisionSet> all;
  int newest = -1;  // the one with the Deployment's template; -1: none yet

  RevisionSet* current() { return newest < 0 ? nullptr : &all[static_cast<size_t>(newest)]; }
  const RevisionSet* current() const {
    return newest < 0 ? nullptr : &all[static_cast<size_t>(newest)];
  }
  bool IsOld(const RevisionSet& set) const { return &set != current(); }
  // Pointers into `all`, oldest first.
  std::vector<RevisionSet*> Old();
  int Replicas() const;            // planned, of all
  int64_t MaxOldRevision() const;  // 0 without old ones
};
RevisionSets SortOut(const k8s::apps::v1::Deployment& deployment, std::vector<Object> sets);

// The size that the new ReplicaSet may have now.
int NewSetReplicas(const k8s::apps::v1::Deployment& deployment, const RevisionSets& sets);

// Rolling update: plans the next step. The new one grows first; when it may not, the old ones
// shrink, unhealthy pods first, as far as enough pods stay available. False: nothing to do.
bool PlanRollingUpdate(const k8s::apps::v1::Deployment& deployment, RevisionSets* sets);

// Sizes after spec.replicas changed, or while paused: all to the one active ReplicaSet; in the
// midst of a rollout, to all in proportion. False: nothing to do.
bool PlanScaling(const k8s::apps::v1::Deployment& deployment, RevisionSets* sets);
// True if spec.replicas is not what the active ReplicaSets were sized for.
bool NeedsScaling(const k8s::apps::v1::Deployment& deployment, const RevisionSets& sets);

// Old ReplicaSets past the revision history limit, to be deleted: empty ones only, lowest
// revisions first.
std::vector<Object> PastHistoryLimit(const k8s::apps::v1::Deployment& deployment,
                                     RevisionSets& sets);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_DEPLOYMENT_RULES_H_
