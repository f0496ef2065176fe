#include <utility>

#include "boost/json/value.hpp"
#include "google/protobuf/message.h"
#include "master/apiserver/apply_schema.h"
#include "master/apiserver/field_ownership.h"
#include "master/apiserver/write_plan.h"
#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/api/object_selectors.h"
#include "messages/api/patch.h"
#include "messages/api/status.h"
#include "messages/api/strategic_merge.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/autoscaling.pb.h"

namespace kubemu {
namespace {

using ProtoMessage = google::protobuf::Message;
using k8s::apps::v1::Deployment;
using k8s::apps::v1::ReplicaSet;
using k8s::autoscaling::v1::Scale;

std::string ErrorText(const absl::Status& status) {
  return std::string(status.message());
}

OrStatus<boost::json::value> Patched(const ApiCall& call, const boost::json::value& original,
                                     const google::protobuf::Descriptor& type) {
  absl::StatusOr<boost::json::value> patch = ParseJson(call.patch);
  if (!patch.ok())
    return api_error::BadRequest(StrCat("error decoding patch: ", ErrorText(patch.status())));
  absl::StatusOr<boost::json::value> result = boost::json::value();
  switch (call.patch_type) {
    case bus::MERGE:
      result = MergePatch(original, *patch);
      break;
    case bus::JSON:
      result = JsonPatch(original, *patch);
      break;
    default:
      result = StrategicMerge(original, *patch, type);
      break;
  }
  if (!result.ok()) return api_error::FromPatchError(result.status());
  return *std::move(result);
}

ApiStatus InvalidPatch(const ApiCall& call, const std::string& why) {
  FieldErrorList errors;
  errors.InvalidRaw(FieldPath("patch"), Quoted(call.patch), why);
  return api_error::Invalid("", "", "", errors);
}

boost::json::value TypedJson(const ProtoMessage& original) {
  boost::json::value json = ToJson(original);
  const Kind& kind = KindOfDescriptor(original.GetDescriptor());
  if (json.is_object()) {
    json.get_object()["apiVersion"] = kind.api_version();
    json.get_object()["kind"] = std::string(kind.kind);
  }
  return json;
}

// What a patch has made, decoded. Fields that do not exist are refused, or warned of.
OrStatus<MutableObject> Decoded(const ApiCall& call, const boost::json::value& patched,
                                const ProtoMessage& prototype, std::vector<std::string>* warnings) {
  MutableObject object(prototype.New());
  FieldErrors fields;
  const absl::Status decoded = FromJson(patched, object.get(), &fields);
  if (!decoded.ok()) return InvalidPatch(call, ErrorText(decoded));
  if (call.patch_type != bus::JSON) FindDuplicateFields(call.patch, &fields);
  const std::string refusal = JudgeFields(fields, call.field_validation, warnings);
  if (!refusal.empty()) return InvalidPatch(call, refusal);
  return object;
}

int32_t ReplicasOf(const Object& object) {
  if (&object.kind() == &KindOf<Deployment>()) return object.As<Deployment>().spec().replicas();
  return object.As<ReplicaSet>().spec().replicas();
}

// `original` after the call's patch.
OrStatus<MutableObject> PatchObject(const ApiCall& call, const ProtoMessage& original,
                                    std::vector<std::string>* warnings) {
  OrStatus<boost::json::value> patched =
      Patched(call, TypedJson(original), *original.GetDescriptor());
  if (!patched.ok()) return patched.status();
  return Decoded(call, *patched, original, warnings);
}

OrStatus<WritePlan> WithWarnings(OrStatus<WritePlan> plan, std::vector<std::string> warnings) {
  if (plan.ok()) plan->warnings = std::move(warnings);
  return plan;
}

// Server-side apply, of an object or of one that is not there yet (`old` is none).
OrStatus<WritePlan> PlanApply(const ApiCall& call, const Object& old, World& world) {
  const absl::StatusOr<boost::json::value> config = ParseJson(call.patch);
  if (!config.ok())
    return api_error::BadRequest(StrCat("error decoding patch: ", ErrorText(config.status())));
  if (!config->is_object()) return api_error::BadRequest("the applied configuration is no object");
  const std::string undeclared = UndeclaredFields(*call.kind, *config);
  if (!undeclared.empty()) return api_error::Unclassified(undeclared);
  const ProtoMessage& original = old ? old.message() : *call.kind->prototype;
  OrStatus<AppliedFields> applied =
      ApplyFields(call, old ? TypedJson(original) : boost::json::value(boost::json::object()),
                  MetaOf(original).managed_fields(), *config, world.wall);
  if (!applied.ok()) return applied.status();
  std::vector<std::string> warnings;
  OrStatus<MutableObject> object = Decoded(call, applied->object, original, &warnings);
  if (!object.ok()) return object.status();
  if (old) {
    return WithWarnings(PlanChange(call, old, *std::move(object), world, &applied->managed),
                        std::move(warnings));
  }
  MutableMetaOf(object->get())->set_name(call.name);
  ApiCall create = call;
  create.action = Action::kCreate;
  create.object = Object::Of(*std::move(object), world.trace);
  OrStatus<WritePlan> plan = PlanCreate(create, world);
  if (!plan.ok()) return plan;
  MutableObject created = CopyOf(plan->object);
  *MutableMetaOf(created.get())->mutable_managed_fields() = applied->managed;
  plan->object = Object::Of(std::move(created), world.trace);
  return WithWarnings(std::move(plan), std::move(warnings));
}

}  // namespace

OrStatus<WritePlan> PlanPatch(const ApiCall& call, World& world) {
  const Object old = world.cache.Find(*call.kind, call.ns, call.name);
  if (call.patch_type == bus::APPLY && call.subresource.empty()) return PlanApply(call, old, world);
  if (!old) return NotFoundStatus(*call.kind, call.name);
  std::vector<std::string> warnings;
  OrStatus<MutableObject> object = PatchObject(call, old.message(), &warnings);
  if (!object.ok()) return object.status();
  return WithWarnings(PlanChange(call, old, *std::move(object), world), std::move(warnings));
}

Object ScaleOf(const Object& object) {
  Scale scale;
  const auto& from = object.meta();
  auto* meta = scale.mutable_metadata();
  meta->set_name(from.name());
  meta->set_namespace_(from.namespace_());
  meta->set_uid(from.uid());
  meta->set_resource_version(from.resource_version());
  *meta->mutable_creation_timestamp() = from.creation_timestamp();
  scale.mutable_spec()->set_replicas(ReplicasOf(object));
  const k8s::meta::v1::LabelSelector* selector = nullptr;
  if (&object.kind() == &KindOf<Deployment>()) {
    scale.mutable_status()->set_replicas(object.As<Deployment>().status().replicas());
    selector = &object.As<Deployment>().spec().selector();
  } else {
    scale.mutable_status()->set_replicas(object.As<ReplicaSet>().status().replicas());
    selector = &object.As<ReplicaSet>().spec().selector();
  }
  const absl::StatusOr<LabelSelector> labels = ToLabelSelector(*selector);
  if (labels.ok()) scale.mutable_status()->set_selector(labels->ToString());
  return Object::From(std::move(scale), object.trace());
}

OrStatus<WritePlan> PlanScale(const ApiCall& call, World& world) {
  const Object old = world.cache.Find(*call.kind, call.ns, call.name);
  if (!old) return NotFoundStatus(*call.kind, call.name);
  MutableObject scale;
  std::vector<std::string> warnings;
  if (call.action == Action::kPatch) {
    OrStatus<MutableObject> patched = PatchObject(call, ScaleOf(old).message(), &warnings);
    if (!patched.ok()) return patched.status();
    scale = *std::move(patched);
  } else if (call.object && &call.object.kind() == &KindOf<Scale>()) {
    scale = CopyOf(call.object);
  } else {
    return api_error::BadRequest("the body must be a Scale");
  }
  const Scale& wanted = static_cast<const Scale&>(*scale);
  if (wanted.spec().replicas() < 0) {
    FieldErrorList errors;
    errors.Invalid(FieldPath("spec").Child("replicas"), wanted.spec().replicas(),
                   "must be greater than or equal to 0");
    return api_error::Invalid("autoscaling", "Scale", call.name, errors);
  }
  MutableObject object = CopyOf(old);
  MutableMetaOf(object.get())->set_resource_version(wanted.metadata().resource_version());
  if (call.kind == &KindOf<Deployment>()) {
    static_cast<Deployment*>(object.get())->mutable_spec()->set_replicas(wanted.spec().replicas());
  } else {
    static_cast<ReplicaSet*>(object.get())->mutable_spec()->set_replicas(wanted.spec().replicas());
  }
  ApiCall change = call;
  change.subresource.clear();
  OrStatus<WritePlan> plan = PlanChange(change, old, std::move(object), world);
  if (plan.ok()) plan->answer_scale = true;
  return WithWarnings(std::move(plan), std::move(warnings));
}

}  // namespace kubemu
