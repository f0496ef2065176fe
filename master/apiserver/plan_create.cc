#include <utility>

#include "google/protobuf/message.h"
#include "master/apiserver/admission.h"
#include "master/apiserver/defaults/defaults.h"
#include "master/apiserver/validation/validation.h"
#include "master/apiserver/write_plan.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/api/pod_resources.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"

namespace kubemu {
namespace {

using ProtoMessage = google::protobuf::Message;
using k8s::core::v1::Namespace;
using k8s::core::v1::Node;
using k8s::core::v1::Pod;
using k8s::core::v1::Secret;
using k8s::core::v1::Service;
using k8s::meta::v1::ObjectMeta;

// Generated names: the base is cut so that base and suffix fit a label (names/generate.go).
constexpr size_t kGeneratedBaseMax = 58;
constexpr int kSuffixLength = 5;
constexpr int kGenerateTriesMax = 8;

bool CountsGenerations(const Kind& kind) {
  return &kind == &KindOf<Pod>() || &kind == &KindOf<k8s::apps::v1::Deployment>() ||
         &kind == &KindOf<k8s::apps::v1::ReplicaSet>() ||
         &kind == &KindOf<k8s::discovery::v1::EndpointSlice>();
}

void GenerateName(const ApiCall& call, World& world, ObjectMeta* meta) {
  if (!meta->name().empty() || meta->generate_name().empty()) return;
  const std::string base = meta->generate_name().substr(0, kGeneratedBaseMax);
  for (int i = 0; i < kGenerateTriesMax; ++i) {
    meta->set_name(base + world.random.Suffix(kSuffixLength));
    if (!world.cache.Find(*call.kind, call.ns, meta->name())) return;
  }
}

// What only the server writes.
std::optional<ApiStatus> PrepareMeta(const ApiCall& call, World& world, ObjectMeta* meta) {
  if (!call.kind->namespaced) {
    meta->clear_namespace_();
  } else if (meta->namespace_().empty()) {
    meta->set_namespace_(call.ns);
  } else if (meta->namespace_() != call.ns) {
    return api_error::BadRequest(
        "the namespace of the provided object does not match the namespace sent on the request");
  }
  if (!meta->resource_version().empty())
    return api_error::BadRequest("resourceVersion should not be set on objects to be created");
  GenerateName(call, world, meta);
  meta->set_uid(world.random.Uuid());
  SetTime(world.wall, meta->mutable_creation_timestamp());
  meta->clear_deletion_timestamp();
  meta->clear_deletion_grace_period_seconds();
  meta->clear_self_link();
  meta->clear_managed_fields();
  meta->clear_generation();
  if (CountsGenerations(*call.kind)) meta->set_generation(1);
  return std::nullopt;
}

// Status is not for the creator to write; only nodes register with theirs (registry strategies).
void PrepareStatus(const Kind& kind, ProtoMessage* object) {
  if (&kind == &KindOf<Node>()) return;
  ClearField("status", object);
  if (&kind == &KindOf<Pod>()) {
    Pod* pod = static_cast<Pod*>(object);
    pod->mutable_status()->set_phase("Pending");
    pod->mutable_status()->set_qos_class(std::string(PodQosClass(pod->spec())));
  } else if (&kind == &KindOf<Namespace>()) {
    Namespace* ns = static_cast<Namespace*>(object);
    ns->mutable_status()->set_phase("Active");
    const auto& finalizers = ns->spec().finalizers();
    if (std::find(finalizers.begin(), finalizers.end(), "kubernetes") == finalizers.end())
      ns->mutable_spec()->add_finalizers("kubernetes");
    SetEntry(ns->mutable_metadata()->mutable_labels(), "kubernetes.io/metadata.name",
             ns->metadata().name());
  }
}

ApiStatus InvalidStatus(const Kind& kind, const std::string& name, const FieldErrorList& errors) {
  return api_error::Invalid(kind.group, kind.kind, name, errors);
}

}  // namespace

OrStatus<WritePlan> PlanCreate(const ApiCall& call, World& world) {
  if (!call.object || &call.object.kind() != call.kind)
    return api_error::BadRequest(StrCat("the body must be a ", call.kind->kind));
  if (!call.subresource.empty())
    return api_error::MethodNotAllowed(ResourceOf(*call.kind), "create");
  MutableObject object = CopyOf(call.object);
  ObjectMeta* meta = MutableMetaOf(object.get());
  if (auto error = PrepareMeta(call, world, meta)) return *std::move(error);
  ApplyDefaults(object.get());
  if (auto error = AdmitCreate(call, world.cache, object.get())) return *std::move(error);
  PrepareStatus(*call.kind, object.get());
  FieldErrorList errors = ValidateCreate(*call.kind, *object);
  if (!errors.empty()) return InvalidStatus(*call.kind, meta->name(), errors);
  if (world.cache.Find(*call.kind, meta->namespace_(), meta->name()))
    return api_error::AlreadyExists(ResourceOf(*call.kind), meta->name());
  ServiceAddresses::Reservation reservation;
  if (call.kind == &KindOf<Service>()) {
    reservation = world.addresses.Assign(nullptr, static_cast<Service*>(object.get()), &errors);
    if (!errors.empty()) return InvalidStatus(*call.kind, meta->name(), errors);
    if (call.dry_run) world.addresses.Release(std::exchange(reservation, {}));
  }
  OrStatus<WritePlan> plan = PutPlan(call, Object(), std::move(object), world);
  if (!plan.ok()) {
    world.addresses.Release(reservation);
    return plan;
  }
  plan->code = 201;
  plan->reservation = std::move(reservation);
  return plan;
}

}  // namespace kubemu
