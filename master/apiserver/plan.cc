#include <utility>

#include "google/protobuf/message.h"
#include "master/apiserver/admission.h"
#include "master/apiserver/write_plan.h"
#include "messages/api/kinds.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

GroupResource ResourceOf(const Kind& kind) {
  return GroupResource{std::string(kind.group), std::string(kind.plural)};
}

ApiStatus NotFoundStatus(const Kind& kind, const std::string& name) {
  return api_error::NotFound(ResourceOf(kind), name);
}

OrStatus<WritePlan> PutPlan(const ApiCall& call, const Object& old, MutableObject object,
                            World& world) {
  WritePlan plan;
  const auto& meta = MetaOf(*object);
  plan.key = Cache::StoreKey(*call.kind, meta.namespace_(), meta.name());
  plan.expected_revision = old ? old.revision() : 0;
  if (old && SameObject(*object, old)) {
    plan.object = old;  // nothing changes: the revision stays
    return plan;
  }
  const size_t size = object->ByteSizeLong();
  if (size > kObjectBytesMax) {
    return api_error::RequestEntityTooLarge(
        StrCat("etcdserver: request is too large: the object has ", size, " bytes, at most ",
               kObjectBytesMax, " are stored"));
  }
  plan.object = Object::Of(std::move(object), world.trace);
  plan.store = call.dry_run ? WritePlan::Store::kNothing : WritePlan::Store::kPut;
  return plan;
}

WritePlan RemovePlan(const Object& object) {
  WritePlan plan;
  plan.store = WritePlan::Store::kRemove;
  plan.key = Cache::StoreKey(object.kind(), object.meta().namespace_(), object.meta().name());
  plan.expected_revision = object.revision();
  plan.object = object;
  return plan;
}

namespace {

OrStatus<WritePlan> PlanByAction(const ApiCall& call, World& world) {
  if (call.subresource == "binding") return PlanBinding(call, world);
  if (call.subresource == "eviction") return PlanEviction(call, world);
  if (call.subresource == "scale") return PlanScale(call, world);
  switch (call.action) {
    case Action::kCreate:
      return PlanCreate(call, world);
    case Action::kUpdate:
      return PlanUpdate(call, world);
    case Action::kPatch:
      return PlanPatch(call, world);
    case Action::kDelete:
      return PlanDelete(call, world);
    default:
      return api_error::MethodNotAllowed(ResourceOf(*call.kind), ActionName(call.action));
  }
}

}  // namespace

OrStatus<WritePlan> PlanWrite(const ApiCall& call, World& world) {
  const Object old = world.cache.Find(*call.kind, call.ns, call.name);
  if (std::optional<ApiStatus> refused = AuthorizeNode(call, old)) return *std::move(refused);
  return PlanByAction(call, world);
}

}  // namespace kubemu
