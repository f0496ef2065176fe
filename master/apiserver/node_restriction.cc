#include "master/apiserver/admission.h"
#include "master/apiserver/filter.h"
#include "master/apiserver/pod_references.h"
#include "master/apiserver/write_plan.h"
#include "messages/api/kinds.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::coordination::v1::Lease;
using k8s::core::v1::ConfigMap;
using k8s::core::v1::Event;
using k8s::core::v1::Node;
using k8s::core::v1::Pod;
using k8s::core::v1::Secret;

bool IsRead(Action action) {
  return action == Action::kGet || action == Action::kList || action == Action::kWatch;
}

ApiStatus Refuse(const ApiCall& call, const std::string& why) {
  return api_error::Forbidden(
      ResourceOf(*call.kind), call.name,
      StrCat("node \"", call.process, "\" cannot ", ActionName(call.action), " it: ", why));
}

std::optional<ApiStatus> ReadPods(const ApiCall& call, const Object& old) {
  if (call.action == Action::kGet) {
    if (!old || NodeNameOf(old) == call.process) return std::nullopt;
    return Refuse(call, "a node can only get pods that are bound to it");
  }
  OrStatus<Filter> filter = Filter::Make(call);
  if (!filter.ok()) return filter.status();
  if (filter->node_name() != nullptr && *filter->node_name() == call.process) return std::nullopt;
  return Refuse(call, StrCat("a node can only list and watch pods with the field selector "
                             "spec.nodeName=",
                             call.process));
}

std::optional<ApiStatus> WritePods(const ApiCall& call, const Object& old) {
  const bool status = call.subresource == "status" &&
                      (call.action == Action::kUpdate || call.action == Action::kPatch);
  if (!status && (call.action != Action::kDelete || !call.subresource.empty()))
    return Refuse(call, "a node can only write the status of pods and delete them");
  if (!old || NodeNameOf(old) == call.process) return std::nullopt;
  return Refuse(call, StrCat("the pod is bound to node \"", NodeNameOf(old), "\""));
}

// The name that a write is about: of a creation, that of the object.
const std::string& TargetName(const ApiCall& call) {
  return call.action == Action::kCreate && call.object ? call.object.meta().name() : call.name;
}

std::optional<ApiStatus> WriteOwn(const ApiCall& call, const std::string& ns) {
  if (TargetName(call) == call.process && call.ns == ns) return std::nullopt;
  return Refuse(call, StrCat("a node can only write its own, ", ns.empty() ? "" : StrCat(ns, "/"),
                             call.process));
}

// A node sees what its pods are made of, nothing else (node_authorizer.go).
std::optional<ApiStatus> ReadConfig(const ApiCall& call, const Cache& cache) {
  if (call.action != Action::kGet)
    return Refuse(call, "a node can only get what its pods refer to, one by one");
  const Cache::Range pods = cache.In(KindOf<Pod>(), call.ns);
  for (auto it = pods.begin; it != pods.end; ++it) {
    if (NodeNameOf(it->second) == call.process &&
        RefersTo(it->second.As<Pod>().spec(), *call.kind, call.name))
      return std::nullopt;
  }
  return Refuse(call, "no pod on the node refers to it");
}

}  // namespace

bool IsNodeProcess(std::string_view process) {
  return !process.empty() && process != "master" && process != "lb" && process != "lab" &&
         process != "client";
}

std::optional<ApiStatus> AuthorizeNode(const ApiCall& call, const Object& old, const Cache& cache) {
  if (!IsNodeProcess(call.process)) return std::nullopt;
  if (call.kind == &KindOf<Pod>())
    return IsRead(call.action) ? ReadPods(call, old) : WritePods(call, old);
  if (call.kind == &KindOf<Lease>()) return WriteOwn(call, "kube-node-lease");
  const bool config = call.kind == &KindOf<ConfigMap>() || call.kind == &KindOf<Secret>();
  if (IsRead(call.action)) return config ? ReadConfig(call, cache) : std::nullopt;
  if (call.kind == &KindOf<Node>()) {
    if (call.action == Action::kDelete || call.action == Action::kDeleteCollection)
      return Refuse(call, "a node cannot delete nodes");
    return WriteOwn(call, "");
  }
  if (call.kind == &KindOf<Event>() && call.action != Action::kDelete) return std::nullopt;
  return Refuse(call, "nodes write their Node, Lease, Events and their pods' status only");
}

}  // namespace kubemu
