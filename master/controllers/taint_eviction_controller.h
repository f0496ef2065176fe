#ifndef KUBEMU_MASTER_CONTROLLERS_TAINT_EVICTION_CONTROLLER_H_
#define KUBEMU_MASTER_CONTROLLERS_TAINT_EVICTION_CONTROLLER_H_

#include <map>
#include <optional>
#include <string>

#include "master/controllers/node_pods.h"
#include "master/controllers/reconciler.h"
#include "messages/api/event_recorder.h"

namespace kubemu {

// Deletes the pods that do not tolerate their node's NoExecute taints: at once, or when the
// shortest of their tolerationSeconds is over. At "master/controllers/tainteviction". A pod first
// gets the condition DisruptionTarget. If the taints go in time the pod stays.
// Rules: pkg/controller/tainteviction/taint_eviction.go.
class TaintEvictionController : public Reconciler {
 public:
  TaintEvictionController();

 protected:
  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  void Reconcile(const std::string& key, Env& env) override;

 private:
  void Cancel(const Object& pod, Env& env);
  void Evict(const Object& pod, Env& env);

  EventRecorder events_{"taint-eviction-controller", ""};
  NodePods pods_;
  std::map<std::string, Time> since_;  // pods that wait for their eviction: when it began
};

// How long a pod may stay on its node from the moment the taints are there: zero, if it does not
// tolerate one of them; Duration::max() for ever. Taints without effect NoExecute do not count.
Duration ToleratedFor(const Object& pod, const Object& node);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_TAINT_EVICTION_CONTROLLER_H_
