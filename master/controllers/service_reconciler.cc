#include "master/controllers/service_reconciler.h"

#include "messages/api/kinds.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {

ServiceReconciler::ServiceReconciler(Pace pace) : pace_(pace) {
  Watch({.kind = &KindOf<k8s::core::v1::Service>()});
  Watch({.kind = &KindOf<k8s::core::v1::Pod>()});
}

void ServiceReconciler::Changed(size_t source, const Informer::Change& change, Trace trace,
                                Env& env) {
  if (source == kServices) {
    for (const std::string& service : members_.ServiceChanged(change, this->source(kPods))) {
      Touch(service, trace, env);
    }
    if (!change.after) not_before_.erase(change.key);
  } else if (source == kPods) {
    for (const std::string& service : members_.PodChanged(change)) Touch(service, trace, env);
  } else {
    OwnChanged(source, change, trace, env);
  }
}

void ServiceReconciler::Touch(const std::string& service, Trace trace, Env& env) {
  const auto it = not_before_.find(service);
  if (it != not_before_.end() && it->second > env.now) {
    queue().AddAt(service, trace, it->second);
  } else {
    queue().Add(service, trace);
  }
}

void ServiceReconciler::Reconcile(const std::string& key, Env& env) {
  const Object service = source(kServices).Find(key);
  const bool wrote = ReconcileService(key, service, env);
  if (!service) return;
  const auto pods = static_cast<int64_t>(members_.Of(key).size());
  not_before_[key] = env.now + (wrote ? pace_.base : 0s) + pods * pace_.per_pod;
}

}  // namespace kubemu
