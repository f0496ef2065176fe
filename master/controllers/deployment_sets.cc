// What a DeploymentController writes to ReplicaSets, and to its Deployment's annotations.
#include <algorithm>
#include <array>
#include <utility>

#include "master/controllers/deployment_controller.h"
#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::Deployment;
using k8s::apps::v1::ReplicaSet;

// Annotations of a Deployment that say nothing about its ReplicaSets.
constexpr std::array<std::string_view, 6> kNotCopied = {
    "kubectl.kubernetes.io/last-applied-configuration",
    kRevisionAnnotation,
    kRevisionHistoryAnnotation,
    kDesiredReplicasAnnotation,
    kMaxReplicasAnnotation,
    "deprecated.deployment.rollback.to"};

// Adds or replaces an entry; returns whether that changed anything.
bool Put(StringEntries* entries, std::string_view key, const std::string& value) {
  const std::string* known = FindEntry(*entries, key);
  if (known != nullptr && *known == value) return false;
  SetEntry(entries, key, value);
  return true;
}

bool CopyAnnotations(const Deployment& deployment, StringEntries* annotations) {
  bool changed = false;
  for (const auto& entry : deployment.metadata().annotations()) {
    if (std::find(kNotCopied.begin(), kNotCopied.end(), entry.key()) != kNotCopied.end()) continue;
    changed |= Put(annotations, entry.key(), entry.value());
  }
  return changed;
}

bool SetSizeAnnotations(const Deployment& deployment, StringEntries* annotations) {
  const int wanted = deployment.spec().replicas();
  bool changed = Put(annotations, kDesiredReplicasAnnotation, StrCat(wanted));
  changed |= Put(annotations, kMaxReplicasAnnotation, StrCat(wanted + MaxSurge(deployment)));
  return changed;
}

// A ReplicaSet that becomes the current one (again) takes the next revision, and remembers those
// it had.
bool RaiseRevision(int64_t old_revision, int64_t revision, StringEntries* annotations) {
  if (old_revision >= revision) return false;
  SetEntry(annotations, kRevisionAnnotation, StrCat(revision));
  if (old_revision == 0) return true;
  const std::string* history = FindEntry(*annotations, kRevisionHistoryAnnotation);
  std::string longer = history == nullptr || history->empty() ? "" : *history + ",";
  StrAppend(&longer, old_revision);
  SetEntry(annotations, kRevisionHistoryAnnotation, longer);
  return true;
}

ReplicaSet NewSet(const Object& object, const RevisionSets& sets, const std::string& hash) {
  const Deployment& deployment = object.As<Deployment>();
  ReplicaSet set;
  auto* meta = set.mutable_metadata();
  meta->set_name(StrCat(deployment.metadata().name(), "-", hash));
  meta->set_namespace_(deployment.metadata().namespace_());
  *meta->add_owner_references() = ControllerReference(object);
  CopyAnnotations(deployment, meta->mutable_annotations());
  SetSizeAnnotations(deployment, meta->mutable_annotations());
  RaiseRevision(0, sets.MaxOldRevision() + 1, meta->mutable_annotations());
  auto* spec = set.mutable_spec();
  spec->set_replicas(NewSetReplicas(deployment, sets));
  if (deployment.spec().min_ready_seconds() != 0) {
    spec->set_min_ready_seconds(deployment.spec().min_ready_seconds());
  }
  *spec->mutable_selector() = deployment.spec().selector();
  SetEntry(spec->mutable_selector()->mutable_match_labels(), kTemplateHashLabel, hash);
  *spec->mutable_template_() = deployment.spec().template_();
  auto* labels = spec->mutable_template_()->mutable_metadata()->mutable_labels();
  SetEntry(labels, kTemplateHashLabel, hash);
  *meta->mutable_labels() = *labels;
  return set;
}

}  // namespace

void DeploymentController::CreateNewSet(Look& look, Env& env) {
  const Deployment& deployment = look.object.As<Deployment>();
  Request request;
  request.is_creation = true;
  request.canonical = CanonicalTemplate(deployment.spec().template_());
  std::optional<int32_t> collisions;
  if (deployment.status().has_collision_count()) collisions = deployment.status().collision_count();
  ReplicaSet set = NewSet(look.object, look.sets, TemplateHash(request.canonical, collisions));
  request.set = set.metadata().name();
  request.to = set.spec().replicas();
  const uint64_t call = Create(Object::From(std::move(set)), env);
  look.state.requests[call] = std::move(request);
}

// Annotations and minReadySeconds of the current ReplicaSet follow the Deployment's.
bool DeploymentController::SyncNewSet(Look& look, Env& env) {
  const RevisionSet* current = look.sets.current();
  if (current == nullptr) return false;
  const Deployment& deployment = look.object.As<Deployment>();
  ReplicaSet set = current->get();
  StringEntries* annotations = set.mutable_metadata()->mutable_annotations();
  bool changed = CopyAnnotations(deployment, annotations);
  changed |= RaiseRevision(current->revision(), look.sets.MaxOldRevision() + 1, annotations);
  if (set.spec().min_ready_seconds() != deployment.spec().min_ready_seconds()) {
    set.mutable_spec()->set_min_ready_seconds(deployment.spec().min_ready_seconds());
    changed = true;
  }
  if (changed) Update(Object::From(std::move(set)), "", env);
  return changed;
}

bool DeploymentController::Scale(Look& look, bool resize, Env& env) {
  const Deployment& deployment = look.object.As<Deployment>();
  bool wrote = false;
  for (const RevisionSet& planned : look.sets.all) {
    if (!planned.changed() && !(resize && planned.replicas > 0)) continue;
    ReplicaSet set = planned.get();
    const bool annotated =
        SetSizeAnnotations(deployment, set.mutable_metadata()->mutable_annotations());
    if (!planned.changed() && !annotated) continue;
    Request request;
    request.set = set.metadata().name();
    request.from = set.spec().replicas();
    request.to = planned.replicas;
    set.mutable_spec()->set_replicas(planned.replicas);
    const uint64_t call = Update(Object::From(std::move(set)), "", env);
    look.state.requests[call] = std::move(request);
    wrote = true;
  }
  return wrote;
}

// The Deployment carries the revision of its current ReplicaSet.
void DeploymentController::SyncRevision(Look& look, Env& env) {
  const RevisionSet* current = look.sets.current();
  if (current == nullptr || current->revision() == 0) return;
  Deployment updated = look.object.As<Deployment>();
  StringEntries* annotations = updated.mutable_metadata()->mutable_annotations();
  if (!Put(annotations, kRevisionAnnotation, StrCat(current->revision()))) return;
  Update(Object::From(std::move(updated)), "", env);
}

}  // namespace kubemu
