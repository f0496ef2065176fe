#include "node/network/pod_network.h"

#include <algorithm>
#include <utility>

#include "messages/core/check.h"
#include "messages/core/strings.h"
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

void PodNetwork::SetResolvConf(const std::string& address, bus::DnsConfig dns) {
  pods_.at(address).dns = std::move(dns);
}

void PodNetwork::SetHosts(const std::string& address, std::string hosts) {
  pods_.at(address).hosts = std::move(hosts);
}

const NetPod* PodNetwork::Find(const std::string& address) const {
  const auto it = pods_.find(address);
  return it == pods_.end() ? nullptr : &it->second;
}

// What a container, or with "" the whole pod, has under way ends with it.
void PodNetwork::Abandon(const std::string& address, const std::string& container, bool killed,
                         Env& env) {
  servers_.Close(address, container, killed, env);
  clients_.Abandon(address, container, env);
  resolvers_.Abandon(address, container);
  std::erase_if(waiting_, [&](const auto& entry) {
    return entry.second.pod == address &&
           (container.empty() || entry.second.container == container);
  });
}

void PodNetwork::RemovePod(const std::string& address, Env& env) {
  const auto it = pods_.find(address);
  if (it == pods_.end()) return;
  Abandon(address, "", true, env);
  SendUpdate(it->second, true, env);
  pods_.erase(it);
  StopDnsIfUnused(env);
}

bool PodNetwork::Listen(const std::string& address, const std::string& container, ServerSpec spec,
                        LogBuffer* log, Env& env) {
  const auto pod = pods_.find(address);
  if (pod == pods_.end() || pod->second.listeners.size() >= kListenersMax) return false;
  const uint16_t port = spec.port;
  const bool dns = spec.protocol == ServerSpec::Protocol::kDns;
  Listener listener;
  listener.container = container;
  listener.spec = std::move(spec);
  listener.log = log;
  listener.since = env.now;
  if (!pod->second.listeners.emplace(port, std::move(listener)).second) return false;
  if (dns && dns_ == nullptr) {
    dns_ = std::make_unique<ClusterDns>(next_dns_stream_);
    next_dns_stream_ += ClusterDns::kStreams;
    servers_.SetDns(dns_.get());
  }
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

void PodNetwork::StopDnsIfUnused(Env& env) {
  if (dns_ == nullptr) return;
  for (const auto& [address, pod] : pods_) {
    for (const auto& [port, listener] : pod.listeners) {
      if (listener.spec.protocol == ServerSpec::Protocol::kDns) return;
    }
  }
  dns_->Stop(env);
  servers_.SetDns(nullptr);
  dns_.reset();
}

void PodNetwork::CloseContainer(const std::string& address, const std::string& container,
                                bool killed, Env& env) {
  const auto pod = pods_.find(address);
  if (pod == pods_.end()) return;
  Abandon(address, container, killed, env);
  const size_t closed = std::erase_if(pod->second.listeners, [&](const auto& entry) {
    return entry.second.container == container;
  });
  if (closed > 0 && AnnouncesPorts(pod->second)) SendUpdate(pod->second, false, env);
  if (closed > 0) StopDnsIfUnused(env);
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
  StartFetch(tag, container, pod->second, target, env);
  Pump(env);
}

void PodNetwork::StartFetch(uint64_t tag, const std::string& container, NetPod& pod,
                            const FetchTarget& target, Env& env) {
  const absl::StatusOr<Ipv4> literal = Ipv4::Parse(target.host);
  Ipv4 destination = literal.ok() ? *literal : FindInHosts(pod.hosts, target.host);
  if (destination.IsNone() && target.host == "localhost") destination = kLocalhost;
  if (literal.ok() || !destination.IsNone()) {
    return clients_.Start(tag, container, pod, target, destination, env);
  }
  waiting_[tag] = Waiting{pod.address, container, target, env.outbox.cause()};
  resolvers_.Start(tag, container, pod, target.host, env);
}

void PodNetwork::Query(uint64_t tag, const std::string& address, const std::string& container,
                       std::vector<dns::Question> questions, Env& env) {
  const auto pod = pods_.find(address);
  if (pod == pods_.end()) {
    Resolved nothing;
    nothing.tag = tag;
    queried_.push_back(std::move(nothing));
    return;
  }
  resolvers_.StartQueries(tag | kQueryTag, container, pod->second, std::move(questions), env);
  Pump(env);
}

void PodNetwork::OnResolved(Resolved result, Env& env) {
  if ((result.tag & kQueryTag) != 0) {
    result.tag &= ~kQueryTag;
    queried_.push_back(std::move(result));
    return;
  }
  const auto it = waiting_.find(result.tag);
  if (it == waiting_.end()) return;
  const Waiting waiting = std::move(it->second);
  waiting_.erase(it);
  if (result.addresses.empty()) {
    failed_.push_back(
        {result.tag, 0, "",
         StrCat("could not resolve host: ", waiting.target.host, " (", result.error, ")")});
    return;
  }
  env.outbox.Because(waiting.trace);
  clients_.Start(result.tag, waiting.container, pods_.at(waiting.pod), waiting.target,
                 result.addresses[0], env);
}

void PodNetwork::ReceiveForDns(const Message& message, Env& env) {
  if (dns_ != nullptr) dns_->Receive(message, env);
}

void PodNetwork::OnDatagram(const Message& message, Env& env) {
  const auto& datagram = message.As<bus::Datagram>();
  const auto pod = pods_.find(message.to);
  if (pod == pods_.end() || resolvers_.Receive(message, pod->second, env)) return;
  const auto listener =
      pod->second.listeners.find(static_cast<uint16_t>(datagram.destination_port()));
  if (listener == pod->second.listeners.end() ||
      listener->second.spec.protocol != ServerSpec::Protocol::kDns) {
    return;  // a real node would answer with an ICMP message
  }
  std::optional<std::string> answer =
      dns_->Answer(datagram.data(), /*tcp=*/false, pod->second.ip, env);
  if (!answer) return;
  bus::Datagram reply;
  reply.set_protocol(bus::UDP);
  reply.set_source_ip(datagram.destination_ip());
  reply.set_source_port(datagram.destination_port());
  reply.set_destination_ip(datagram.source_ip());
  reply.set_destination_port(datagram.source_port());
  reply.set_data(*std::move(answer));
  env.outbox.SendAs(message.to, message.from, std::move(reply));
}

void PodNetwork::Receive(const Message& message, Env& env) {
  if (message.kind == bus::DATAGRAM) {
    OnDatagram(message, env);
  } else if (message.kind == bus::FLOW_OPEN) {
    const auto pod = pods_.find(message.to);
    servers_.Open(message, pod == pods_.end() ? nullptr : &pod->second, env);
  } else if (!clients_.Receive(message, env)) {
    servers_.Receive(message, env);
  }
  Pump(env);
}

void PodNetwork::Tick(Env& env) {
  if (dns_ != nullptr) dns_->Tick(env);
  resolvers_.Tick(pods_, env);
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
      StartFetch(want.connection | kServerTag, want.container, *want.pod, *want.target, env);
    }
    for (Resolved& result : resolvers_.TakeFinished()) OnResolved(std::move(result), env);
    std::vector<FetchResult> finished = clients_.TakeFinished();
    for (FetchResult& failed : failed_) finished.push_back(std::move(failed));
    failed_.clear();
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
  const Time wake = std::min({clients_.NextWake(), servers_.NextWake(), resolvers_.NextWake()});
  return dns_ == nullptr ? wake : std::min(wake, dns_->NextWake());
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
