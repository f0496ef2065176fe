#include "node/network/pod_network.h"

#include <algorithm>
#include <utility>

#include "messages/core/check.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/node.pb.h"

namespace kubemu {

void PodNetwork::AddPod(const std::string& address, Ipv4 ip, bool host_network, Env& env) {
  NetPod pod;
  pod.address = address;
  pod.ip = ip;
  pod.host_network = host_network;
  const auto [it, added] = pods_.emplace(address, std::move(pod));
  KUBEMU_CHECK(added);
  SendUpdate(it->second, false, env);
}

void PodNetwork::RemovePod(const std::string& address, Env& env) {
  const auto it = pods_.find(address);
  if (it == pods_.end()) return;
  servers_.Close(address, "", true, env);
  clients_.Abandon(address, "", env);
  SendUpdate(it->second, true, env);
  pods_.erase(it);
}

bool PodNetwork::Listen(const std::string& address, const std::string& container, ServerSpec spec,
                        LogBuffer* log, Env& env) {
  const auto pod = pods_.find(address);
  if (pod == pods_.end() || pod->second.listeners.size() >= kListenersMax) return false;
  const uint16_t port = spec.port;
  Listener listener;
  listener.container = container;
  listener.spec = std::move(spec);
  listener.log = log;
  listener.since = env.now;
  if (!pod->second.listeners.emplace(port, std::move(listener)).second) return false;
  if (AnnouncesPorts(pod->second)) SendUpdate(pod->second, false, env);
  return true;
}

void PodNetwork::Drain(const std::string& address, const std::string& container, Duration idle,
                       Env& env) {
  const auto pod = pods_.find(address);
  if (pod == pods_.end()) return;
  for (auto& [port, listener] : pod->second.listeners) {
    if (listener.container == container) listener.closed = true;
  }
  if (AnnouncesPorts(pod->second)) SendUpdate(pod->second, false, env);
  servers_.Drain(address, container, idle, env);
}

bool PodNetwork::Drained(const std::string& address, const std::string& container) const {
  const auto pod = pods_.find(address);
  if (pod == pods_.end()) return true;
  return std::none_of(pod->second.listeners.begin(), pod->second.listeners.end(),
                      [&](const auto& entry) {
                        return entry.second.container == container && entry.second.connections > 0;
                      });
}

void PodNetwork::CloseContainer(const std::string& address, const std::string& container,
                                bool killed, Env& env) {
  const auto pod = pods_.find(address);
  if (pod == pods_.end()) return;
  servers_.Close(address, container, killed, env);
  clients_.Abandon(address, container, env);
  const size_t closed = std::erase_if(pod->second.listeners, [&](const auto& entry) {
    return entry.second.container == container;
  });
  if (closed > 0 && AnnouncesPorts(pod->second)) SendUpdate(pod->second, false, env);
}

const Listener* PodNetwork::FindListener(const std::string& address, uint16_t port) const {
  const auto pod = pods_.find(address);
  if (pod == pods_.end()) return nullptr;
  const auto listener = pod->second.listeners.find(port);
  const bool open = listener != pod->second.listeners.end() && !listener->second.closed;
  return open ? &listener->second : nullptr;
}

Ipv4 PodNetwork::AddressOf(const std::string& address) const {
  const auto pod = pods_.find(address);
  return pod == pods_.end() ? Ipv4() : pod->second.ip;
}

void PodNetwork::Fetch(uint64_t tag, const std::string& address, const std::string& container,
                       const FetchTarget& target, Env& env) {
  const auto pod = pods_.find(address);
  if (pod == pods_.end()) {
    fetched_.push_back({tag, 0, "", "the pod is gone"});
    return;
  }
  clients_.Start(tag, container, pod->second, target, env);
  Pump(env);
}

void PodNetwork::Receive(const Message& message, Env& env) {
  if (message.kind == bus::FLOW_OPEN) {
    const auto pod = pods_.find(message.to);
    servers_.Open(message, pod == pods_.end() ? nullptr : &pod->second, env);
  } else if (!clients_.Receive(message, env)) {
    servers_.Receive(message, env);
  }
  Pump(env);
}

void PodNetwork::Tick(Env& env) {
  clients_.Tick(env);
  servers_.Tick(env);
  Pump(env);
}

// Carries between servers and clients what each wants of the other, until neither does.
void PodNetwork::Pump(Env& env) {
  while (true) {
    const std::vector<PodServers::Wanted> wanted = servers_.TakeWanted();
    for (const PodServers::Wanted& want : wanted) {
      env.outbox.Because(want.trace);
      clients_.Start(want.connection | kServerTag, want.container, *want.pod, *want.target, env);
    }
    std::vector<FetchResult> finished = clients_.TakeFinished();
    if (finished.empty()) return;
    for (FetchResult& result : finished) {
      if ((result.tag & kServerTag) != 0) {
        servers_.OnFetched(result.tag & ~kServerTag, result, env);
      } else {
        fetched_.push_back(std::move(result));
      }
    }
  }
}

Time PodNetwork::NextWake() const {
  return std::min(clients_.NextWake(), servers_.NextWake());
}

void PodNetwork::Announce(Env& env) const {
  for (const auto& [address, pod] : pods_) SendUpdate(pod, false, env);
}

void PodNetwork::SendUpdate(const NetPod& pod, bool removed, Env& env) const {
  bus::PodNetworkUpdate update;
  update.set_ip(pod.ip.bits());
  update.set_address(pod.address);
  update.set_removed(removed);
  update.set_host_network(pod.host_network);
  if (AnnouncesPorts(pod)) {
    for (const auto& [port, listener] : pod.listeners) {
      // A real socket would let others in.
      const bool hidden = announce_ports_ && listener.spec.local_only;
      if (!listener.closed && !hidden) update.add_ports(port);
    }
  }
  env.outbox.Send(node_ + "/iptables", std::move(update));
}

}  // namespace kubemu
