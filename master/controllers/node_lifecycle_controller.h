#ifndef KUBEMU_MASTER_CONTROLLERS_NODE_LIFECYCLE_CONTROLLER_H_
#define KUBEMU_MASTER_CONTROLLERS_NODE_LIFECYCLE_CONTROLLER_H_

#include <map>
#include <set>
#include <string>

#include "master/controllers/node_pods.h"
#include "master/controllers/reconciler.h"
#include "master/controllers/zone_evictions.h"
#include "messages/api/event_recorder.h"
#include "messages/proto/k8s/core_node.pb.h"

namespace kubemu {

// Watches over the nodes' heartbeats: at "master/controllers/nodelifecycle".
//
// A heartbeat is a lease that was renewed, or a Ready condition with a new lastHeartbeatTime; it
// counts from when this controller saw it, by its own clock. Without one for `monitor_grace` the
// node's conditions become Unknown. A node that is not Ready gets its NoSchedule taint at once and
// its NoExecute taint at its zone's rate (ZoneEvictions); its pods become not Ready. When no node
// of any zone is Ready all NoExecute taints are taken away again, and after that every node has a
// full grace before it.
// Rules: pkg/controller/nodelifecycle/node_lifecycle_controller.go.
class NodeLifecycleController : public Reconciler {
 public:
  struct Options {
    Duration monitor_period = 5s;
    Duration monitor_grace = 40s;  // 50 s upstream from 1.31.14 on
    Duration startup_grace = 60s;  // of a node that has no Ready condition yet
    ZoneEvictions::Options evictions;
  };

  explicit NodeLifecycleController(Options options);
  NodeLifecycleController() : NodeLifecycleController(Options()) {}

 protected:
  // Keys are "node/<name>" and "pod/<namespace>/<name>".
  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  void Reconcile(const std::string& key, Env& env) override;
  void OnTick(Env& env) override;
  Time OwnWake() const override;

 private:
  void NodeChanged(const Informer::Change& change, Trace trace, Env& env);
  void LeaseChanged(const Informer::Change& change, Env& env);
  void PodChanged(const Informer::Change& change, Trace trace);
  void QueuePods(const std::string& node, Trace trace);
  void NodeEvent(const Object& node, const std::string& reason, const std::string& text, Env& env);

  void ReconcileNode(const Object& node, Env& env);
  void ReconcilePod(const Object& pod, Env& env);
  bool IsStale(const Object& node, Time now) const;
  // The NoExecute taint that the node may have now.
  std::string NoExecuteFor(const k8s::core::v1::Node& node);
  void MonitorNodes(Env& env);
  void MonitorZones(Env& env);
  void QueueAllNodes();

  const Options options_;
  EventRecorder events_{"node-controller", ""};
  NodePods pods_;
  std::map<std::string, Time> last_heartbeat_;  // of the nodes that exist
  ZoneEvictions evictions_;
  std::set<std::string> may_taint_;  // nodes whose turn has come
  Time next_monitor_{};
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_NODE_LIFECYCLE_CONTROLLER_H_
