#include <utility>

#include "master/apiserver/write_plan.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/k8s/policy.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Binding;
using k8s::core::v1::Pod;
using k8s::policy::v1::Eviction;

// A binding comes as a Binding, or on the bus as the Pod with its nodeName.
std::string TargetNode(const Object& object) {
  if (!object) return "";
  if (&object.kind() == &KindOf<Binding>()) return object.As<Binding>().target().name();
  if (&object.kind() == &KindOf<Pod>()) return object.As<Pod>().spec().node_name();
  return "";
}

// True, and its transition time moves, if the condition was not that already.
void SetScheduled(WallTime wall, Pod* pod) {
  k8s::core::v1::PodCondition* condition = nullptr;
  for (auto& present : *pod->mutable_status()->mutable_conditions()) {
    if (present.type() == "PodScheduled") condition = &present;
  }
  if (condition == nullptr) {
    condition = pod->mutable_status()->add_conditions();
    condition->set_type("PodScheduled");
  }
  if (condition->status() == "True") return;
  condition->set_status("True");
  condition->clear_reason();
  condition->clear_message();
  SetTime(wall, condition->mutable_last_transition_time());
}

ApiStatus BindingConflict(const ApiCall& call, const std::string& why) {
  return api_error::Conflict(GroupResource{"", "pods/binding"}, call.name, why);
}

}  // namespace

OrStatus<WritePlan> PlanBinding(const ApiCall& call, World& world) {
  const std::string node = TargetNode(call.object);
  if (node.empty()) return api_error::BadRequest("a binding names its node in target.name");
  const Object old = world.cache.Find(*call.kind, call.ns, call.name);
  if (!old) return NotFoundStatus(*call.kind, call.name);
  const Pod& before = old.As<Pod>();
  if (!call.object.meta().uid().empty() && call.object.meta().uid() != before.metadata().uid()) {
    return BindingConflict(
        call, StrCat("Precondition failed: UID in precondition: ", call.object.meta().uid(),
                     ", UID in object meta: ", before.metadata().uid()));
  }
  if (before.metadata().has_deletion_timestamp()) {
    return BindingConflict(
        call, StrCat("pod ", call.name, " is being deleted, cannot be assigned to a host"));
  }
  if (!before.spec().node_name().empty()) {
    return BindingConflict(call, StrCat("pod ", call.name, " is already assigned to node \"",
                                        before.spec().node_name(), "\""));
  }
  MutableObject object = CopyOf(old);
  Pod* pod = static_cast<Pod*>(object.get());
  pod->mutable_spec()->set_node_name(node);
  if (&call.object.kind() == &KindOf<Binding>()) {
    for (const auto& entry : call.object.meta().annotations())
      SetEntry(pod->mutable_metadata()->mutable_annotations(), entry.key(), entry.value());
  }
  SetScheduled(world.wall, pod);
  OrStatus<WritePlan> plan = PutPlan(call, old, std::move(object), world);
  if (!plan.ok()) return plan;
  plan->code = 201;
  plan->status = SuccessStatus(GroupResource(), "", "");
  plan->status->set_code(201);
  plan->status->clear_details();
  return plan;
}

// No PodDisruptionBudgets here: every eviction is allowed, and is a deletion.
OrStatus<WritePlan> PlanEviction(const ApiCall& call, World& world) {
  ApiCall deletion = call;
  deletion.action = Action::kDelete;
  deletion.subresource.clear();
  if (call.object && &call.object.kind() == &KindOf<Eviction>()) {
    const auto& options = call.object.As<Eviction>().delete_options();
    if (options.has_grace_period_seconds())
      deletion.grace_period_seconds = options.grace_period_seconds();
    deletion.precondition_uid = options.preconditions().uid();
    deletion.precondition_resource_version = options.preconditions().resource_version();
    if (options.dry_run_size() > 0) deletion.dry_run = true;
  }
  OrStatus<WritePlan> plan = PlanDelete(deletion, world);
  if (!plan.ok()) return plan;
  plan->code = 201;
  plan->status = SuccessStatus(GroupResource(), "", "");
  plan->status->set_code(201);
  plan->status->clear_details();
  return plan;
}

}  // namespace kubemu
