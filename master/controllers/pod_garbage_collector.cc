#include "master/controllers/pod_garbage_collector.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "master/controllers/conditions.h"
#include "messages/api/kinds.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Pod;

constexpr size_t kPods = 0;
constexpr size_t kNodes = 1;

bool IsBeingDeleted(const Object& pod) {
  return pod.meta().has_deletion_timestamp();
}

}  // namespace

PodGarbageCollector::PodGarbageCollector(Options options) : options_(options) {
  Watch({.kind = &KindOf<Pod>()});
  Watch({.kind = &KindOf<k8s::core::v1::Node>()});
}

void PodGarbageCollector::Changed(size_t source, const Informer::Change& change, Trace trace,
                                  Env& env) {
  if (source == kPods) {
    pods_.Changed(change);
    // Nobody has to be waited for: no kubelet knows this pod.
    if (change.after && IsBeingDeleted(change.after) && NodeOf(change.after).empty()) {
      queue().Add(change.key, trace);
    }
  } else if (!change.after) {
    missing_since_.emplace(change.key, env.now);
  } else {
    missing_since_.erase(change.key);
  }
}

void PodGarbageCollector::OnTick(Env& env) {
  if (next_round_ > env.now) return;
  next_round_ = env.now + options_.period;
  NoteMissingNodes(env.now);
  for (const auto& [node, since] : missing_since_) {
    if (since + options_.quarantine > env.now) continue;
    for (const std::string& pod : pods_.On(node)) queue().Add(pod, Trace{});
  }
  QueueOldestFinished();
}

void PodGarbageCollector::NoteMissingNodes(Time now) {
  for (const auto& [node, pods] : pods_.by_node()) {
    if (!source(kNodes).Find(node)) missing_since_.emplace(node, now);
  }
  std::erase_if(missing_since_,
                [this](const auto& missing) { return pods_.On(missing.first).empty(); });
}

void PodGarbageCollector::QueueOldestFinished() {
  surplus_.clear();
  std::vector<std::tuple<int64_t, std::string>> finished;  // creation, key
  for (const auto& [key, pod] : source(kPods).objects()) {
    if (!IsFinished(pod) || IsBeingDeleted(pod)) continue;
    finished.emplace_back(pod.meta().creation_timestamp().seconds(), key);
  }
  if (finished.size() <= options_.finished_max) return;
  std::sort(finished.begin(), finished.end());
  finished.resize(finished.size() - options_.finished_max);
  for (const auto& [created, key] : finished) {
    surplus_.insert(key);
    queue().Add(key, Trace{});
  }
}

bool PodGarbageCollector::IsOrphan(const Object& pod, Time now) const {
  const auto it = missing_since_.find(NodeOf(pod));
  return it != missing_since_.end() && it->second + options_.quarantine <= now;
}

void PodGarbageCollector::Reconcile(const std::string& key, Env& env) {
  const Object pod = source(kPods).Find(key);
  if (!pod) return;
  const bool was_never_bound = IsBeingDeleted(pod) && NodeOf(pod).empty();
  const bool is_orphan = IsOrphan(pod, env.now);
  const bool is_surplus = surplus_.contains(key) && IsFinished(pod);
  if (!was_never_bound && !is_orphan && !is_surplus) return;
  if (is_orphan && !IsFinished(pod)) return MarkFailed(pod, env);
  DeleteAtOnce(pod, env);
}

void PodGarbageCollector::MarkFailed(const Object& pod, Env& env) {
  Pod changed = pod.As<Pod>();
  changed.mutable_status()->set_phase("Failed");
  SetCondition(changed.mutable_status()->mutable_conditions(), "DisruptionTarget", "True",
               "DeletionByPodGC", "PodGC: node no longer exists", env.wall);
  Update(Object::From(std::move(changed)), "status", env);
  queue().Add(pod.key(), env.outbox.cause());  // goes when the cache shows that it failed
}

}  // namespace kubemu
