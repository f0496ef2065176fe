#include "node/iptables/iptables.h"

#include <algorithm>
#include <utility>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/node.pb.h"
#include "node/iptables/foreign_rules.h"
#include "node/iptables/restore_answer.h"
#include "node/iptables/udp_cleanup.h"

namespace kubemu {

namespace {

std::string_view MessageOf(const absl::Status& status) {
  return std::string_view(status.message().data(), status.message().size());
}

}  // namespace

Iptables::Iptables(Options options)
    : door_(options.node + "/door"),
      engine_(options.node + "/engine"),
      kube_proxy_(options.node + "/kube-proxy"),
      kubelet_(options.node + "/kubelet"),
      pods_(options.node + "/pod/"),
      conntrack_({}, options.conntrack_max) {}

void Iptables::Receive(const Message& message, Env& env) {
  switch (message.kind) {
    case bus::IPTABLES_RESTORE:
      return OnRestore(message, env);
    case bus::POD_NETWORK_UPDATE:
      return OnPodUpdate(message, env);
    case bus::FLOW_OPEN:
      return OnFlowOpen(message, env);
    case bus::FLOW_DATA:
    case bus::FLOW_CREDIT:
    case bus::FLOW_CLOSE:
      return OnFlow(message, env);
    case bus::DATAGRAM:
      return OnDatagram(message, env);
    case bus::LISTEN_RESULT:
      return OnListenResult(message, env);
    case bus::INSPECT_REQUEST:
      return OnInspect(message, env);
    case bus::LINK_DOWN:
      return OnLinkDown(message, env);
    case bus::LINK_UP:
      down_.erase(message.As<bus::LinkUp>().process());
      return;
    case bus::HEALTH_CHECK_RESULT:
      down_.erase(std::string(ProcessOf(message.from)));
      return;
    default:
      return;
  }
}

void Iptables::Tick(Env& env) {
  for (const iptables::Connection& connection : conntrack_.Expire(env.now)) {
    datagram_senders_.erase(connection.id);
    const auto flow = flow_of_.find(connection.id);
    if (flow == flow_of_.end()) continue;
    const uint64_t id = flow->second;
    relay_.Reset(id, bus::FlowClose::TIMED_OUT, "conntrack: the connection was silent for too long",
                 env);
    Forget({id});
  }
  if (listen_retry_.Take(env.now)) SyncListeners(env);
}

Time Iptables::NextWake() const {
  return std::min(conntrack_.NextExpiry(), listen_retry_.at());
}

void Iptables::OnRestore(const Message& message, Env& env) {
  const auto& restore = message.As<bus::IptablesRestore>();
  std::string error;
  if (restore.revision() > revision_) {
    const absl::Status status = Apply(restore);
    if (status.ok()) {
      revision_ = restore.revision();
      if (restore.has_network()) {
        listen_delay_ = kListenRetry;
        SyncListeners(env);
      }
    } else {
      error = MessageOf(status);
    }
  }
  AnswerRestore(message.from, restore.revision(), std::move(error), env);
}

absl::Status Iptables::Apply(const bus::IptablesRestore& restore) {
  if (const std::string error = MisplacedRestore(restore, revision_); !error.empty()) {
    return absl::FailedPreconditionError(error);
  }
  absl::StatusOr<iptables::RestoreInput> input = iptables::ParseRestore(restore.rules());
  if (!input.ok()) return input.status();
  if (restore.full()) iptables::KeepForeignRules(ruleset_, &*input);
  const absl::Status status = ruleset_.Restore(*std::move(input), !restore.full());
  if (!status.ok()) return status;
  ForgetStaleUdp(restore);
  if (restore.has_network()) {
    routes_.SetNetwork(restore.network());
    std::erase_if(down_, [&](const auto& entry) { return !routes_.IsPeer(entry.first); });
  }
  return absl::OkStatus();
}

void Iptables::ForgetStaleUdp(const bus::IptablesRestore& restore) {
  const iptables::UdpCleanup cleanup(restore.udp_services());
  if (cleanup.empty()) return;
  std::vector<uint64_t> stale;
  for (const auto& [id, connection] : conntrack_.connections()) {
    if (cleanup.IsStale(connection)) stale.push_back(id);
  }
  for (uint64_t id : stale) {
    conntrack_.Remove(id);
    datagram_senders_.erase(id);
  }
}

void Iptables::OnPodUpdate(const Message& message, Env& env) {
  const auto& update = message.As<bus::PodNetworkUpdate>();
  if (update.address().empty()) return;
  routes_.SetPod(update);
  if (!update.removed()) return;
  std::vector<uint64_t> gone;
  for (const auto& [id, flow] : flows_) {
    if (flow.to == update.address() || flow.opener == update.address()) {
      gone.push_back(id);
    }
  }
  for (uint64_t id : gone) {
    relay_.Reset(id, bus::FlowClose::RESET, StrCat("pod ", update.address(), " is gone"), env);
  }
  Forget(gone);
}

void Iptables::OnLinkDown(const Message& message, Env& env) {
  const std::string& process = message.As<bus::LinkDown>().process();
  if (routes_.IsPeer(process)) down_[process] = env.now;
  Forget(relay_.ResetPeer(process, env));
}

bool Iptables::IsDown(std::string_view process, Env& env) {
  const auto it = down_.find(process);
  if (it == down_.end()) return false;
  if (it->second <= env.now) {
    it->second = env.now + kProbeInterval;
    env.outbox.Send(it->first + "/kube-proxy", bus::HealthCheck());
  }
  return true;
}

void Iptables::AskForPods(Env& env) {
  if (env.now < ask_again_) return;
  ask_again_ = env.now + kAskInterval;
  env.outbox.Send(engine_, bus::PodNetworkUpdate());
}

void Iptables::OnListenResult(const Message& message, Env& env) {
  const auto& result = message.As<bus::ListenResult>();
  const auto port = static_cast<uint16_t>(result.port());
  if (Ipv4(result.ip()) != listening_ip_) return;
  const bus::Protocol protocol = result.protocol() == bus::UDP ? bus::UDP : bus::TCP;
  if (result.error().empty()) {
    taken_.erase({protocol, port});
    return;
  }
  if (listening_.erase({protocol, port}) == 0) return;
  // Once, however often it is tried again.
  if (taken_.emplace(protocol, port).second) env.outbox.Send(kube_proxy_, result);
  if (listen_retry_.IsSet()) return;
  listen_retry_.Set(env.now + listen_delay_);
  listen_delay_ = std::min(2 * listen_delay_, kListenRetryMax);
}

void Iptables::SyncListeners(Env& env) {
  std::set<std::pair<bus::Protocol, uint16_t>> wanted;
  for (uint16_t port : routes_.listen_ports()) wanted.emplace(bus::TCP, port);
  for (uint16_t port : routes_.listen_udp_ports()) wanted.emplace(bus::UDP, port);
  const bool moved = listening_ip_ != routes_.node_ip();
  for (auto it = listening_.begin(); it != listening_.end();) {
    if (!moved && wanted.contains(*it)) {
      ++it;
      continue;
    }
    bus::Unlisten unlisten;
    unlisten.set_ip(listening_ip_.bits());
    unlisten.set_port(it->second);
    unlisten.set_protocol(it->first);
    env.outbox.Send(door_, std::move(unlisten));
    it = listening_.erase(it);
  }
  std::erase_if(taken_, [&](const auto& port) { return moved || !wanted.contains(port); });
  listening_ip_ = routes_.node_ip();
  if (!routes_.HasNode()) return;
  for (const auto& [protocol, port] : wanted) {
    if (!listening_.emplace(protocol, port).second) continue;
    bus::Listen listen;
    listen.set_ip(listening_ip_.bits());
    listen.set_port(port);
    listen.set_protocol(protocol);
    env.outbox.Send(door_, std::move(listen));
  }
}

void Iptables::Forget(const std::vector<uint64_t>& flows) {
  for (uint64_t id : flows) {
    const auto it = flows_.find(id);
    if (it == flows_.end()) continue;
    flow_of_.erase(it->second.connection);
    conntrack_.Remove(it->second.connection);
    flows_.erase(it);
  }
}

}  // namespace kubemu
