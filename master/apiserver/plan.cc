#include <algorithm>
#include <utility>

#include "google/protobuf/message.h"
#include "master/apiserver/admission.h"
#include "master/apiserver/write_plan.h"
#include "messages/api/json_values.h"
#include "messages/api/kinds.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

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
  if (!call.dry_run) MutableMetaOf(object.get())->set_resource_version(StrCat(world.next_revision));
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

bool HasSubresource(const Kind& kind, std::string_view subresource) {
  if (subresource.empty()) return true;
  if (subresource == "status") return kind.has_status;
  if (subresource == "scale") return kind.has_scale;
  if (subresource == "binding" || subresource == "eviction")
    return &kind == &KindOf<k8s::core::v1::Pod>();
  return subresource == "finalize" && &kind == &KindOf<k8s::core::v1::Namespace>();
}

namespace {

bool TakesAction(const std::string& subresource, Action action) {
  if (subresource.empty()) return true;
  if (subresource == "binding" || subresource == "eviction") return action == Action::kCreate;
  return action == Action::kUpdate || action == Action::kPatch;
}

// The body of a PUT names what it is about. (Parts of kubemu say it in the request.)
bool LacksName(const ApiCall& call) {
  return call.action == Action::kUpdate && call.process.empty() && call.object &&
         call.object.meta().name().empty();
}

// The manager's name is stored with the object. (ValidateFieldManager of apimachinery.)
std::optional<ApiStatus> CheckFieldManager(const std::string& manager) {
  constexpr size_t kLengthMax = 128;
  const FieldPath path("fieldManager");
  FieldErrorList errors;
  if (manager.size() > kLengthMax) errors.TooLong(path, kLengthMax);
  const bool plain = std::none_of(manager.begin(), manager.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (!IsUtf8(manager)) {
    errors.Invalid(path, "", "should only contain printable characters");
  } else if (!plain) {
    errors.Invalid(path, manager, "should only contain printable characters");
  }
  if (errors.empty()) return std::nullopt;
  return api_error::Invalid("meta.k8s.io", "PatchOptions", "", errors);
}

OrStatus<WritePlan> PlanByAction(const ApiCall& call, World& world) {
  if (!HasSubresource(*call.kind, call.subresource)) return api_error::PathNotFound();
  if (!TakesAction(call.subresource, call.action))
    return api_error::MethodNotAllowed(ResourceOf(*call.kind), ActionName(call.action));
  if (LacksName(call)) {
    return api_error::BadRequest(StrCat("the name of the object (", call.name,
                                        " based on URL) was undeterminable: name must be "
                                        "provided"));
  }
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
    default:
      return PlanDelete(call, world);
  }
}

}  // namespace

OrStatus<WritePlan> PlanWrite(const ApiCall& call, World& world) {
  if (std::optional<ApiStatus> bad = CheckFieldManager(call.field_manager)) return *std::move(bad);
  if (IsNodeProcess(call.process)) {
    const Object old = world.cache.Find(*call.kind, call.ns, call.name);
    if (std::optional<ApiStatus> refused = AuthorizeNode(call, old, world.cache))
      return *std::move(refused);
  }
  return PlanByAction(call, world);
}

}  // namespace kubemu
