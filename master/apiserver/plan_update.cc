#include <utility>

#include "google/protobuf/message.h"
#include "master/apiserver/defaults/defaults.h"
#include "master/apiserver/field_ownership.h"
#include "master/apiserver/validation/validation.h"
#include "master/apiserver/write_plan.h"
#include "messages/api/kinds.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

using ProtoMessage = google::protobuf::Message;
using k8s::core::v1::Namespace;
using k8s::core::v1::Service;
using k8s::meta::v1::ObjectMeta;

// Kinds whose PUT makes the object when there is none (AllowCreateOnUpdate).
bool CreatesOnUpdate(const Kind& kind) {
  return &kind == &KindOf<k8s::core::v1::Event>() || &kind == &KindOf<k8s::core::v1::Endpoints>() ||
         &kind == &KindOf<k8s::coordination::v1::Lease>();
}

// The body must be about the object that the URL names.
std::optional<ApiStatus> CheckTarget(const ApiCall& call, const ObjectMeta& meta) {
  if (!meta.name().empty() && meta.name() != call.name) {
    return api_error::BadRequest(StrCat("the name of the object (", meta.name(),
                                        ") does not match the name on the URL (", call.name, ")"));
  }
  if (!meta.namespace_().empty() && meta.namespace_() != call.ns) {
    return api_error::BadRequest(StrCat("the namespace of the object (", meta.namespace_(),
                                        ") does not match the namespace on the request (", call.ns,
                                        ")"));
  }
  return std::nullopt;
}

std::optional<ApiStatus> CheckVersion(const ApiCall& call, const ObjectMeta& old,
                                      const ObjectMeta& meta) {
  const GroupResource resource = ResourceOf(*call.kind);
  if (!meta.uid().empty() && meta.uid() != old.uid()) {
    return api_error::Conflict(resource, call.name,
                               StrCat("Precondition failed: UID in precondition: ", meta.uid(),
                                      ", UID in object meta: ", old.uid()));
  }
  if (!meta.resource_version().empty() && meta.resource_version() != old.resource_version())
    return api_error::ModifiedConflict(resource, call.name);
  return std::nullopt;
}

// What no update may change.
void KeepServerMeta(const ObjectMeta& old, ObjectMeta* meta) {
  meta->set_name(old.name());
  if (old.has_namespace_()) meta->set_namespace_(old.namespace_());
  meta->set_uid(old.uid());
  meta->set_resource_version(old.resource_version());
  *meta->mutable_creation_timestamp() = old.creation_timestamp();
  meta->clear_deletion_timestamp();
  if (old.has_deletion_timestamp()) *meta->mutable_deletion_timestamp() = old.deletion_timestamp();
  meta->clear_deletion_grace_period_seconds();
  if (old.has_deletion_grace_period_seconds())
    meta->set_deletion_grace_period_seconds(old.deletion_grace_period_seconds());
  meta->clear_generation();
  if (old.has_generation()) meta->set_generation(old.generation());
  meta->clear_generate_name();
  if (old.has_generate_name()) meta->set_generate_name(old.generate_name());
  *meta->mutable_managed_fields() = old.managed_fields();
  meta->clear_self_link();
}

// Which parts of the new object count: an update of the status (or of a namespace's finalizers)
// writes nothing else, and only it writes that.
void KeepOtherParts(const ApiCall& call, const ProtoMessage& old, ProtoMessage* object) {
  if (call.subresource.empty()) {
    if (call.kind->has_status) CopyField(old, "status", object);
    if (call.kind == &KindOf<Namespace>()) CopyField(old, "spec", object);
    return;
  }
  const MutableObject merged(old.New());
  merged->CopyFrom(old);
  if (call.subresource == "status") {
    SwapField("status", object, merged.get());
  } else {
    static_cast<Namespace*>(merged.get())
        ->mutable_spec()
        ->mutable_finalizers()
        ->Swap(static_cast<Namespace*>(object)->mutable_spec()->mutable_finalizers());
  }
  object->GetReflection()->Swap(object, merged.get());
}

// An object that waits for its deletion goes with its last finalizer.
bool IsFinished(const ProtoMessage& object) {
  const ObjectMeta& meta = MetaOf(object);
  if (!meta.has_deletion_timestamp() || !meta.finalizers().empty()) return false;
  if (object.GetDescriptor() == Namespace::descriptor())
    return static_cast<const Namespace&>(object).spec().finalizers().empty();
  return meta.deletion_grace_period_seconds() == 0;
}

std::optional<ApiStatus> AssignAddresses(const ApiCall& call, const Object& old,
                                         ProtoMessage* object, World& world,
                                         ServiceAddresses::Reservation* taken) {
  if (call.kind != &KindOf<Service>() || !call.subresource.empty()) return std::nullopt;
  FieldErrorList errors;
  *taken = world.addresses.Assign(&old.As<Service>(), static_cast<Service*>(object), &errors);
  if (!errors.empty()) return api_error::Invalid("", "Service", call.name, errors);
  if (call.dry_run) world.addresses.Release(std::exchange(*taken, {}));
  return std::nullopt;
}

// A copy of what counts of the body: all, or of an update of the status that and the names.
MutableObject BodyOf(const ApiCall& call) {
  if (call.subresource != "status") return CopyOf(call.object);
  MutableObject object(call.object.message().New());
  ObjectMeta* meta = MutableMetaOf(object.get());
  meta->set_name(call.object.meta().name());
  meta->set_namespace_(call.object.meta().namespace_());
  meta->set_uid(call.object.meta().uid());
  meta->set_resource_version(call.object.meta().resource_version());
  CopyField(call.object.message(), "status", object.get());
  return object;
}

}  // namespace

OrStatus<WritePlan> PlanChange(const ApiCall& call, const Object& old, MutableObject object,
                               World& world, const ManagedFields* managed) {
  if (auto error = CheckTarget(call, MetaOf(*object))) return *std::move(error);
  if (auto error = CheckVersion(call, old.meta(), MetaOf(*object))) return *std::move(error);
  KeepOtherParts(call, old.message(), object.get());
  KeepServerMeta(old.meta(), MutableMetaOf(object.get()));
  const bool main = call.subresource.empty();
  if (main) {
    CarryOver(old.message(), object.get());
    ApplyDefaults(object.get());
  }
  ServiceAddresses::Reservation taken;
  if (main) {
    const FieldErrorList errors = ValidateUpdate(*call.kind, old.message(), *object);
    if (!errors.empty())
      return api_error::Invalid(call.kind->group, call.kind->kind, call.name, errors);
    if (auto error = AssignAddresses(call, old, object.get(), world, &taken))
      return *std::move(error);
    if (managed != nullptr) {
      *MutableMetaOf(object.get())->mutable_managed_fields() = *managed;
    } else if (call.process.empty()) {
      TrackUpdate(call, old.message(), object.get(), world.wall);
    }
    if (old.meta().generation() > 0 && !SameSpec(old.message(), *object))
      MutableMetaOf(object.get())->set_generation(old.meta().generation() + 1);
  }
  if (IsFinished(*object) && !call.dry_run) {
    world.addresses.Release(taken);
    WritePlan plan = RemovePlan(old);
    plan.object = Object::Of(std::move(object), world.trace);  // the answer: as it was written last
    return plan;
  }
  OrStatus<WritePlan> plan = PutPlan(call, old, std::move(object), world);
  if (!plan.ok() || plan->store == WritePlan::Store::kNothing) {
    world.addresses.Release(taken);
  } else {
    plan->reservation = std::move(taken);
  }
  return plan;
}

OrStatus<WritePlan> PlanUpdate(const ApiCall& call, World& world) {
  if (!call.object || &call.object.kind() != call.kind)
    return api_error::BadRequest(StrCat("the body must be a ", call.kind->kind));
  const Object old = world.cache.Find(*call.kind, call.ns, call.name);
  if (old) return PlanChange(call, old, BodyOf(call), world);
  if (!CreatesOnUpdate(*call.kind) || !call.subresource.empty() ||
      !call.object.meta().resource_version().empty())
    return NotFoundStatus(*call.kind, call.name);
  return PlanCreate(call, world);
}

}  // namespace kubemu
