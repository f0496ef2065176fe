#include "master/controllers/replicaset_controller.h"

#include <algorithm>
#include <utility>

#include "master/controllers/pod_facts.h"
#include "messages/api/kinds.h"
#include "messages/api/object_selectors.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::ReplicaSet;
using k8s::core::v1::Pod;

constexpr size_t kSets = 0;
constexpr size_t kPods = 1;

constexpr size_t kPodNameBaseMax = 58;  // of 63 characters, 5 are random
constexpr int kSuffixLength = 5;

LabelSelector SelectorOf(const Object& set) {
  return ToLabelSelector(set.As<ReplicaSet>().spec().selector()).value_or(LabelSelector::Nothing());
}

bool HasValidSelector(const Object& set) {
  const auto& spec = set.As<ReplicaSet>().spec();
  const auto selector = ToLabelSelector(spec.selector());
  return selector.ok() && !selector->IsEverything() &&
         selector->MatchesLabels(spec.template_().metadata().labels());
}

bool Selects(const LabelSelector& selector, const Object& object) {
  return selector.MatchesLabels(object.meta().labels());
}

// The namespace is on its way out: nothing is to be made in it any more.
}  // namespace

Pod PodFromTemplate(const Object& set, const std::string& name) {
  const auto& from = set.As<ReplicaSet>().spec().template_();
  Pod pod;
  auto* meta = pod.mutable_metadata();
  meta->set_name(name);
  meta->set_generate_name(StrCat(set.meta().name(), "-"));
  meta->set_namespace_(set.meta().namespace_());
  *meta->mutable_labels() = from.metadata().labels();
  *meta->mutable_annotations() = from.metadata().annotations();
  *meta->mutable_finalizers() = from.metadata().finalizers();
  *meta->add_owner_references() = ControllerReference(set);
  *pod.mutable_spec() = from.spec();
  return pod;
}

ReplicaSetController::ReplicaSetController() : events_("replicaset-controller", "") {
  Watch({.kind = &KindOf<ReplicaSet>()});
  Watch({.kind = &KindOf<Pod>()});
}

void ReplicaSetController::Changed(size_t source, const Informer::Change& change, Trace trace,
                                   Env& env) {
  if (source == kSets) {
    SetChanged(change, trace);
  } else {
    PodChanged(change, trace, env);
  }
}

void ReplicaSetController::SetChanged(const Informer::Change& change, Trace trace) {
  sets_.Apply(change);
  const auto state = states_.find(change.key);
  if (state != states_.end() && (!change.after || change.after.meta().uid() != state->second.uid)) {
    states_.erase(state);
  }
  if (change.after) queue().Add(change.key, trace);
}

void ReplicaSetController::AddOwner(const Object& pod, Trace trace) {
  const auto* owner = ControllerOf(pod.meta());
  if (owner == nullptr || owner->kind() != "ReplicaSet") return;
  queue().Add(ObjectKey(pod.meta().namespace_(), owner->name()), trace);
}

ReplicaSetController::State* ReplicaSetController::OwnerState(const Object& pod) {
  const auto* owner = ControllerOf(pod.meta());
  if (owner == nullptr) return nullptr;
  const auto state = states_.find(ObjectKey(pod.meta().namespace_(), owner->name()));
  return state == states_.end() || state->second.uid != owner->uid() ? nullptr : &state->second;
}

void ReplicaSetController::PodChanged(const Informer::Change& change, Trace trace, Env& env) {
  pods_.Apply(change);
  State* const before = change.before ? OwnerState(change.before) : nullptr;
  State* const after = change.after ? OwnerState(change.after) : nullptr;
  if (before != nullptr && before != after) before->tally.Remove(change.key);
  if (after != nullptr) after->tally.Put(change.after, env.now, env.wall);
  if (change.before) AddOwner(change.before, trace);
  if (!change.after) return;
  AddOwner(change.after, trace);
  if (ControllerOf(change.after.meta()) != nullptr) return;
  // An orphan: whoever selects it may take it in.
  const std::string prefix = change.after.meta().namespace_() + "/";
  const auto& sets = source(kSets).objects();
  for (auto at = sets.lower_bound(prefix);
       at != sets.end() && at->first.compare(0, prefix.size(), prefix) == 0; ++at) {
    if (Selects(SelectorOf(at->second), change.after)) queue().Add(at->first, trace);
  }
}

void ReplicaSetController::Reconcile(const std::string& key, Env& env) {
  const Object set = source(kSets).Find(key);
  // With a selector that selects nothing it would make pods and let go of them for ever.
  if (!set || !HasValidSelector(set)) return;
  State& state = Refresh(set, env);
  if (!set.meta().has_deletion_timestamp()) {
    Claim(set, state, env);
    Manage(set, state, env);
  }
  UpdateStatus(set, state, env);
}

ReplicaSetController::State& ReplicaSetController::Refresh(const Object& set, Env& env) {
  State& state = states_[set.key()];
  if (state.uid != set.meta().uid()) {
    state = State{};
    state.uid = set.meta().uid();
    state.selector = SelectorOf(set);
  }
  if (state.generation != set.meta().generation()) {
    state.generation = set.meta().generation();
    state.tally.Recount(set.As<ReplicaSet>(), pods_.OwnedBy(state.uid), env.now, env.wall);
  }
  state.tally.Mature(env.now);
  state.requests.clear();
  state.left = state.unanswered = 0;
  return state;
}

// Takes in orphans that the selector selects, lets go of pods that it no longer selects.
void ReplicaSetController::Claim(const Object& set, State& state, Env& env) {
  for (const auto& [key, object] : pods_.OrphansIn(set.meta().namespace_())) {
    if (!IsPodActive(object.As<Pod>()) || !Selects(state.selector, object)) continue;
    Pod pod = object.As<Pod>();
    *pod.mutable_metadata()->add_owner_references() = ControllerReference(set);
    Update(Object::From(std::move(pod)), "", env);
  }
  for (const std::string& key : state.tally.strangers()) {
    Pod pod = source(kPods).Find(key).As<Pod>();
    auto* owners = pod.mutable_metadata()->mutable_owner_references();
    owners->erase(std::remove_if(owners->begin(), owners->end(),
                                 [&](const auto& owner) { return owner.uid() == state.uid; }),
                  owners->end());
    Update(Object::From(std::move(pod)), "", env);
  }
}

// All pods of the ReplicaSets that belong to the same Deployment.
std::vector<Object> ReplicaSetController::Group(const Object& set) const {
  std::vector<Object> group;
  const auto add = [&](const Object& of) {
    for (const auto& [key, pod] : pods_.OwnedBy(of.meta().uid())) group.push_back(pod);
  };
  const auto* owner = ControllerOf(set.meta());
  if (owner == nullptr) {
    add(set);
  } else {
    for (const auto& [key, sibling] : sets_.OwnedBy(owner->uid())) add(sibling);
  }
  return group;
}

void ReplicaSetController::Manage(const Object& set, State& state, Env& env) {
  const int wanted = set.As<ReplicaSet>().spec().replicas();
  const int difference = wanted - state.tally.counts().active;
  if (difference == 0) {
    state.failure.reset();
  } else if (difference > 0) {
    state.left = std::min(difference, kBurst);
    state.batch = 1;
    CreateBatch(set, state, env);
  } else {
    DeletePods(set, std::min(-difference, kBurst), state, env);
  }
}

std::string ReplicaSetController::NextName(const Object& set, State& state, Env& env) const {
  while (!state.unknown.empty()) {
    std::string name = std::move(state.unknown.extract(state.unknown.begin()).value());
    if (!source(kPods).Find(ObjectKey(set.meta().namespace_(), name))) return name;
  }
  const std::string base = StrCat(set.meta().name(), "-").substr(0, kPodNameBaseMax);
  return base + env.random.Suffix(kSuffixLength);
}

void ReplicaSetController::CreateBatch(const Object& set, State& state, Env& env) {
  const int count = std::min(state.batch, state.left);
  state.batch_failed = false;
  for (int i = 0; i < count; ++i) {
    const std::string name = NextName(set, state, env);
    const uint64_t call = Create(Object::From(PodFromTemplate(set, name)), env);
    state.requests[call] = Request{Purpose::kCreate, name, ""};
    ++state.unanswered;
    --state.left;
  }
}

void ReplicaSetController::DeletePods(const Object& set, int count, State& state, Env& env) {
  std::vector<Object> active;
  for (const auto& [key, pod] : pods_.OwnedBy(state.uid)) {
    if (state.tally.IsActive(key)) active.push_back(pod);
  }
  std::vector<Object> ordered = static_cast<size_t>(count) < active.size()
                                    ? InDeletionOrder(active, Group(set), env.wall)
                                    : active;
  ordered.resize(static_cast<size_t>(count));
  for (const Object& pod : ordered) {
    const uint64_t call = Delete(pod, "", env);
    state.requests[call] = Request{Purpose::kDelete, pod.meta().name(), pod.meta().uid()};
    ++state.unanswered;
  }
}

void ReplicaSetController::UpdateStatus(const Object& set, State& state, Env& env) {
  ReplicaSet updated = set.As<ReplicaSet>();
  const bool changed = ComputeReplicaSetStatus(set.As<ReplicaSet>(), state.tally.counts(),
                                               state.failure, env.wall, updated.mutable_status());
  if (state.tally.NextAvailable() != kNever) {
    queue().AddAt(set.key(), env.outbox.cause(), state.tally.NextAvailable());
  }
  if (!changed) return;
  // Nobody else writes the status, so it may replace that of whatever version is the latest.
  updated.mutable_metadata()->clear_resource_version();
  Update(Object::From(std::move(updated)), "status", env);
}

bool ReplicaSetController::Answered(const std::string& key, const CallResult& result, Env& env) {
  const auto state = states_.find(key);
  if (state == states_.end()) return true;  // the ReplicaSet is gone meanwhile
  const auto request = state->second.requests.find(result.call);
  if (request == state->second.requests.end()) return result.ok();
  const Request what = request->second;
  state->second.requests.erase(request);
  return what.purpose == Purpose::kCreate ? Created(key, what, result, state->second, env)
                                          : Deleted(key, what, result, state->second, env);
}

bool ReplicaSetController::Created(const std::string& key, const Request& request,
                                   const CallResult& result, State& state, Env& env) {
  --state.unanswered;
  const Object set = source(kSets).Find(key);
  bool succeeded = result.ok();
  if (result.ok()) {
    state.failure.reset();
    if (set) {
      events_.Record(ReferenceTo(set), "Normal", "SuccessfulCreate",
                     StrCat("Created pod: ", request.pod), env);
    }
  } else if (IsNamespaceTerminating(result)) {
    succeeded = true;
    state.left = 0;
  } else {
    state.batch_failed = true;
    const bool exists = result.reason == "AlreadyExists";
    if (exists || result.code == 504) state.unknown.insert(request.pod);
    if (!exists && !state.failure) state.failure = ReplicaFailure{"FailedCreate", result.message};
    if (set && !exists && result.code != 504) {
      events_.Record(ReferenceTo(set), "Warning", "FailedCreate",
                     StrCat("Error creating: ", result.message), env);
    }
  }
  NextBatch(key, state, env);
  return succeeded;
}

void ReplicaSetController::NextBatch(const std::string& key, State& state, Env& env) {
  if (state.unanswered > 0) return;
  const Object set = source(kSets).Find(key);
  if (state.batch_failed) state.left = 0;
  // The end: the news of the pods, or the back-off, brings the key back.
  if (state.left == 0 || !set || set.meta().uid() != state.uid ||
      set.meta().has_deletion_timestamp()) {
    return;
  }
  state.batch *= 2;
  CreateBatch(set, state, env);
}

bool ReplicaSetController::Deleted(const std::string& key, const Request& request,
                                   const CallResult& result, State& state, Env& env) {
  --state.unanswered;
  const Object set = source(kSets).Find(key);
  if (result.ok() || result.code == 404 || result.conflict()) {
    // By its uid: a conflict means that another pod has the name by now.
    state.tally.MarkDeleted(ObjectKey(key.substr(0, key.find('/')), request.pod), request.pod_uid);
    if (result.ok() && set) {
      events_.Record(ReferenceTo(set), "Normal", "SuccessfulDelete",
                     StrCat("Deleted pod: ", request.pod), env);
    }
    return true;
  }
  if (!state.failure) state.failure = ReplicaFailure{"FailedDelete", result.message};
  if (set && result.code != 504) {
    events_.Record(ReferenceTo(set), "Warning", "FailedDelete",
                   StrCat("Error deleting: ", result.message), env);
  }
  return false;
}

}  // namespace kubemu
