#include "master/apiserver/admission.h"

#include "master/apiserver/write_plan.h"
#include "messages/api/kinds.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using ProtoMessage = google::protobuf::Message;
using k8s::core::v1::Namespace;
using k8s::core::v1::Node;
using k8s::core::v1::Pod;
using k8s::core::v1::ServiceAccount;

constexpr int64_t kTolerationSeconds = 300;
constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
constexpr std::string_view kUnreachable = "node.kubernetes.io/unreachable";

ApiStatus Forbidden(const Kind& kind, const std::string& name, const std::string& why) {
  return api_error::Forbidden(ResourceOf(kind), name, why);
}

std::optional<ApiStatus> NamespaceLifecycle(const ApiCall& call, const Cache& cache,
                                            const std::string& name) {
  if (!call.kind->namespaced) return std::nullopt;
  const Object ns = cache.Find(KindOf<Namespace>(), "", call.ns);
  if (!ns) return NotFoundStatus(KindOf<Namespace>(), call.ns);
  if (!ns.meta().has_deletion_timestamp()) return std::nullopt;
  ApiStatus status = Forbidden(*call.kind, name,
                               StrCat("unable to create new content in namespace ", call.ns,
                                      " because it is being terminated"));
  auto* cause = status.mutable_details()->add_causes();
  cause->set_reason("NamespaceTerminating");
  cause->set_message(StrCat("namespace ", call.ns, " is being terminated"));
  cause->set_field("metadata.namespace");
  return status;
}

std::optional<ApiStatus> UseServiceAccount(const Cache& cache, Pod* pod) {
  auto* spec = pod->mutable_spec();
  if (spec->service_account_name().empty()) spec->set_service_account_name("default");
  spec->set_service_account(spec->service_account_name());
  const std::string& ns = pod->metadata().namespace_();
  const std::string& name = spec->service_account_name();
  if (cache.Find(KindOf<ServiceAccount>(), ns, name)) return std::nullopt;
  return Forbidden(KindOf<Pod>(), pod->metadata().name(),
                   StrCat("error looking up service account ", ns, "/", name, ": serviceaccount \"",
                          name, "\" not found"));
}

void TolerateFor(std::string_view taint, Pod* pod) {
  for (const auto& toleration : pod->spec().tolerations()) {
    if ((toleration.key() == taint || toleration.key().empty()) &&
        (toleration.effect() == "NoExecute" || toleration.effect().empty()))
      return;
  }
  auto* toleration = pod->mutable_spec()->add_tolerations();
  toleration->set_key(std::string(taint));
  toleration->set_operator_("Exists");
  toleration->set_effect("NoExecute");
  toleration->set_toleration_seconds(kTolerationSeconds);
}

std::optional<ApiStatus> SetPriority(Pod* pod) {
  auto* spec = pod->mutable_spec();
  const std::string& name = spec->priority_class_name();
  if (name.empty()) {
    spec->set_priority(0);
  } else if (name == "system-cluster-critical") {
    spec->set_priority(2'000'000'000);
  } else if (name == "system-node-critical") {
    spec->set_priority(2'000'001'000);
  } else {
    return Forbidden(KindOf<Pod>(), pod->metadata().name(),
                     StrCat("no PriorityClass with name ", name, " was found"));
  }
  if (!spec->has_preemption_policy()) spec->set_preemption_policy("PreemptLowerPriority");
  return std::nullopt;
}

void TaintNotReady(Node* node) {
  for (const auto& taint : node->spec().taints()) {
    if (taint.key() == kNotReady && taint.effect() == "NoSchedule") return;
  }
  auto* taint = node->mutable_spec()->add_taints();
  taint->set_key(std::string(kNotReady));
  taint->set_effect("NoSchedule");
}

}  // namespace

bool WaitsForServiceAccount(const ApiCall& call, const Cache& cache) {
  if (call.action != Action::kCreate || call.kind != &KindOf<Pod>() || !call.subresource.empty())
    return false;
  if (!call.object || &call.object.kind() != call.kind) return false;
  const std::string& account = call.object.As<Pod>().spec().service_account_name();
  if (!account.empty() && account != "default") return false;
  const Object ns = cache.Find(KindOf<Namespace>(), "", call.ns);
  return ns && !ns.meta().has_deletion_timestamp() &&
         !cache.Find(KindOf<ServiceAccount>(), call.ns, "default");
}

std::optional<ApiStatus> AdmitCreate(const ApiCall& call, const Cache& cache,
                                     ProtoMessage* object) {
  if (auto error = NamespaceLifecycle(call, cache, MetaOf(*object).name())) return error;
  if (call.kind == &KindOf<Pod>()) {
    Pod* pod = static_cast<Pod*>(object);
    if (auto error = UseServiceAccount(cache, pod)) return error;
    TolerateFor(kNotReady, pod);
    TolerateFor(kUnreachable, pod);
    return SetPriority(pod);
  }
  if (call.kind == &KindOf<Node>()) TaintNotReady(static_cast<Node*>(object));
  return std::nullopt;
}

}  // namespace kubemu
