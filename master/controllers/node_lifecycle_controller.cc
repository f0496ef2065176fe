#include "master/controllers/node_lifecycle_controller.h"

#include <algorithm>
#include <utility>

#include "master/controllers/conditions.h"
#include "master/controllers/node_taints.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"

namespace kubemu {
namespace {

using k8s::coordination::v1::Lease;
using k8s::core::v1::Node;
using k8s::core::v1::Pod;

constexpr size_t kNodes = 0;
constexpr size_t kLeases = 1;
constexpr size_t kPods = 2;

constexpr const char* kLeaseNamespace = "kube-node-lease";
constexpr std::string_view kNodePrefix = "node/";
constexpr std::string_view kPodPrefix = "pod/";

const Node& AsNode(const Object& object) {
  return object.As<Node>();
}

std::string NodeKey(const std::string& name) {
  return StrCat(kNodePrefix, name);
}

// Region and zone, as upstream joins them.
std::string ZoneOf(const Object& node) {
  const std::string* region = FindEntry(node.meta().labels(), "topology.kubernetes.io/region");
  const std::string* zone = FindEntry(node.meta().labels(), "topology.kubernetes.io/zone");
  if (region == nullptr && zone == nullptr) return "";
  return StrCat(region == nullptr ? "" : *region, "|", zone == nullptr ? "" : *zone);
}

bool IsReady(const Object& node) {
  return ReadyStatus(AsNode(node)) == "True";
}

bool HasNewHeartbeat(const Object& before, const Object& after) {
  const auto* old_ready = FindCondition(AsNode(before).status().conditions(), "Ready");
  const auto* new_ready = FindCondition(AsNode(after).status().conditions(), "Ready");
  if (new_ready == nullptr) return false;
  if (old_ready == nullptr) return new_ready->reason() != "NodeStatusNeverUpdated";
  const auto& old_time = old_ready->last_heartbeat_time();
  const auto& new_time = new_ready->last_heartbeat_time();
  return old_time.seconds() != new_time.seconds() || old_time.nanos() != new_time.nanos();
}

}  // namespace

NodeLifecycleController::NodeLifecycleController(Options options)
    : options_(options), evictions_(options.evictions) {
  Watch({.kind = &KindOf<Node>()});
  Watch({.kind = &KindOf<Lease>(), .ns = kLeaseNamespace});
  Watch({.kind = &KindOf<Pod>()});
}

void NodeLifecycleController::Changed(size_t source, const Informer::Change& change, Trace trace,
                                      Env& env) {
  if (source == kNodes) NodeChanged(change, trace, env);
  if (source == kLeases) LeaseChanged(change, env);
  if (source == kPods) PodChanged(change, trace);
}

// A pod that comes to a node that is not Ready, or is found there after a restart of the master,
// which may have died between the node's status and its pods'.
void NodeLifecycleController::PodChanged(const Informer::Change& change, Trace trace) {
  pods_.Changed(change);
  if (!change.after || NodeOf(change.after).empty()) return;
  if (change.before && NodeOf(change.before) == NodeOf(change.after)) return;
  const Object node = source(kNodes).Find(NodeOf(change.after));
  if (node && !IsReady(node)) queue().Add(StrCat(kPodPrefix, change.key), trace);
}

void NodeLifecycleController::QueuePods(const std::string& node, Trace trace) {
  for (const std::string& pod : pods_.On(node)) queue().Add(StrCat(kPodPrefix, pod), trace);
}

void NodeLifecycleController::NodeChanged(const Informer::Change& change, Trace trace, Env& env) {
  const std::string& name = change.key;
  if (!change.after) {
    NodeEvent(change.before, "RemovingNode", StrCat("Removing Node ", name, " from Controller"),
              env);
    last_heartbeat_.erase(name);
    may_taint_.erase(name);
    evictions_.Remove(name);
    return;
  }
  if (!change.before) {
    NodeEvent(change.after, "RegisteredNode", StrCat("Registered Node ", name, " in Controller"),
              env);
    last_heartbeat_[name] = env.now;
    if (!IsReady(change.after)) QueuePods(name, trace);
  } else {
    if (HasNewHeartbeat(change.before, change.after)) last_heartbeat_[name] = env.now;
    if (IsReady(change.before) && !IsReady(change.after)) {
      events_.Record(ReferenceTo(change.after), "Normal", "NodeNotReady",
                     StrCat("Node ", name, " status is now: NodeNotReady"), env);
      QueuePods(name, trace);
    }
  }
  queue().Add(NodeKey(name), trace);
}

void NodeLifecycleController::NodeEvent(const Object& node, const std::string& reason,
                                        const std::string& text, Env& env) {
  events_.Record(ReferenceTo(node), "Normal", reason,
                 StrCat("Node ", node.meta().name(), " event: ", text), env);
}

void NodeLifecycleController::LeaseChanged(const Informer::Change& change, Env& env) {
  if (!change.after) return;
  const auto it = last_heartbeat_.find(change.after.meta().name());
  if (it == last_heartbeat_.end()) return;
  const auto& renewed = change.after.As<Lease>().spec().renew_time();
  if (change.before) {
    const auto& before = change.before.As<Lease>().spec().renew_time();
    if (before.seconds() == renewed.seconds() && before.nanos() == renewed.nanos()) return;
  }
  it->second = env.now;
}

void NodeLifecycleController::OnTick(Env& env) {
  if (next_monitor_ <= env.now) {
    next_monitor_ = env.now + options_.monitor_period;
    MonitorNodes(env);
    MonitorZones(env);
  }
  while (const auto node = evictions_.Take(env.now)) {
    may_taint_.insert(*node);
    queue().Add(NodeKey(*node), Trace{});
  }
}

Time NodeLifecycleController::OwnWake() const {
  return std::min(next_monitor_, evictions_.NextWake());
}

void NodeLifecycleController::MonitorNodes(Env& env) {
  for (const auto& [name, node] : source(kNodes).objects()) {
    if (IsStale(node, env.now)) queue().Add(NodeKey(name), Trace{});
  }
}

void NodeLifecycleController::MonitorZones(Env& env) {
  std::map<std::string, ZoneEvictions::Counts> zones;
  for (const auto& [name, node] : source(kNodes).objects()) {
    ZoneEvictions::Counts& counts = zones[ZoneOf(node)];
    ++(IsReady(node) ? counts.ready : counts.not_ready);
  }
  const bool were_all_ill = evictions_.all_ill();
  evictions_.SetZones(zones);
  if (were_all_ill == evictions_.all_ill()) return;
  if (were_all_ill) {
    // Nobody's heartbeat could reach us: everyone gets the full time again.
    for (auto& [name, heartbeat] : last_heartbeat_) heartbeat = env.now;
  } else {
    may_taint_.clear();
  }
  QueueAllNodes();
}

void NodeLifecycleController::QueueAllNodes() {
  for (const auto& [name, node] : source(kNodes).objects()) queue().Add(NodeKey(name), Trace{});
}

bool NodeLifecycleController::IsStale(const Object& node, Time now) const {
  const auto it = last_heartbeat_.find(node.meta().name());
  if (it == last_heartbeat_.end()) return false;
  const bool was_reported = !ReadyStatus(AsNode(node)).empty();
  return now > it->second + (was_reported ? options_.monitor_grace : options_.startup_grace);
}

void NodeLifecycleController::Reconcile(const std::string& key, Env& env) {
  if (key.starts_with(kNodePrefix)) {
    const Object node = source(kNodes).Find(key.substr(kNodePrefix.size()));
    if (node) ReconcileNode(node, env);
  } else {
    const Object pod = source(kPods).Find(key.substr(kPodPrefix.size()));
    if (pod) ReconcilePod(pod, env);
  }
}

void NodeLifecycleController::ReconcileNode(const Object& object, Env& env) {
  Node node = AsNode(object);
  if (IsStale(object, env.now) && MarkUnknown(&node, env.wall)) {
    // The taints follow when the cache shows the new conditions.
    Update(Object::From(std::move(node)), "status", env);
    return;
  }
  if (SetTaints(&node, NoExecuteFor(node), env.wall)) {
    Update(Object::From(std::move(node)), "", env);
  }
}

std::string NodeLifecycleController::NoExecuteFor(const Node& node) {
  const std::string& name = node.metadata().name();
  const std::string wanted = WantedNoExecute(node);
  if (wanted.empty() || evictions_.all_ill()) {
    evictions_.Remove(name);
    may_taint_.erase(name);
    return "";
  }
  // One that has either taint had its turn already.
  if (!CurrentNoExecute(node).empty() || may_taint_.contains(name)) return wanted;
  evictions_.Add(name, ZoneOf(source(kNodes).Find(name)));
  return "";
}

void NodeLifecycleController::ReconcilePod(const Object& pod, Env& env) {
  const Object node = source(kNodes).Find(NodeOf(pod));
  if (!node || IsReady(node)) return;
  Pod changed = pod.As<Pod>();
  for (auto& condition : *changed.mutable_status()->mutable_conditions()) {
    if (condition.type() != "Ready" || condition.status() != "True") continue;
    condition.set_status("False");
    SetTime(env.wall, condition.mutable_last_transition_time());
    events_.Record(ReferenceTo(pod), "Warning", "NodeNotReady", "Node is not ready", env);
    Update(Object::From(std::move(changed)), "status", env);
    return;
  }
}

}  // namespace kubemu
