#ifndef KUBEMU_MASTER_CONTROLLERS_POD_GARBAGE_COLLECTOR_H_
#define KUBEMU_MASTER_CONTROLLERS_POD_GARBAGE_COLLECTOR_H_

#include <cstddef>
#include <map>
#include <set>
#include <string>

#include "master/controllers/node_pods.h"
#include "master/controllers/reconciler.h"

namespace kubemu {

// Removes pods that no kubelet will ever report on again: at "master/controllers/podgc".
//
//  * pods bound to a node that has not existed for `quarantine`: they get phase Failed and the
//    condition DisruptionTarget, then go at once;
//  * pods that are terminating and were never bound;
//  * the oldest finished pods, as far as there are more than `finished_max`.
// Rules: pkg/controller/podgc/gc_controller.go.
class PodGarbageCollector : public Reconciler {
 public:
  struct Options {
    Duration period = 20s;
    Duration quarantine = 40s;
    size_t finished_max = 12'500;
  };

  explicit PodGarbageCollector(Options options);
  PodGarbageCollector() : PodGarbageCollector(Options()) {}

 protected:
  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  void Reconcile(const std::string& key, Env& env) override;
  void OnTick(Env& env) override;
  Time OwnWake() const override { return next_round_; }

 private:
  bool IsOrphan(const Object& pod, Time now) const;
  void NoteMissingNodes(Time now);
  void QueueOldestFinished();
  void MarkFailed(const Object& pod, Env& env);

  const Options options_;
  NodePods pods_;
  std::map<std::string, Time> missing_since_;  // nodes that pods name and that do not exist
  std::set<std::string> surplus_;              // finished pods to be removed
  Time next_round_{};
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_POD_GARBAGE_COLLECTOR_H_
