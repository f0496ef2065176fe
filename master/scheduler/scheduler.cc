#include "master/scheduler/scheduler.h"

#include <algorithm>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Node;
using k8s::core::v1::Pod;

constexpr uint32_t Bit(Plugin plugin) {
  return static_cast<uint32_t>(plugin);
}

constexpr uint32_t kAnyPlugin = ~uint32_t{0};
constexpr uint32_t kBetweenPods = Bit(Plugin::kPodTopologySpread) | Bit(Plugin::kInterPodAffinity);
constexpr uint32_t kFreedPlace =
    kBetweenPods | Bit(Plugin::kNodeResourcesFit) | Bit(Plugin::kNodePorts);

template <class T>
Informer WatchAll(uint64_t stream) {
  Informer::Options options;
  options.kind = &KindOf<T>();
  return Informer(stream, options);
}

bool IsOver(const Pod& pod) {
  return pod.status().phase() == "Succeeded" || pod.status().phase() == "Failed";
}

template <class Field>
bool SameList(const Field& a, const Field& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.SerializeAsString() == y.SerializeAsString();
  });
}

// Which plugins may now think otherwise of the node.
uint32_t Effect(const Node& before, const Node& after) {
  uint32_t plugins = 0;
  if (!SameList(before.status().allocatable(), after.status().allocatable())) {
    plugins |= Bit(Plugin::kNodeResourcesFit);
  }
  if (!SameList(before.metadata().labels(), after.metadata().labels())) {
    plugins |= Bit(Plugin::kNodeAffinity) | kBetweenPods;
  }
  if (!SameList(before.spec().taints(), after.spec().taints())) {
    plugins |= Bit(Plugin::kTaintToleration) | Bit(Plugin::kPodTopologySpread);
  }
  if (before.spec().unschedulable() && !after.spec().unschedulable()) {
    plugins |= Bit(Plugin::kNodeUnschedulable);
  }
  return plugins;
}

// Did anything change that decides where a waiting pod may go?
bool MayHelp(const Object& before, const Object& after) {
  if (!before) return true;
  const Pod& old = before.As<Pod>();
  const Pod& now = after.As<Pod>();
  return old.spec().SerializeAsString() != now.spec().SerializeAsString() ||
         !SameList(old.metadata().labels(), now.metadata().labels());
}

}  // namespace

Scheduler::Scheduler()
    : pods_(WatchAll<Pod>(1)),
      nodes_(WatchAll<Node>(2)),
      services_(WatchAll<k8s::core::v1::Service>(3)),
      replica_sets_(WatchAll<k8s::apps::v1::ReplicaSet>(4)),
      namespaces_(WatchAll<k8s::core::v1::Namespace>(5)),
      events_(std::string(kName), "") {}

void Scheduler::Receive(const Message& message, Env& env) {
  if (const std::optional<CallResult> result = calls_.Receive(message)) {
    BindingDone(*result, env);
    return;
  }
  for (const auto& change : pods_.Receive(message, env)) PodChanged(change, env);
  for (const auto& change : nodes_.Receive(message, env)) NodeChanged(change, env);
  for (const auto& change : services_.Receive(message, env)) {
    selectors_.ServiceChanged(change.key, change.after);
  }
  for (const auto& change : replica_sets_.Receive(message, env)) {
    selectors_.ReplicaSetChanged(change.before, change.after);
  }
  for (const auto& change : namespaces_.Receive(message, env)) NamespaceChanged(change, env);
}

bool Scheduler::IsOurs(const Object& object) const {
  const Pod& pod = object.As<Pod>();
  const std::string& name = pod.spec().scheduler_name();
  return (name.empty() || name == kName) && pod.spec().scheduling_gates().empty() &&
         !pod.metadata().has_deletion_timestamp() && !IsOver(pod);
}

void Scheduler::PodChanged(const Informer::Change& change, Env& env) {
  Object before = change.before;
  if (before && (!change.after || before.meta().uid() != change.after.meta().uid())) {
    PodGone(change.key, before, env);
    before = Object();
  }
  if (!change.after) return;
  if (change.after.As<Pod>().spec().node_name().empty()) {
    PodWaiting(before, change.after, env);
  } else {
    PodPlaced(before, change.after, env);
  }
}

void Scheduler::PodGone(const std::string& key, const Object& before, Env& env) {
  queue_.Remove(key);
  bindings_.erase(key);
  const bool held_place = !cluster_.NodeOf(key).empty();
  cluster_.RemovePod(key);
  if (held_place && before) queue_.MoveFor(kFreedPlace, env.outbox.cause(), env.now);
}

void Scheduler::PodPlaced(const Object& before, const Object& object, Env& env) {
  const Pod& pod = object.As<Pod>();
  if (IsOver(pod)) return PodGone(object.key(), before, env);
  queue_.Remove(object.key());
  cluster_.SetPod(object);
  const bool is_new = !before || before.As<Pod>().spec().node_name().empty();
  if (is_new || !SameList(before.As<Pod>().metadata().labels(), pod.metadata().labels())) {
    queue_.MoveFor(kBetweenPods, env.outbox.cause(), env.now);
  }
}

void Scheduler::PodWaiting(const Object& before, const Object& object, Env& env) {
  const std::string& key = object.key();
  if (!IsOurs(object)) {
    queue_.Remove(key);
    return;
  }
  // Decided already: the news is older than that, or about its status.
  if (bindings_.contains(key)) return;
  if (cluster_.IsAssumed(key) && queue_.Find(key) == nullptr) return;
  queue_.Update(std::make_shared<PodInfo>(object), MayHelp(before, object), env.outbox.cause(),
                env.now);
}

void Scheduler::NodeChanged(const Informer::Change& change, Env& env) {
  if (!change.after) return cluster_.RemoveNode(change.key);
  cluster_.SetNode(change.after);
  const uint32_t plugins =
      change.before ? Effect(change.before.As<Node>(), change.after.As<Node>()) : kAnyPlugin;
  if (plugins != 0) queue_.MoveFor(plugins, env.outbox.cause(), env.now);
}

void Scheduler::NamespaceChanged(const Informer::Change& change, Env& env) {
  if (!change.after) return cluster_.RemoveNamespace(change.key);
  cluster_.SetNamespace(change.after);
  queue_.MoveFor(Bit(Plugin::kInterPodAffinity), env.outbox.cause(), env.now);
}

bool Scheduler::Ready() const {
  return pods_.synced() && nodes_.synced() && services_.synced() && replica_sets_.synced() &&
         namespaces_.synced();
}

void Scheduler::Tick(Env& env) {
  for (Informer* informer : {&pods_, &nodes_, &services_, &replica_sets_, &namespaces_}) {
    informer->Tick(env);
  }
  for (const CallResult& result : calls_.Expired(env.now)) BindingDone(result, env);
  RetryBindings(env);
  resume_.Clear();
  if (!Ready()) return;
  queue_.Flush(env.now);
  for (int i = 0; i < kBatchMax && bindings_.size() < kBindingsMax; ++i) {
    std::optional<QueuedPod> item = queue_.Pop();
    if (!item) return;
    ScheduleOne(*std::move(item), env);
  }
  if (queue_.active() > 0 && bindings_.size() < kBindingsMax) resume_.Set(env.now + 1us);
}

Time Scheduler::NextWake() const {
  Time wake = std::min(calls_.NextWake(), resume_.at());
  for (const Informer* informer : {&pods_, &nodes_, &services_, &replica_sets_, &namespaces_}) {
    wake = std::min(wake, informer->NextWake());
  }
  if (!retries_.empty()) wake = std::min(wake, retries_.begin()->first);
  if (!Ready()) return wake;
  const bool may_go_on = queue_.active() > 0 && bindings_.size() < kBindingsMax;
  if (may_go_on && !resume_.IsSet()) return Time{};
  return std::min(wake, queue_.NextWake());
}

void Scheduler::ScheduleOne(QueuedPod item, Env& env) {
  const std::string key = item.pod->key;
  env.outbox.Because(item.trace);
  // Its binding was refused before; had it a node all the same, the watch would have said so.
  cluster_.Forget(key);
  const Placement placement =
      placer_.Place(*item.pod, cluster_, selectors_.Find(*item.pod), env.random);
  if (placement.node.empty()) return Failed(std::move(item), placement.error, env);
  cluster_.Assume(item.pod, placement.node);
  Binding& binding = bindings_[key];
  binding.item = std::move(item);
  binding.node = placement.node;
  Bind(key, binding, env);
}

void Scheduler::Bind(const std::string& key, Binding& binding, Env& env) {
  const PodInfo& pod = *binding.item.pod;
  Pod target;
  target.mutable_metadata()->set_name(pod.pod().metadata().name());
  target.mutable_metadata()->set_namespace_(pod.ns);
  target.mutable_metadata()->set_uid(pod.uid);
  target.mutable_spec()->set_node_name(binding.node);
  bus::ApiRequest request = CreateRequest(KindOf<Pod>(), pod.ns);
  request.set_name(target.metadata().name());
  request.set_subresource("binding");
  binding.retry_at = kNever;
  binding.call = calls_.Start(std::move(request), Object::From(std::move(target)), key, env);
}

void Scheduler::BindingDone(const CallResult& result, Env& env) {
  const auto at = bindings_.find(result.tag);
  if (at == bindings_.end() || at->second.call != result.call) return;  // the pod is gone since
  env.outbox.Because(result.trace);
  Binding& binding = at->second;
  if (result.code >= 500) {  // perhaps it was done
    binding.call = 0;
    binding.retry_at = env.now + kBindingRetry;
    retries_[binding.retry_at].insert(at->first);
    return;
  }
  Binding done = std::move(binding);
  bindings_.erase(at);
  const PodInfo& pod = *done.item.pod;
  if (result.ok()) {
    events_.Record(ReferenceTo(pod.object), "Normal", "Scheduled",
                   StrCat("Successfully assigned ", pod.key, " to ", done.node), env);
    return;
  }
  if (!cluster_.IsAssumed(pod.key)) return;  // it is there, as the watch has shown
  // After a conflict the pod may have a node after all: its place is kept until the next try.
  if (!result.conflict()) {
    cluster_.Forget(pod.key);
    queue_.MoveFor(kFreedPlace, result.trace, env.now);
  }
  const Object latest = pods_.Find(pod.key);
  if (!latest) return;
  done.item.pod = std::make_shared<PodInfo>(latest);
  queue_.Retry(std::move(done.item), env.now);
}

void Scheduler::RetryBindings(Env& env) {
  while (!retries_.empty() && retries_.begin()->first <= env.now) {
    const auto due = retries_.extract(retries_.begin());
    for (const std::string& key : due.mapped()) {
      const auto at = bindings_.find(key);
      if (at == bindings_.end() || at->second.retry_at != due.key()) continue;
      env.outbox.Because(at->second.item.trace);
      Bind(key, at->second, env);
    }
  }
}

void Scheduler::Failed(QueuedPod item, const FitError& error, Env& env) {
  const bool may_preempt = item.pod->spec().preemption_policy() != "Never";
  const std::string why = error.Message(may_preempt);
  ReportUnschedulable(*item.pod, why, env);
  // Without any node, whatever comes may help.
  const uint32_t plugins = error.plugins == 0 ? kAnyPlugin : error.plugins;
  queue_.Park(std::move(item), plugins, env.now);
}

void Scheduler::ReportUnschedulable(const PodInfo& pod, const std::string& why, Env& env) {
  events_.Record(ReferenceTo(pod.object), "Warning", "FailedScheduling", why, env);
  Pod updated = pod.pod();
  k8s::core::v1::PodCondition* condition = nullptr;
  for (auto& known : *updated.mutable_status()->mutable_conditions()) {
    if (known.type() == "PodScheduled") condition = &known;
  }
  if (condition == nullptr) {
    condition = updated.mutable_status()->add_conditions();
    condition->set_type("PodScheduled");
  } else if (condition->status() == "False" && condition->reason() == "Unschedulable" &&
             condition->message() == why) {
    return;
  }
  if (condition->status() != "False") {
    condition->set_status("False");
    condition->mutable_last_transition_time()->set_seconds(
        std::chrono::duration_cast<std::chrono::seconds>(env.wall.time_since_epoch()).count());
  }
  condition->set_reason("Unschedulable");
  condition->set_message(why);
  // With the version that was judged: a pod that changed since is judged again anyway. Nobody
  // waits for the answer, as it would not change what is done next.
  const Object object = Object::From(std::move(updated), env.outbox.cause());
  env.outbox.Send(std::string(kApiServerAddress), UpdateRequest(object, "status"), {object});
}

}  // namespace kubemu
