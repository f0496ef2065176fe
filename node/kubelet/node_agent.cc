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

constexpr char kCreate[] = "create";
constexpr char kGet[] = "get";
constexpr char kUpdate[] = "update";
constexpr char kStatus[] = "status";
constexpr char kLease[] = "lease";
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

void NodeAgent::Receive(const Message& message, EventRecorder& events, Env& env) {
  if (message.kind == bus::ENGINE_STATUS) return OnEngineStatus(message, events, env);
  if (message.kind == bus::LINK_UP && message.As<bus::LinkUp>().process() == "master") {
    // A new master may have lost what this node told the old one: registering again is harmless.
    const uint64_t epoch = message.As<bus::LinkUp>().epoch();
    if (std::exchange(master_epoch_, epoch) != epoch && registration_ == Registration::kDone) {
      registration_ = Registration::kNone;
      register_.Set(env.now);
      lease_.Set(env.now);
    }
    // Answers to what was in flight will not come: asked again on the next tick.
    for (const CallResult& lost : calls_.Abandon()) OnCallResult(lost, events, env);
  }
  for (const Informer::Change& change : informer_.Receive(message, env)) {
    if (change.after) OnNode(change.after, events, env);
  }
  if (const auto result = calls_.Receive(message)) OnCallResult(*result, events, env);
}

void NodeAgent::Tick(EventRecorder& events, Env& env) {
  informer_.Tick(env);
  env.outbox.Because(Trace{});
  for (const CallResult& result : calls_.Expired(env.now)) OnCallResult(result, events, env);
  if (poll_timeout_.Take(env.now) && poll_open_ && health_.engine_up) {
    health_.engine_up = false;
    SyncStatus(false, events, env);
  }
  if (poll_.Take(env.now)) PollEngine(events, env);
  if (register_.Take(env.now)) Register(env);
  if (status_.Take(env.now))
    SyncStatus(env.now - last_report_ >= kStatusReportInterval, events, env);
  if (lease_.Take(env.now)) RenewLease(env);
}

Time NodeAgent::NextWake() const {
  return std::min({informer_.NextWake(), calls_.NextWake(), poll_.at(), poll_timeout_.at(),
                   register_.at(), status_.at(), lease_.at()});
}

void NodeAgent::PollEngine(EventRecorder&, Env& env) {
  bus::EngineStatusRequest request;
  request.set_number(++poll_number_);
  poll_open_ = true;
  env.outbox.Send(options_.node + "/engine", std::move(request));
  poll_timeout_.Set(env.now + kEngineTimeout);
  poll_.Set(env.now + kEnginePollInterval);
}

void NodeAgent::OnEngineStatus(const Message& message, EventRecorder& events, Env& env) {
  const auto& status = message.As<bus::EngineStatus>();
  if (status.number() != poll_number_) return;  // late
  poll_open_ = false;
  poll_timeout_.Clear();
  health_.engine_version = status.version();
  if (std::exchange(health_.engine_up, true)) return;
  engine_back_ = true;
  if (registration_ == Registration::kNone && register_delay_ == kRegisterDelayMin) {
    register_.Clear();
    return Register(env);
  }
  SyncStatus(false, events, env);
}

void NodeAgent::Register(Env& env) {
  if (registration_ != Registration::kNone) return;
  registration_ = Registration::kInFlight;
  Node node;
  node.mutable_metadata()->set_name(options_.node);
  ReconcileNodeMeta(options_, true, &node);
  *node.mutable_status() = MakeNodeStatus(options_, health_, images_, node.status(), env.wall);
  const Object object = Object::From(std::move(node));
  env.outbox.Because(Trace{});
  calls_.Start(CreateRequest(object.kind(), ""), object, kCreate, env);
}

// The node exists: a restarted kubelet takes it over.
void NodeAgent::Reconcile(const Object& existing, Env& env) {
  Node node = existing.As<Node>();
  if (!ReconcileNodeMeta(options_, false, &node)) {
    registration_ = Registration::kDone;
    return;
  }
  const Object object = Object::From(std::move(node));
  calls_.Start(UpdateRequest(object), object, kUpdate, env);
}

void NodeAgent::RetryRegistration(Env& env) {
  registration_ = Registration::kNone;
  register_.Set(env.now + register_delay_);
  register_delay_ = std::min(register_delay_ * 2, kRegisterDelayMax);
}

void NodeAgent::OnCallResult(const CallResult& result, EventRecorder& events, Env& env) {
  if (result.tag == kStatus) {
    status_in_flight_ = false;
    if (result.ok() && !result.objects.empty()) return OnNode(result.objects[0], events, env);
    status_.Set(std::min(status_.at(), env.now + kWriteAgain));
    return;
  }
  if (result.tag == kLease) {
    lease_in_flight_ = false;
    if (result.ok()) {
      lease_exists_ = true;
      lease_delay_ = kRegisterDelayMin;
      return;  // the next renewal is set already
    }
    if (result.code == 404) lease_exists_ = false;
    if (result.reason == "AlreadyExists") lease_exists_ = true;
    lease_.Set(env.now + lease_delay_);
    lease_delay_ = std::min(lease_delay_ * 2, kRegisterDelayMax);
    return;
  }
  if (result.tag == kCreate && result.reason == "AlreadyExists") {
    bus::ApiRequest get;
    get.set_verb(bus::GET);
    get.set_kind(KindOf<Node>().id);
    get.set_name(options_.node);
    calls_.Start(std::move(get), Object(), kGet, env);
    return;
  }
  if (!result.ok() || result.objects.empty()) return RetryRegistration(env);
  if (result.tag == kGet) {
    Reconcile(result.objects[0], env);
    if (registration_ != Registration::kDone) return;
  }
  OnRegistered(result.objects[0], events, env);
}

void NodeAgent::OnRegistered(const Object& node, EventRecorder& events, Env& env) {
  registration_ = Registration::kDone;
  register_delay_ = kRegisterDelayMin;
  node_ = Object();  // the master may have started anew: what was known before does not count
  if (!std::exchange(greeted_, true)) {
    Record("Starting", "Starting kubelet.", events, env);
    for (const char* what :
         {"NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"}) {
      Record(what, StrCat("Node ", options_.node, " status is now: ", what), events, env);
    }
    Record("NodeAllocatableEnforced", "Updated Node Allocatable limit across pods", events, env);
    if (IsReady(node.As<Node>().status())) {
      Record("NodeReady", StrCat("Node ", options_.node, " status is now: NodeReady"), events, env);
    }
  }
  last_report_ = env.now;
  status_.Set(env.now + kStatusInterval);
  RenewLease(env);
  OnNode(node, events, env);
}

void NodeAgent::OnNode(const Object& node, EventRecorder& events, Env& env) {
  if (node_ && node.revision() < node_.revision()) return;
  const bool unschedulable = node_ && node_.As<Node>().spec().unschedulable();
  const bool known = static_cast<bool>(node_);
  node_ = node;
  health_.pod_cidr = node.As<Node>().spec().pod_cidr();
  const bool now_unschedulable = node.As<Node>().spec().unschedulable();
  if (known && unschedulable != now_unschedulable) {
    const char* what = now_unschedulable ? "NodeNotSchedulable" : "NodeSchedulable";
    Record(what, StrCat("Node ", options_.node, " status is now: ", what), events, env);
  }
  SyncStatus(false, events, env);
}

// Sends the status if it differs from what the API server has, or if `report`.
void NodeAgent::SyncStatus(bool report, EventRecorder& events, Env& env) {
  if (registration_ != Registration::kDone || !node_) return;
  if (!status_.IsSet()) status_.Set(env.now + kStatusInterval);
  if (status_in_flight_) return;
  const Node& current = node_.As<Node>();
  Node wanted;
  wanted.mutable_metadata()->set_name(options_.node);
  wanted.mutable_metadata()->set_uid(current.metadata().uid());
  *wanted.mutable_status() = MakeNodeStatus(options_, health_, images_, current.status(), env.wall);
  if (!report && SameNodeStatus(wanted.status(), current.status())) return;
  const bool ready = IsReady(wanted.status());
  if (ready != IsReady(current.status())) {
    const char* what = ready ? "NodeReady" : "NodeNotReady";
    Record(what, StrCat("Node ", options_.node, " status is now: ", what), events, env);
  }
  status_in_flight_ = true;
  last_report_ = env.now;
  const Object object = Object::From(std::move(wanted));
  calls_.Start(UpdateRequest(object, "status"), object, kStatus, env);
}

void NodeAgent::RenewLease(Env& env) {
  if (registration_ != Registration::kDone) return;
  if (lease_in_flight_) return lease_.Set(env.now + kWriteAgain);
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
  SetMicroTime(env.wall, lease.mutable_spec()->mutable_renew_time());
  const Object object = Object::From(std::move(lease));
  lease_in_flight_ = true;
  env.outbox.Because(Trace{});
  calls_.Start(
      lease_exists_ ? UpdateRequest(object) : CreateRequest(object.kind(), kLeaseNamespace), object,
      kLease, env);
  const double factor = 1 + kLeaseJitter * env.random.Fraction();
  lease_.Set(env.now + std::chrono::duration_cast<Duration>(kLeaseInterval * factor));
}

// About the Node, with its name as uid, as the real kubelet does.
void NodeAgent::Record(const std::string& reason, const std::string& message, EventRecorder& events,
                       Env& env) {
  k8s::core::v1::ObjectReference node;
  node.set_kind("Node");
  node.set_name(options_.node);
  node.set_uid(options_.node);
  events.Record(node, "Normal", reason, message, env);
}

}  // namespace kubemu
