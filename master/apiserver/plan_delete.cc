#include <algorithm>
#include <utility>

#include "google/protobuf/message.h"
#include "master/apiserver/write_plan.h"
#include "messages/api/kinds.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

using ProtoMessage = google::protobuf::Message;
using k8s::core::v1::Namespace;
using k8s::core::v1::Pod;
using k8s::meta::v1::ObjectMeta;

constexpr std::string_view kForeground = "foregroundDeletion";
constexpr std::string_view kOrphan = "orphan";

std::optional<ApiStatus> CheckPreconditions(const ApiCall& call, const ObjectMeta& meta) {
  const auto conflict = [&](std::string_view what, const std::string& wanted,
                            const std::string& is) {
    return api_error::Conflict(ResourceOf(*call.kind), call.name,
                               StrCat("Precondition failed: ", what, " in precondition: ", wanted,
                                      ", ", what, " in object meta: ", is));
  };
  if (!call.precondition_uid.empty() && call.precondition_uid != meta.uid())
    return conflict("UID", call.precondition_uid, meta.uid());
  if (!call.precondition_resource_version.empty() &&
      call.precondition_resource_version != meta.resource_version())
    return conflict("ResourceVersion", call.precondition_resource_version, meta.resource_version());
  return std::nullopt;
}

// The garbage collector's finalizers follow the propagation policy (store.go,
// deletionFinalizersForGarbageCollection).
void SetFinalizers(const ApiCall& call, ObjectMeta* meta) {
  std::vector<std::string> finalizers;
  for (const std::string& finalizer : meta->finalizers()) {
    if (!call.propagation_policy.empty() && (finalizer == kForeground || finalizer == kOrphan))
      continue;
    finalizers.push_back(finalizer);
  }
  if (call.propagation_policy == "Foreground") finalizers.push_back(std::string(kForeground));
  if (call.propagation_policy == "Orphan") finalizers.push_back(std::string(kOrphan));
  meta->clear_finalizers();
  for (std::string& finalizer : finalizers) meta->add_finalizers(std::move(finalizer));
}

// How long a pod may take to end (pkg/registry/core/pod/strategy.go, CheckGracefulDelete).
int64_t GracePeriod(const ApiCall& call, const Object& object) {
  if (&object.kind() != &KindOf<Pod>()) return 0;
  const Pod& pod = object.As<Pod>();
  int64_t period = pod.spec().has_termination_grace_period_seconds()
                       ? pod.spec().termination_grace_period_seconds()
                       : 30;
  if (call.grace_period_seconds) period = *call.grace_period_seconds;
  const std::string& phase = pod.status().phase();
  if (pod.spec().node_name().empty() || phase == "Succeeded" || phase == "Failed") period = 0;
  return period < 0 ? 1 : period;
}

// Marks the object as being deleted, or shortens the time that it has left.
void MarkDeleted(const ApiCall& call, const Object& old, World& world, ProtoMessage* object) {
  ObjectMeta* meta = MutableMetaOf(object);
  if (!meta->has_deletion_timestamp()) {
    const int64_t grace = GracePeriod(call, old);
    SetTime(world.wall, meta->mutable_deletion_timestamp());
    meta->mutable_deletion_timestamp()->set_seconds(meta->deletion_timestamp().seconds() + grace);
    meta->set_deletion_grace_period_seconds(grace);
    if (meta->generation() > 0) meta->set_generation(meta->generation() + 1);
    return;
  }
  const int64_t before = meta->deletion_grace_period_seconds();
  if (!call.grace_period_seconds) return;
  const int64_t grace = std::max<int64_t>(*call.grace_period_seconds, 0);
  if (grace >= before) return;
  meta->mutable_deletion_timestamp()->set_seconds(meta->deletion_timestamp().seconds() - before +
                                                  grace);
  meta->set_deletion_grace_period_seconds(grace);
}

bool IsImmortal(const std::string& ns) {
  return ns == "default" || ns == "kube-system" || ns == "kube-public";
}

// A namespace's content goes first: it waits, Terminating, for its controller to finalize it.
OrStatus<WritePlan> PlanNamespace(const ApiCall& call, const Object& old, World& world) {
  if (IsImmortal(call.name)) {
    return api_error::Forbidden(ResourceOf(*call.kind), call.name,
                                "this namespace may not be deleted");
  }
  MutableObject object = CopyOf(old);
  Namespace* ns = static_cast<Namespace*>(object.get());
  SetFinalizers(call, ns->mutable_metadata());
  if (!ns->metadata().has_deletion_timestamp()) {
    SetTime(world.wall, ns->mutable_metadata()->mutable_deletion_timestamp());
    ns->mutable_status()->set_phase("Terminating");
  }
  if (ns->spec().finalizers().empty() && ns->metadata().finalizers().empty() && !call.dry_run)
    return RemovePlan(old);
  return PutPlan(call, old, std::move(object), world);
}

// Kinds whose deletion answers with the object; the others with a Status (ReturnDeletedObject).
bool AnswersWithObject(const Kind& kind) {
  return &kind == &KindOf<Pod>() || &kind == &KindOf<k8s::core::v1::Service>() ||
         &kind == &KindOf<k8s::core::v1::ServiceAccount>();
}

WritePlan Removed(const ApiCall& call, const Object& old) {
  WritePlan plan = RemovePlan(old);
  if (call.dry_run) plan.store = WritePlan::Store::kNothing;
  if (!AnswersWithObject(*call.kind))
    plan.status = SuccessStatus(ResourceOf(*call.kind), call.name, old.meta().uid());
  return plan;
}

}  // namespace

OrStatus<WritePlan> PlanDelete(const ApiCall& call, World& world) {
  const Object old = world.cache.Find(*call.kind, call.ns, call.name);
  if (!old) return NotFoundStatus(*call.kind, call.name);
  if (auto error = CheckPreconditions(call, old.meta())) return *std::move(error);
  if (call.kind == &KindOf<Namespace>()) return PlanNamespace(call, old, world);
  MutableObject object = CopyOf(old);
  SetFinalizers(call, MutableMetaOf(object.get()));
  MarkDeleted(call, old, world, object.get());
  const ObjectMeta& meta = MetaOf(*object);
  if (meta.finalizers().empty() && meta.deletion_grace_period_seconds() == 0)
    return Removed(call, old);
  return PutPlan(call, old, std::move(object), world);
}

}  // namespace kubemu
