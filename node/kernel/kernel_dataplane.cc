#include "node/kernel/kernel_dataplane.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/node.pb.h"

namespace kubemu {

std::vector<std::string> KernelDataplane::Programs() {
  return {"ip", "iptables-restore", "iptables-save", "sysctl"};
}

KernelDataplane::KernelDataplane(Options options)
    : door_(options.node + "/door"),
      engine_(options.node + "/engine"),
      pods_(options.node + "/pod/"),
      rules_(door_, kRulesLane),
      routes_(door_, kRoutesLane),
      links_(door_, kLinksLane) {
  ask_.Set(Time(kAskInterval));
}

void KernelDataplane::Receive(const Message& message, Env& env) {
  switch (message.kind) {
    case bus::IPTABLES_RESTORE:
      return OnRestore(message, env);
    case bus::POD_NETWORK_UPDATE:
      return OnPodUpdate(message, env);
    case bus::FLOW_OPEN:
      return OnFlowOpen(message, env);
    case bus::FLOW_DATA:
    case bus::FLOW_CREDIT:
    case bus::FLOW_CLOSE: {
      const FlowRelay::Passed passed = relay_.Receive(message, env);
      if (passed.ended) Forget({passed.flow});
      return;
    }
    case bus::COMMAND_DONE:
      return OnCommandDone(message.As<bus::CommandDone>(), env);
    case bus::NETWORK_OPENED:
      return links_.Receive(message.As<bus::NetworkOpened>(), env);
    case bus::LISTEN_RESULT:
      return links_.Receive(message.As<bus::ListenResult>(), env);
    case bus::LINK_DOWN:
      return Forget(relay_.ResetPeer(message.As<bus::LinkDown>().process(), env));
    default:
      return;
  }
}

void KernelDataplane::Tick(Env& env) {
  rules_.Tick(env);
  routes_.Tick(env);
  links_.Tick(env);
  if (ask_.Take(env.now)) {
    env.outbox.Because(Trace{});
    env.outbox.Send(engine_, bus::PodNetworkUpdate());
    ask_.Set(env.now + kAskInterval);
  }
}

Time KernelDataplane::NextWake() const {
  return std::min({rules_.NextWake(), routes_.NextWake(), links_.NextWake(), ask_.at()});
}

void KernelDataplane::OnRestore(const Message& message, Env& env) {
  const auto& restore = message.As<bus::IptablesRestore>();
  if (restore.has_network() && restore.revision() > rules_.revision()) {
    routes_.SetNetwork(restore.network(), env);
    links_.SetLocalPorts(restore.network(), env);
  }
  rules_.OnRestore(message, env);
}

void KernelDataplane::OnCommandDone(const bus::CommandDone& done, Env& env) {
  if (CommandLane::Owns(kRulesLane, done)) return rules_.Receive(done, env);
  if (CommandLane::Owns(kRoutesLane, done)) return routes_.Receive(done, env);
  if (CommandLane::Owns(kLinksLane, done)) return links_.Receive(done, env);
}

void KernelDataplane::OnPodUpdate(const Message& message, Env& env) {
  const auto& update = message.As<bus::PodNetworkUpdate>();
  if (update.address().empty()) return;
  const std::string pod = links_.Update(update, env);
  if (pod.empty()) return;
  std::vector<uint64_t> gone;
  for (const auto& [id, ends] : flows_) {
    if (ends.to == pod || ends.opener == pod) gone.push_back(id);
  }
  for (uint64_t id : gone) {
    relay_.Reset(id, bus::FlowClose::RESET, StrCat("pod ", pod, " is gone"), env);
  }
  Forget(gone);
}

void KernelDataplane::OnFlowOpen(const Message& message, Env& env) {
  const auto& open = message.As<bus::FlowOpen>();
  bus::FlowOpen next = open;
  std::string to = door_;
  if (message.from.starts_with("internet/")) {
    // Of the door: a socket has accepted a connection, the kernel has let it pass.
    to = links_.Acceptor(open.network(), static_cast<uint16_t>(open.destination_port()));
    next.clear_network();
    if (to.empty()) {
      return FlowRelay::Refuse(message, bus::FlowClose::UNREACHABLE, "the pod is gone", env);
    }
  } else if (message.from.starts_with(pods_)) {
    const std::optional<std::string> network = links_.NetworkOf(message.from);
    if (!network) {
      return FlowRelay::Refuse(message, bus::FlowClose::UNREACHABLE,
                               "the pod has no network interface yet", env);
    }
    next.set_network(*network);
  }
  const uint64_t id = relay_.Forward(message, to, std::move(next), env);
  if (id != 0) flows_.try_emplace(id, Ends{message.from, std::move(to)});
}

void KernelDataplane::Forget(const std::vector<uint64_t>& flows) {
  for (uint64_t id : flows) flows_.erase(id);
}

}  // namespace kubemu
