#include "master/controllers/taint_eviction_controller.h"

#include <algorithm>
#include <utility>

#include "master/controllers/conditions.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Node;
using k8s::core::v1::Pod;
using k8s::core::v1::Taint;
using k8s::core::v1::Toleration;

constexpr size_t kNodes = 0;
constexpr size_t kPods = 1;
constexpr const char* kEvictingEffect = "NoExecute";
// So that times beyond this need no arithmetic near the end of the clock.
constexpr int64_t kTolerationMaxSeconds = 100LL * 365 * 24 * 3600;

bool Tolerates(const Toleration& toleration, const Taint& taint) {
  if (!toleration.effect().empty() && toleration.effect() != taint.effect()) return false;
  if (!toleration.key().empty() && toleration.key() != taint.key()) return false;
  if (toleration.operator_() == "Exists") return true;
  return !toleration.key().empty() && toleration.value() == taint.value();
}

std::string NoExecuteTaints(const Object& node) {
  std::string taints;
  if (!node) return taints;
  for (const Taint& taint : node.As<Node>().spec().taints()) {
    if (taint.effect() == kEvictingEffect) StrAppend(&taints, taint.key(), "=", taint.value(), ",");
  }
  return taints;
}

}  // namespace

Duration ToleratedFor(const Object& pod, const Object& node) {
  Duration shortest = Duration::max();
  for (const Taint& taint : node.As<Node>().spec().taints()) {
    if (taint.effect() != kEvictingEffect) continue;
    bool is_tolerated = false;
    for (const Toleration& toleration : pod.As<Pod>().spec().tolerations()) {
      if (!Tolerates(toleration, taint)) continue;
      is_tolerated = true;
      if (!toleration.has_toleration_seconds()) continue;
      const int64_t seconds =
          std::clamp<int64_t>(toleration.toleration_seconds(), 0, kTolerationMaxSeconds);
      shortest = std::min<Duration>(shortest, std::chrono::seconds(seconds));
    }
    if (!is_tolerated) return Duration::zero();
  }
  return shortest;
}

TaintEvictionController::TaintEvictionController() {
  Watch({.kind = &KindOf<Node>()});
  Watch({.kind = &KindOf<Pod>()});
}

void TaintEvictionController::Changed(size_t source, const Informer::Change& change, Trace trace,
                                      Env&) {
  if (source == kNodes) {
    if (NoExecuteTaints(change.before) == NoExecuteTaints(change.after)) return;
    for (const std::string& pod : pods_.On(change.key)) queue().Add(pod, trace);
    return;
  }
  pods_.Changed(change);
  if (!change.after) {
    since_.erase(change.key);
    return;
  }
  const Object node = this->source(kNodes).Find(NodeOf(change.after));
  if (since_.contains(change.key) || !NoExecuteTaints(node).empty() || !synced()) {
    queue().Add(change.key, trace);
  }
}

void TaintEvictionController::Reconcile(const std::string& key, Env& env) {
  const Object pod = source(kPods).Find(key);
  const Object node = pod ? source(kNodes).Find(NodeOf(pod)) : Object();
  if (!node || pod.meta().has_deletion_timestamp()) {
    since_.erase(key);
    return;
  }
  const Duration tolerated = ToleratedFor(pod, node);
  if (tolerated == Duration::max()) return Cancel(pod, env);
  const Time since = since_.emplace(key, env.now).first->second;
  if (since + tolerated > env.now) {
    queue().AddAt(key, env.outbox.cause(), since + tolerated);
  } else {
    Evict(pod, env);
  }
}

void TaintEvictionController::Cancel(const Object& pod, Env& env) {
  if (since_.erase(pod.key()) == 0) return;
  events_.Record(ReferenceTo(pod), "Normal", "TaintManagerEviction",
                 StrCat("Cancelling deletion of Pod ", pod.key()), env);
}

void TaintEvictionController::Evict(const Object& pod, Env& env) {
  Pod changed = pod.As<Pod>();
  if (SetCondition(changed.mutable_status()->mutable_conditions(), "DisruptionTarget", "True",
                   "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint",
                   env.wall)) {
    events_.Record(ReferenceTo(pod), "Normal", "TaintManagerEviction",
                   StrCat("Marking for deletion Pod ", pod.key()), env);
    Update(Object::From(std::move(changed)), "status", env);
    queue().Add(pod.key(), env.outbox.cause());  // deleted when the cache shows the condition
    return;
  }
  Delete(pod, "", env);
}

}  // namespace kubemu
