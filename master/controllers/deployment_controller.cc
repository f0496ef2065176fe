#include "master/controllers/deployment_controller.h"

#include <algorithm>
#include <utility>

#include "master/controllers/canonical.h"
#include "master/controllers/deployment_status.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/api/object_selectors.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::Deployment;
using k8s::apps::v1::DeploymentCondition;
using k8s::apps::v1::DeploymentStatus;
using k8s::apps::v1::ReplicaSet;
using k8s::core::v1::Pod;

constexpr size_t kDeployments = 0;
constexpr size_t kSets = 1;
constexpr size_t kPods = 2;

// Younger than this when first seen: it happened just now (timestamps are whole seconds).
constexpr Duration kJustNow = 2s;

const Deployment& Get(const Object& deployment) {
  return deployment.As<Deployment>();
}

// With the status of nobody else: it may replace that of whatever version is the latest.
Object WithStatus(const Object& deployment, DeploymentStatus status) {
  Deployment updated = Get(deployment);
  *updated.mutable_status() = std::move(status);
  updated.mutable_metadata()->clear_resource_version();
  return Object::From(std::move(updated));
}

}  // namespace

DeploymentController::DeploymentController() : events_("deployment-controller", "") {
  Watch({.kind = &KindOf<Deployment>()});
  Watch({.kind = &KindOf<ReplicaSet>()});
  Watch({.kind = &KindOf<Pod>()});
}

void DeploymentController::Changed(size_t source_number, const Informer::Change& change,
                                   Trace trace, Env&) {
  if (source_number == kDeployments) {
    const auto state = states_.find(change.key);
    if (state != states_.end() &&
        (!change.after || change.after.meta().uid() != state->second.uid)) {
      states_.erase(state);
    }
    if (change.after) queue().Add(change.key, trace);
    return;
  }
  (source_number == kSets ? sets_ : pods_).Apply(change);
  // Of its pods a Deployment only needs to know when the last old one is gone (Recreate).
  if (source_number == kPods && change.after) return;
  for (const Object& object : {change.before, change.after}) {
    if (!object) continue;
    const auto* owner = ControllerOf(object.meta());
    if (owner == nullptr && source_number == kSets) AddSelecting(object, trace);
    if (owner == nullptr) continue;
    const std::string& ns = object.meta().namespace_();
    if (source_number == kPods) {
      const Object set = source(kSets).Find(ObjectKey(ns, owner->name()));
      owner = set ? ControllerOf(set.meta()) : nullptr;
      if (owner == nullptr) continue;
    }
    queue().Add(ObjectKey(ns, owner->name()), trace);
  }
}

// An orphaned ReplicaSet: the Deployment that selects it may take it in.
void DeploymentController::AddSelecting(const Object& set, Trace trace) {
  const std::string prefix = set.meta().namespace_() + "/";
  const auto& deployments = source(kDeployments).objects();
  for (auto at = deployments.lower_bound(prefix);
       at != deployments.end() && at->first.compare(0, prefix.size(), prefix) == 0; ++at) {
    const auto selector = ToLabelSelector(Get(at->second).spec().selector());
    if (selector.ok() && selector->MatchesLabels(set.meta().labels())) {
      queue().Add(at->first, trace);
    }
  }
}

DeploymentController::State& DeploymentController::StateOf(const Object& deployment) {
  State& state = states_[deployment.key()];
  if (state.uid != deployment.meta().uid()) {
    state = State{};
    state.uid = deployment.meta().uid();
  }
  state.requests.clear();
  return state;
}

void DeploymentController::Reconcile(const std::string& key, Env& env) {
  const Object deployment = source(kDeployments).Find(key);
  if (!deployment) return;
  Look look{key, deployment, StateOf(deployment), {}};
  const bool going = deployment.meta().has_deletion_timestamp();
  if (!going && Claim(look, env)) return;
  std::vector<Object> sets;
  for (const auto& [name, set] : sets_.OwnedBy(look.state.uid)) sets.push_back(set);
  look.sets = SortOut(Get(deployment), std::move(sets));
  if (going) {
    WriteStatus(look, false, env);
  } else if (Get(deployment).spec().paused() || NeedsScaling(Get(deployment), look.sets)) {
    Resize(look, env);
  } else if (IsRollingUpdate(Get(deployment))) {
    Roll(look, env);
  } else {
    Recreate(look, env);
  }
}

bool DeploymentController::Claim(const Look& look, Env& env) {
  const auto selector = ToLabelSelector(Get(look.object).spec().selector());
  if (!selector.ok()) return false;
  bool wrote = false;
  for (const auto& [key, object] : sets_.OrphansIn(look.object.meta().namespace_())) {
    if (object.meta().has_deletion_timestamp()) continue;
    if (!selector->MatchesLabels(object.meta().labels())) continue;
    ReplicaSet set = object.As<ReplicaSet>();
    *set.mutable_metadata()->add_owner_references() = ControllerReference(look.object);
    Update(Object::From(std::move(set)), "", env);
    wrote = true;
  }
  for (const auto& [key, object] : sets_.OwnedBy(look.state.uid)) {
    if (object.meta().has_deletion_timestamp()) continue;
    if (selector->MatchesLabels(object.meta().labels())) continue;
    ReplicaSet set = object.As<ReplicaSet>();
    auto* owners = set.mutable_metadata()->mutable_owner_references();
    owners->erase(std::remove_if(owners->begin(), owners->end(),
                                 [&](const auto& owner) { return owner.uid() == look.state.uid; }),
                  owners->end());
    Update(Object::From(std::move(set)), "", env);
    wrote = true;
  }
  return wrote;
}

void DeploymentController::Resize(Look& look, Env& env) {
  if (SyncNewSet(look, env)) return;
  SyncRevision(look, env);
  PlanScaling(Get(look.object), &look.sets);
  Scale(look, true, env);
  if (Get(look.object).spec().paused()) CleanUp(look, env);
  WriteStatus(look, false, env);
}

void DeploymentController::Roll(Look& look, Env& env) {
  if (look.sets.current() == nullptr) return CreateNewSet(look, env);
  if (SyncNewSet(look, env)) return;
  SyncRevision(look, env);
  if (PlanRollingUpdate(Get(look.object), &look.sets)) {
    Scale(look, false, env);
  } else if (IsComplete(Get(look.object), Get(look.object).status())) {
    CleanUp(look, env);
  }
  WriteStatus(look, true, env);
}

void DeploymentController::Recreate(Look& look, Env& env) {
  if (look.sets.current() != nullptr && SyncNewSet(look, env)) return;
  for (RevisionSet* set : look.sets.Old()) set->replicas = 0;
  if (!Scale(look, false, env) && !OldPodsRun(look)) {
    if (look.sets.current() == nullptr) return CreateNewSet(look, env);
    look.sets.current()->replicas = Get(look.object).spec().replicas();
    if (!Scale(look, false, env) && IsComplete(Get(look.object), Get(look.object).status())) {
      CleanUp(look, env);
    }
  }
  SyncRevision(look, env);
  WriteStatus(look, true, env);
}

bool DeploymentController::OldPodsRun(Look& look) const {
  for (const RevisionSet* set : look.sets.Old()) {
    if (set->get().status().replicas() > 0) return true;
    for (const auto& [key, pod] : pods_.OwnedBy(set->object.meta().uid())) {
      const std::string& phase = pod.As<Pod>().status().phase();
      if (phase != "Succeeded" && phase != "Failed") return true;
    }
  }
  return false;
}

void DeploymentController::CleanUp(Look& look, Env& env) {
  for (const Object& set : PastHistoryLimit(Get(look.object), look.sets)) Delete(set, "", env);
}

bool DeploymentController::IsOverdue(Look& look, Env& env) {
  const Deployment& deployment = Get(look.object);
  const DeploymentCondition* last = FindCondition(deployment.status(), "Progressing");
  if (!HasProgressDeadline(deployment) || last == nullptr) return false;
  if (last->reason() == kTimedOut) return true;
  if (last->reason() == kNewSetAvailable) return false;
  State& state = look.state;
  const int64_t update = last->last_update_time().seconds();
  if (state.progress_update != update) {
    const Duration age = env.wall.time_since_epoch() - std::chrono::seconds(update);
    state.progress_update = update;
    state.progress_since = age > kJustNow ? env.now - age : env.now;
  }
  const Time deadline =
      state.progress_since + std::chrono::seconds(deployment.spec().progress_deadline_seconds());
  if (deadline <= env.now) return true;
  queue().AddAt(look.key, env.outbox.cause(), deadline);
  return false;
}

void DeploymentController::WriteStatus(Look& look, bool rollout, Env& env) {
  const Deployment& deployment = Get(look.object);
  DeploymentStatus status = deployment.status();
  NotePause(deployment, env.wall, &status);
  CountReplicas(deployment, look.sets, env.wall, &status);
  const RevisionSet* current = look.sets.current();
  if (current != nullptr && HasProgressDeadline(deployment)) {
    const std::string& name = current->object.meta().name();
    if (std::exchange(look.state.created, "") == name) {
      SetDeploymentCondition("Progressing", "True", "NewReplicaSetCreated",
                             StrCat("Created new replica set \"", name, "\""), env.wall, &status);
    } else if (FindCondition(status, "Progressing") == nullptr) {
      SetDeploymentCondition("Progressing", "True", "FoundNewReplicaSet",
                             StrCat("Found new replica set \"", name, "\""), env.wall, &status);
    }
  }
  if (rollout) JudgeProgress(deployment, look.sets, IsOverdue(look, env), env.wall, &status);
  if (CanonicalBytes(status) == CanonicalBytes(deployment.status())) return;
  Update(WithStatus(look.object, std::move(status)), "status", env);
}

bool DeploymentController::Answered(const std::string& key, const CallResult& result, Env& env) {
  const auto state = states_.find(key);
  const Object deployment = source(kDeployments).Find(key);
  if (state == states_.end() || !deployment) return true;  // it is gone meanwhile
  const auto at = state->second.requests.find(result.call);
  if (at == state->second.requests.end()) return result.ok();
  const Request request = std::move(at->second);
  state->second.requests.erase(at);
  if (request.is_creation && !result.ok()) {
    return CreationFailed(deployment, request, result, state->second, env);
  }
  if (!result.ok()) return false;
  if (request.is_creation) state->second.created = request.set;
  if (request.from != request.to) {
    events_.Record(ReferenceTo(deployment), "Normal", "ScalingReplicaSet",
                   StrCat("Scaled ", request.from < request.to ? "up" : "down", " replica set ",
                          request.set, " from ", request.from, " to ", request.to),
                   env);
  }
  return true;
}

bool DeploymentController::CreationFailed(const Object& deployment, const Request& request,
                                          const CallResult& result, State& state, Env& env) {
  if (IsNamespaceTerminating(result)) return true;
  DeploymentStatus status = Get(deployment).status();
  if (result.reason == "AlreadyExists") {
    const Object there = source(kSets).Find(ObjectKey(deployment.meta().namespace_(), request.set));
    if (!there) return false;  // the cache will show whose it is
    const auto* owner = ControllerOf(there.meta());
    if (owner != nullptr && owner->uid() == state.uid &&
        CanonicalTemplate(there.As<ReplicaSet>().spec().template_()) == request.canonical) {
      return true;
    }
    // Two templates with one hash: the count goes into the next hash.
    status.set_collision_count(status.collision_count() + 1);
    Update(WithStatus(deployment, std::move(status)), "status", env);
    return true;
  }
  if (result.code == 504) return false;
  const std::string what =
      StrCat("Failed to create new replica set \"", request.set, "\": ", result.message);
  events_.Record(ReferenceTo(deployment), "Warning", "ReplicaSetCreateError", what, env);
  if (HasProgressDeadline(Get(deployment))) {
    SetDeploymentCondition("Progressing", "False", "ReplicaSetCreateError", what, env.wall,
                           &status);
    if (CanonicalBytes(status) != CanonicalBytes(Get(deployment).status())) {
      Update(WithStatus(deployment, std::move(status)), "status", env);
    }
  }
  return false;
}

}  // namespace kubemu
