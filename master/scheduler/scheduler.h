#ifndef KUBEMU_MASTER_SCHEDULER_SCHEDULER_H_
#define KUBEMU_MASTER_SCHEDULER_SCHEDULER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "master/scheduler/cluster.h"
#include "master/scheduler/default_selectors.h"
#include "master/scheduler/placement.h"
#include "master/scheduler/scheduling_queue.h"
#include "messages/api/calls.h"
#include "messages/api/event_recorder.h"
#include "messages/api/informer.h"
#include "messages/component.h"

namespace kubemu {

// The part "master/scheduler": gives every pod without a node one, by creating its binding (CREATE
// pods/<name>/binding; the target stands in spec.nodeName of an attached Pod). Behaves as
// upstream's default profile (kubernetes.md section 3).
//
// A node's capacity is never exceeded: a pod counts on its node from the moment it is decided, and
// until the API server has refused the binding for certain or the pod is gone. A binding whose
// outcome is unknown is asked for again, on the same node.
class Scheduler final : public Component {
 public:
  static constexpr std::string_view kAddress = "master/scheduler";
  static constexpr std::string_view kName = "default-scheduler";
  // Pods decided in one step, so that a flood of pods does not hold up the process.
  static constexpr int kBatchMax = 500;
  // Bindings under way; past it, pods wait in the queue.
  static constexpr size_t kBindingsMax = 10'000;
  static constexpr Duration kBindingRetry = 1s;

  Scheduler();

  void Receive(const Message& message, Env& env) override;
  void Tick(Env& env) override;
  Time NextWake() const override;

  const Cluster& cluster() const { return cluster_; }
  const SchedulingQueue& queue() const { return queue_; }
  size_t bindings() const { return bindings_.size(); }

 private:
  struct Binding {
    QueuedPod item;
    std::string node;
    uint64_t call = 0;  // 0: none in flight, asked for again at retry_at
    Time retry_at = kNever;
  };

  void PodChanged(const Informer::Change& change, Env& env);
  void PodGone(const std::string& key, const Object& before, Env& env);
  void PodPlaced(const Object& before, const Object& pod, Env& env);
  void PodWaiting(const Object& before, const Object& pod, Env& env);
  void NodeChanged(const Informer::Change& change, Env& env);
  void NamespaceChanged(const Informer::Change& change, Env& env);
  bool IsOurs(const Object& pod) const;

  bool Ready() const;
  void ScheduleOne(QueuedPod item, Env& env);
  void Bind(const std::string& key, Binding& binding, Env& env);
  void BindingDone(const CallResult& result, Env& env);
  void Failed(QueuedPod item, const FitError& error, Env& env);
  void ReportUnschedulable(const PodInfo& pod, const std::string& why, Env& env);
  void RetryBindings(Env& env);

  Informer pods_;
  Informer nodes_;
  Informer services_;
  Informer replica_sets_;
  Informer namespaces_;
  Calls calls_;
  EventRecorder events_;
  Cluster cluster_;
  DefaultSelectors selectors_;
  SchedulingQueue queue_;
  Placer placer_;
  std::map<std::string, Binding> bindings_;        // by pod key
  std::map<Time, std::set<std::string>> retries_;  // bindings whose outcome is unknown
  Deadline resume_;                                // more pods wait than one step may decide
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_SCHEDULER_H_
