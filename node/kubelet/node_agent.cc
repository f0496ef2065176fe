#include "node/kubelet/node_agent.h"

#include <algorithm>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/node.pb.h"

namespace kubemu {
namespace {

using k8s::coordination::v1::Lease;
using k8s::core::v1::Node;

constexpr char kCreate[] = "node create";
constexpr char kGet[] = "node get";
constexpr char kUpdate[] = "node update";
constexpr char kStatus[] = "node status";
constexpr char kLease[] = "node lease";
constexpr char kLeaseNamespace[] = "kube-node-lease";
// A node that waits for its engine registers without it after so long.
constexpr Duration kEngineWait = 100ms;

void SetMicroTime(WallTime wall, k8s::meta::v1::MicroTime* time) {
  const auto since = wall.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  time->set_seconds(seconds.count());
  time->set_nanos(static_cast<int32_t>((since - seconds).count() / 1000 * 1000));
}

bool IsReady(const k8s::core::v1::NodeStatus& status) {
  const auto* condition = FindCondition(status, "Ready");
  return condition != nullptr && condition->status() == "True";
}

}  // namespace

NodeAgent::NodeAgent(const KubeletOptions& options)
    : options_(options),
      informer_(1, {.kind = &KindOf<Node>(), .field_selector = "metadata.name=" + options.node}) {
  poll_.Set(Time{});
  register_.Set(Time{} + kEngineWait);
}

void NodeAgent::Receive(const Message& message, Context& context) {
  if (message.kind == bus::ENGINE_STATUS) return OnEngineStatus(message, context);
  if (message.kind == bus::LINK_UP && message.As<bus::LinkUp>().process() == "master") {
    // A new master may have lost what this node told the old one: registering again is harmless.
    const uint64_t epoch = message.As<bus::LinkUp>().epoch();
    if (std::exchange(master_epoch_, epoch) != epoch && registration_ == Registration::kDone) {
      registration_ = Registration::kNone;
      register_.Set(context.env.now);
      lease_.Set(context.env.now);
    }
  }
  for (const Informer::Change& change : informer_.Receive(message, context.env)) {
    if (change.after) OnNode(change.after, context);
  }
}

void NodeAgent::Tick(Context& context) {
  informer_.Tick(context.env);
  context.env.outbox.Because(Trace{});
  if (engine_silent_.Take(context.env.now) && health_.engine_up) {
    health_.engine_up = false;
    SyncStatus(false, context);
  }
  if (poll_.Take(context.env.now)) PollEngine(context);
  if (register_.Take(context.env.now)) Register(context);
  if (status_.Take(context.env.now))
    SyncStatus(context.env.now - last_report_ >= kStatusReportInterval, context);
  if (lease_.Take(context.env.now)) RenewLease(context);
}

Time NodeAgent::NextWake() const {
  return std::min({informer_.NextWake(), poll_.at(), engine_silent_.at(), register_.at(),
                   status_.at(), lease_.at()});
}

void NodeAgent::PollEngine(Context& context) {
  bus::EngineStatusRequest request;
  request.set_number(++poll_number_);
  context.env.outbox.Send(options_.node + "/engine", std::move(request));
  poll_.Set(context.env.now + kEnginePollInterval);
}

void NodeAgent::OnEngineStatus(const Message& message, Context& context) {
  const auto& status = message.As<bus::EngineStatus>();
  if (status.number() != poll_number_) return;  // late
  engine_silent_.Set(context.env.now + kEngineTimeout);
  health_.engine_version = status.version();
  if (std::exchange(health_.engine_up, true)) return;
  engine_back_ = true;
  if (registration_ == Registration::kNone && register_delay_ == kRegisterDelayMin) {
    register_.Clear();
    return Register(context);
  }
  SyncStatus(false, context);
}

void NodeAgent::Register(Context& context) {
  if (registration_ != Registration::kNone) return;
  registration_ = Registration::kInFlight;
  Node node;
  node.mutable_metadata()->set_name(options_.node);
  ReconcileNodeMeta(options_, true, &node);
  *node.mutable_status() =
      MakeNodeStatus(options_, health_, images_, node.status(), context.env.wall);
  const Object object = Object::From(std::move(node));
  context.env.outbox.Because(Trace{});
  context.calls.Start(CreateRequest(object.kind(), ""), object, kCreate, context.env);
}

// The node exists: a restarted kubelet takes it over.
void NodeAgent::Reconcile(const Object& existing, Context& context) {
  Node node = existing.As<Node>();
  if (!ReconcileNodeMeta(options_, false, &node)) {
    registration_ = Registration::kDone;
    return;
  }
  const Object object = Object::From(std::move(node));
  context.calls.Start(UpdateRequest(object), object, kUpdate, context.env);
}

void NodeAgent::RetryRegistration(Env& env) {
  registration_ = Registration::kNone;
  register_.Set(env.now + register_delay_);
  register_delay_ = std::min(register_delay_ * 2, kRegisterDelayMax);
}

// Refusals only: what is unknown, in conflict or gone is tried again and says nothing of the node.
void NodeAgent::Complain(const char* what, const CallResult& result) {
  if (result.ok() || result.code == 404 || result.code == 409 || result.code == 504) return;
  complaint_ = StrCat("the API server refuses ", what, " ", options_.node, " (", result.code, " ",
                      result.reason, "): ", result.message);
}

void NodeAgent::OnCallResult(const CallResult& result, Context& context) {
  if (result.tag == kStatus) {
    status_in_flight_ = false;
    if (result.ok() && !result.objects.empty()) return OnNode(result.objects[0], context);
    Complain("the status of node", result);
    status_.Set(std::min(status_.at(), context.env.now + kWriteAgain));
    return;
  }
  if (result.tag == kLease) {
    lease_in_flight_ = false;
    if (result.ok()) {
      lease_exists_ = true;
      lease_delay_ = kRegisterDelayMin;
      return;  // the next renewal is set already
    }
    Complain("the lease of node", result);
    if (result.code == 404) lease_exists_ = false;
    if (result.reason == "AlreadyExists") lease_exists_ = true;
    lease_.Set(context.env.now + lease_delay_);
    lease_delay_ = std::min(lease_delay_ * 2, kRegisterDelayMax);
    return;
  }
  if (result.tag == kCreate && result.reason == "AlreadyExists") {
    bus::ApiRequest get;
    get.set_verb(bus::GET);
    get.set_kind(KindOf<Node>().id);
    get.set_name(options_.node);
    context.calls.Start(std::move(get), Object(), kGet, context.env);
    return;
  }
  if (!result.ok() || result.objects.empty()) {
    Complain("to register node", result);
    return RetryRegistration(context.env);
  }
  if (result.tag == kGet) {
    Reconcile(result.objects[0], context);
    if (registration_ != Registration::kDone) return;
  }
  OnRegistered(result.objects[0], context);
}

void NodeAgent::OnRegistered(const Object& node, Context& context) {
  registration_ = Registration::kDone;
  register_delay_ = kRegisterDelayMin;
  node_ = Object();  // the master may have started anew: what was known before does not count
  if (!std::exchange(greeted_, true)) {
    Record("Starting", "Starting kubelet.", context);
    for (const char* what :
         {"NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"}) {
      Record(what, StrCat("Node ", options_.node, " status is now: ", what), context);
    }
    Record("NodeAllocatableEnforced", "Updated Node Allocatable limit across pods", context);
    if (IsReady(node.As<Node>().status())) {
      Record("NodeReady", StrCat("Node ", options_.node, " status is now: NodeReady"), context);
    }
  }
  last_report_ = context.env.now;
  status_.Set(context.env.now + kStatusInterval);
  RenewLease(context);
  OnNode(node, context);
}

void NodeAgent::OnNode(const Object& node, Context& context) {
  if (node_ && node.revision() < node_.revision()) return;
  const bool unschedulable = node_ && node_.As<Node>().spec().unschedulable();
  const bool known = static_cast<bool>(node_);
  node_ = node;
  health_.pod_cidr = node.As<Node>().spec().pod_cidr();
  const bool now_unschedulable = node.As<Node>().spec().unschedulable();
  if (known && unschedulable != now_unschedulable) {
    const char* what = now_unschedulable ? "NodeNotSchedulable" : "NodeSchedulable";
    Record(what, StrCat("Node ", options_.node, " status is now: ", what), context);
  }
  SyncStatus(false, context);
}

// Sends the status if it differs from what the API server has, or if `report`.
void NodeAgent::SyncStatus(bool report, Context& context) {
  if (registration_ != Registration::kDone || !node_) return;
  if (!status_.IsSet()) status_.Set(context.env.now + kStatusInterval);
  if (status_in_flight_) return;
  const Node& current = node_.As<Node>();
  Node wanted;
  wanted.mutable_metadata()->set_name(options_.node);
  wanted.mutable_metadata()->set_uid(current.metadata().uid());
  *wanted.mutable_status() =
      MakeNodeStatus(options_, health_, images_, current.status(), context.env.wall);
  if (!report && SameNodeStatus(wanted.status(), current.status())) return;
  const bool ready = IsReady(wanted.status());
  if (ready != IsReady(current.status())) {
    const char* what = ready ? "NodeReady" : "NodeNotReady";
    Record(what, StrCat("Node ", options_.node, " status is now: ", what), context);
  }
  status_in_flight_ = true;
  last_report_ = context.env.now;
  const Object object = Object::From(std::move(wanted));
  context.calls.Start(UpdateRequest(object, "status"), object, kStatus, context.env);
}

void NodeAgent::RenewLease(Context& context) {
  if (registration_ != Registration::kDone) return;
  if (lease_in_flight_) return lease_.Set(context.env.now + kWriteAgain);
  Lease lease;
  lease.mutable_metadata()->set_name(options_.node);
  lease.mutable_metadata()->set_namespace_(kLeaseNamespace);
  if (node_) {
    auto* owner = lease.mutable_metadata()->add_owner_references();
    owner->set_api_version("v1");
    owner->set_kind("Node");
    owner->set_name(options_.node);
    owner->set_uid(node_.meta().uid());
  }
  lease.mutable_spec()->set_holder_identity(options_.node);
  lease.mutable_spec()->set_lease_duration_seconds(static_cast<int32_t>(kLeaseDuration / 1s));
  SetMicroTime(context.env.wall, lease.mutable_spec()->mutable_renew_time());
  const Object object = Object::From(std::move(lease));
  lease_in_flight_ = true;
  context.env.outbox.Because(Trace{});
  context.calls.Start(
      lease_exists_ ? UpdateRequest(object) : CreateRequest(object.kind(), kLeaseNamespace), object,
      kLease, context.env);
  const double factor = 1 + kLeaseJitter * context.env.random.Fraction();
  lease_.Set(context.env.now + std::chrono::duration_cast<Duration>(kLeaseInterval * factor));
}

// About the Node, with its name as uid, as the real kubelet does.
void NodeAgent::Record(const std::string& reason, const std::string& message, Context& context) {
  k8s::core::v1::ObjectReference node;
  node.set_kind("Node");
  node.set_name(options_.node);
  node.set_uid(options_.node);
  context.events.Record(node, "Normal", reason, message, context.env);
}

}  // namespace kubemu
