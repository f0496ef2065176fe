#ifndef KUBEMU_NODE_KUBELET_NODE_AGENT_H_
#define KUBEMU_NODE_KUBELET_NODE_AGENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "messages/api/calls.h"
#include "messages/api/event_recorder.h"
#include "messages/api/informer.h"
#include "messages/component.h"
#include "messages/core/deadline.h"
#include "node/kubelet/kubelet_options.h"
#include "node/kubelet/node_object.h"

namespace kubemu {

// The kubelet's work for its own Node object: registers it, reports its status, renews its lease,
// and watches whether the engine answers. A status that changed is sent at once, one that did not
// every 5 minutes; a lease every 10 s with 4 % of jitter (pkg/kubelet/kubelet_node_status.go,
// component-helpers/apimachinery/lease). A part of Kubelet, which forwards messages and ticks.
class NodeAgent {
 public:
  // What the kubelet lends it for one step.
  struct Context {
    Calls& calls;
    EventRecorder& events;
    Env& env;
  };
  // Tags of its calls begin with it.
  static constexpr char kTag[] = "node ";

  explicit NodeAgent(const KubeletOptions& options);

  void Receive(const Message& message, Context& context);
  // The result of a call whose tag begins with kTag.
  void OnCallResult(const CallResult& result, Context& context);
  void Tick(Context& context);
  Time NextWake() const;

  bool engine_up() const { return health_.engine_up; }
  // "" until the node has one.
  const std::string& pod_cidr() const { return health_.pod_cidr; }
  // True once, after the engine answered again.
  bool TakeEngineBack() { return std::exchange(engine_back_, false); }
  // Why the API server does not take this node, its status or its lease; "": no news. Once each.
  std::string TakeComplaint() { return std::exchange(complaint_, ""); }

  // An image is on the node now; reported with the next status.
  void AddImage(const std::string& name, NodeImage image) { images_[name] = std::move(image); }
  const std::map<std::string, NodeImage>& images() const { return images_; }

 private:
  enum class Registration { kNone, kInFlight, kDone };

  void OnRegistered(const Object& node, Context& context);
  void OnNode(const Object& node, Context& context);
  void OnEngineStatus(const Message& message, Context& context);
  void PollEngine(Context& context);
  void Register(Context& context);
  void Reconcile(const Object& existing, Context& context);
  void RetryRegistration(Env& env);
  void Complain(const char* what, const CallResult& result);
  void SyncStatus(bool report, Context& context);
  void RenewLease(Context& context);
  void Record(const std::string& reason, const std::string& message, Context& context);

  const KubeletOptions options_;
  std::string complaint_;
  Informer informer_;
  NodeHealthState health_;
  bool engine_back_ = false;
  uint64_t poll_number_ = 0;
  Deadline poll_;           // next poll
  Deadline engine_silent_;  // for too long

  Registration registration_ = Registration::kNone;
  Duration register_delay_ = kRegisterDelayMin;
  Deadline register_;
  bool greeted_ = false;  // the events of a kubelet's start were recorded
  Object node_;           // the newest version known
  std::map<std::string, NodeImage> images_;

  bool status_in_flight_ = false;
  Time last_report_{};
  Deadline status_;

  bool lease_in_flight_ = false;
  bool lease_exists_ = false;
  Duration lease_delay_ = kRegisterDelayMin;
  Deadline lease_;
  uint64_t master_epoch_ = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_NODE_AGENT_H_
