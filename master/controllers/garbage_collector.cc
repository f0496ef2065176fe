#include "master/controllers/garbage_collector.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_event.pb.h"

namespace kubemu {
namespace {

constexpr const char* kForeground = "foregroundDeletion";
constexpr const char* kOrphan = "orphan";

bool IsBeingDeleted(const Object& object) {
  return object.meta().has_deletion_timestamp();
}

// The owner waits for its dependents to go.
bool IsWaiting(const Object& owner) {
  return IsBeingDeleted(owner) && HasFinalizer(owner, kForeground);
}

bool Blocks(const Object& dependent, const std::string& owner_uid) {
  const auto& owners = dependent.meta().owner_references();
  return std::any_of(owners.begin(), owners.end(), [&owner_uid](const auto& owner) {
    return owner.uid() == owner_uid && owner.block_owner_deletion();
  });
}

// A copy with other metadata; the resourceVersion stays as precondition.
template <class Change>
Object WithMeta(const Object& object, Change change) {
  std::unique_ptr<google::protobuf::Message> copy(object.message().New());
  copy->CopyFrom(object.message());
  change(MutableMetaOf(copy.get()));
  return Object::Of(std::move(copy));
}

}  // namespace

GarbageCollector::GarbageCollector() {
  for (const Kind* kind : AllKinds()) {
    if (kind != &KindOf<k8s::core::v1::Event>()) Watch({.kind = kind});
  }
}

void GarbageCollector::Changed(size_t, const Informer::Change& change, Trace trace, Env&) {
  const bool is_other =
      change.before && change.after && change.before.meta().uid() != change.after.meta().uid();
  if (change.before && (!change.after || is_other)) Removed(change.before, trace);
  if (change.after) Added(change.after, trace);
}

void GarbageCollector::Added(const Object& object, Trace trace) {
  graph_.Put(object);
  const bool has_duty = IsBeingDeleted(object) &&
                        (HasFinalizer(object, kForeground) || HasFinalizer(object, kOrphan));
  const auto& owners = object.meta().owner_references();
  const bool is_dangling = std::any_of(owners.begin(), owners.end(), [&](const auto& owner) {
    return StateOf(object, owner) != OwnerState::kSolid;
  });
  if (has_duty || is_dangling) queue().Add(object.meta().uid(), trace);
}

void GarbageCollector::Removed(const Object& object, Trace trace) {
  const std::string& uid = object.meta().uid();
  graph_.Remove(object);
  RememberAbsent(AbsentKey(object.meta().namespace_(), uid));
  for (const Object& dependent : graph_.DependentsOf(uid)) {
    queue().Add(dependent.meta().uid(), trace);
  }
  for (const auto& reference : object.meta().owner_references()) {
    const Object owner = graph_.OwnerOf(object, reference);
    if (owner && IsWaiting(owner)) queue().Add(reference.uid(), trace);
  }
}

void GarbageCollector::Reconcile(const std::string& key, Env& env) {
  const Object object = graph_.Find(key);
  if (!object) return;
  if (!IsBeingDeleted(object)) return Collect(object, env);
  if (HasFinalizer(object, kOrphan)) return ServeOrphan(object, env);
  if (HasFinalizer(object, kForeground)) ServeForeground(object, env);
}

GarbageCollector::OwnerState GarbageCollector::StateOf(const Object& object,
                                                       const OwnerReference& reference) const {
  const Object owner = graph_.OwnerOf(object, reference);
  if (owner) return IsWaiting(owner) ? OwnerState::kWaiting : OwnerState::kSolid;
  const Kind* kind = FindKind(reference.api_version(), reference.kind());
  // What kind of thing this is we cannot know: it may exist.
  if (kind == nullptr || kind->id < 0) return OwnerState::kSolid;
  const std::string ns = kind->namespaced ? object.meta().namespace_() : "";
  return absent_.contains(AbsentKey(ns, reference.uid())) ? OwnerState::kAbsent
                                                          : OwnerState::kUnknown;
}

void GarbageCollector::Collect(const Object& object, Env& env) {
  std::set<std::string> unneeded;  // owners that are absent, or wait for us
  bool has_solid = false;
  bool has_waiting = false;
  bool asked = false;
  for (const auto& owner : object.meta().owner_references()) {
    const OwnerState state = StateOf(object, owner);
    has_solid |= state == OwnerState::kSolid;
    has_waiting |= state == OwnerState::kWaiting;
    if (state == OwnerState::kUnknown) {
      AskForOwner(object, owner, env);
      asked = true;
    } else if (state != OwnerState::kSolid) {
      unneeded.insert(owner.uid());
    }
  }
  if (asked || unneeded.empty()) return;
  if (has_solid) return DropReferences(object, unneeded, env);
  const bool is_foreground = HasFinalizer(object, kForeground) ||
                             (has_waiting && graph_.HasDependents(object.meta().uid()));
  Delete(object,
         HasFinalizer(object, kOrphan) ? "Orphan"
         : is_foreground               ? "Foreground"
                                       : "Background",
         env);
}

void GarbageCollector::AskForOwner(const Object& object, const OwnerReference& owner, Env& env) {
  const Kind& kind = *FindKind(owner.api_version(), owner.kind());
  bus::ApiRequest request;
  request.set_verb(bus::GET);
  request.set_kind(static_cast<uint32_t>(kind.id));
  request.set_name(owner.name());
  if (kind.namespaced) request.set_namespace_(object.meta().namespace_());
  const std::string absent_key = AbsentKey(request.namespace_(), owner.uid());
  questions_[Call(std::move(request), Object(), env)] = Question{absent_key, owner.uid()};
}

bool GarbageCollector::Answered(const std::string& key, const CallResult& result, Env& env) {
  const auto question = questions_.find(result.call);
  if (question == questions_.end()) {
    return result.ok() || result.code == 404;  // what was to be changed is gone
  }
  const Question asked = std::move(question->second);
  questions_.erase(question);
  const bool other =
      result.ok() && !result.objects.empty() && result.objects[0].meta().uid() != asked.uid;
  if (result.code == 404 || other) {
    RememberAbsent(asked.absent_key);
    queue().Add(key, env.outbox.cause());
    return true;
  }
  return result.ok();
}

void GarbageCollector::DropReferences(const Object& object, const std::set<std::string>& owners,
                                      Env& env) {
  const auto drop = [&owners](k8s::meta::v1::ObjectMeta* meta) {
    auto* references = meta->mutable_owner_references();
    const auto end = std::remove_if(
        references->begin(), references->end(),
        [&owners](const auto& reference) { return owners.contains(reference.uid()); });
    references->erase(end, references->end());
  };
  Update(WithMeta(object, drop), "", env);
}

void GarbageCollector::ServeForeground(const Object& owner, Env& env) {
  const std::string& uid = owner.meta().uid();
  bool is_blocked = false;
  for (const Object& dependent : graph_.DependentsOf(uid)) {
    is_blocked |= Blocks(dependent, uid);
    if (!IsBeingDeleted(dependent)) queue().Add(dependent.meta().uid(), env.outbox.cause());
  }
  if (!is_blocked) RemoveFinalizer(owner, kForeground, env);
}

void GarbageCollector::ServeOrphan(const Object& owner, Env& env) {
  const std::vector<Object> dependents = graph_.DependentsOf(owner.meta().uid());
  const size_t count = std::min(dependents.size(), kOrphansMax);
  for (size_t i = 0; i < count; ++i) DropReferences(dependents[i], {owner.meta().uid()}, env);
  if (dependents.empty()) return RemoveFinalizer(owner, kOrphan, env);
  queue().Add(owner.meta().uid(), env.outbox.cause());  // looks again when these are done
}

void GarbageCollector::RemoveFinalizer(const Object& object, const std::string& finalizer,
                                       Env& env) {
  const auto remove = [&finalizer](k8s::meta::v1::ObjectMeta* meta) {
    auto* finalizers = meta->mutable_finalizers();
    finalizers->erase(std::remove(finalizers->begin(), finalizers->end(), finalizer),
                      finalizers->end());
  };
  Update(WithMeta(object, remove), "", env);
}

std::string GarbageCollector::AbsentKey(const std::string& ns, const std::string& uid) {
  return StrCat(ns, "/", uid);
}

void GarbageCollector::RememberAbsent(const std::string& absent_key) {
  if (!absent_.insert(absent_key).second) return;
  absent_order_.push_back(absent_key);
  if (absent_order_.size() > kAbsentMax) {
    absent_.erase(absent_order_.front());
    absent_order_.pop_front();
  }
}

}  // namespace kubemu
