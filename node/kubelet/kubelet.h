#ifndef KUBEMU_NODE_KUBELET_KUBELET_H_
#define KUBEMU_NODE_KUBELET_KUBELET_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "messages/api/calls.h"
#include "messages/api/event_recorder.h"
#include "messages/api/informer.h"
#include "messages/component.h"
#include "node/kubelet/kubelet_options.h"
#include "node/kubelet/log_relay.h"
#include "node/kubelet/node_agent.h"
#include "node/kubelet/pod_worker.h"

namespace kubemu {

// The node's agent, at "<node>/kubelet". Registers the node, renews its lease and reports its
// state; runs the pods that are bound to the node through "<node>/engine" and reports theirs; hands
// out container logs. It decides everything from the API server's objects and the engine's events,
// and may lose, get twice or get late any message.
class Kubelet : public Component {
 public:
  using Options = KubeletOptions;

  explicit Kubelet(Options options);

  void Receive(const Message& message, Env& env) override;
  void Tick(Env& env) override;
  Time NextWake() const override;

  // That the API server refuses this node, and why: the node itself cannot show it. "" if there is
  // nothing (new) to say.
  std::string TakeComplaint() { return node_.TakeComplaint(); }

 private:
  using Workers = std::map<std::string, PodWorker>;

  PodContext Context(Env& env);
  void Handle(const Message& message, Env& env);
  void OnPod(const Informer::Change& change, Env& env);
  void OnEngineEvent(const Message& message, Env& env);
  void OnProbeResult(const Message& message, Env& env);
  void TakeConnectionResults(Env& env);
  void OnCallResult(const CallResult& result, Env& env);
  void CheckSequence(uint64_t sequence, bool is_event, Env& env);
  void AskEngineAgain(Env& env);
  void Step(Workers::iterator it, Env& env);
  void AdmitPod(PodWorker& worker, PodContext& context);
  void SetWake(const std::string& uid, Time wake);
  Workers::iterator FindByAddress(const std::string& pod_address);
  const PodWorker* FindByName(const std::string& ns, const std::string& name) const;

  const Options options_;
  NodeAgent node_;
  Informer pods_;
  Calls calls_;
  EventRecorder events_;
  LogRelay logs_;
  PodConnections connections_;
  uint64_t next_probe_ = 1;
  uint64_t engine_events_ = 0;  // sequence of the last one known
  Deadline ask_again_;          // after a gap; not at once, or a lossy bus would make a storm of it
  Workers workers_;             // by pod uid
  std::map<std::string, std::set<std::string>> by_key_;  // "namespace/name" to uids
  std::map<std::string, Time> wakes_;                    // by pod uid
  std::set<std::pair<Time, std::string>> queue_;         // the same, in order
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_KUBELET_H_
