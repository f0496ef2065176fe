#ifndef KUBEMU_NODE_ENGINE_EMULATED_ENGINE_H_
#define KUBEMU_NODE_ENGINE_EMULATED_ENGINE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "messages/component.h"
#include "messages/core/ip.h"
#include "messages/proto/node.pb.h"
#include "node/engine/log_followers.h"
#include "node/engine/net_commands.h"
#include "node/engine/sandboxes.h"
#include "node/network/ip_pool.h"
#include "node/network/pod_network.h"

namespace kubemu {

// The container engine of one node, at "<node>/engine" and, for its pods' traffic and probes, at
// every address below "<node>/pod/". Emulated: what a container does comes from the catalogue, and
// no process is started. The kubelet drives it with the CRI-like messages of node.proto; each says
// what should be, so that a repeated one changes nothing and is answered with the present state.
//
// Told to be down (EngineControl, from the lab), it answers no request and reports nothing; its
// containers go on, as under a hung container runtime.
class EmulatedEngine : public Component {
 public:
  struct Options {
    std::string node;
    Duration pull_delay{};        // of every image that is not on the node yet
    bool announce_ports = false;  // the data plane wants to know what all pods listen on
  };

  // Steps that one container does before others get their turn.
  static constexpr int kStepsMax = 1000;
  // How long a container rests that did kStepsMax steps without sleeping.
  static constexpr Duration kBusyRest = 10ms;

  explicit EmulatedEngine(Options options);

  void Receive(const Message& message, Env& env) override;
  void Tick(Env& env) override;
  Time NextWake() const override;

 private:
  struct PendingPull {
    bus::PullImage request;
    Time since;
    Trace trace;
  };
  struct PendingProbe {
    std::string from;  // the pod's address
    std::string to;
    bus::ProbeResult result;
    Trace trace;
  };

  void OnRequest(const Message& message, Env& env);
  void OnPodMessage(const Message& message, Env& env);
  void RunSandbox(const bus::RunPodSandbox& request, Env& env);
  void StopSandbox(const bus::StopPodSandbox& request, Env& env);
  void Pull(const bus::PullImage& request, Env& env);
  void FinishPull(const bus::PullImage& request, Duration took, Env& env);
  void Start(const bus::StartContainer& request, Env& env);
  void Stop(const bus::StopContainer& request, Env& env);
  void Remove(const bus::RemoveContainer& request, Env& env);
  void Probe(const Message& message, Env& env);

  void Wake(Container& container, Env& env);
  void Run(Container& container, Env& env);
  void DoSteps(Container& container, Env& env);
  bool DoStep(Container& container, const Step& step, Env& env);
  void OnFetched(const FetchResult& result, Env& env);
  void OnQueried(const Resolved& result, Env& env);
  void Finish(Container& container, const CommandOutput& output, Env& env);
  void Exit(Container& container, int code, Env& env, bool killed = false);
  void BeginDrain(Container& container, Env& env);
  void EndDrained(Env& env);
  void TakeFetched(Env& env);

  void Report(const Container& container, bus::EngineEvent::Type type, Env& env);
  void Send(bus::EngineEvent event, Env& env);

  const Options options_;
  const std::string address_;
  const std::string kubelet_;
  bool down_ = false;
  uint64_t events_ = 0;  // sent so far
  Sandboxes sandboxes_;
  PodNetwork network_;
  IpPool addresses_;
  LogFollowers followers_;
  std::set<uint64_t> draining_;            // containers
  std::map<std::string, int64_t> images_;  // full names on this node: bytes
  std::multimap<Time, PendingPull> pulls_;
  std::multimap<Time, PendingProbe> probes_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_ENGINE_EMULATED_ENGINE_H_
