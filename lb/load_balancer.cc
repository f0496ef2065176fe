#include "lb/load_balancer.h"

#include <algorithm>

#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Node;
using k8s::core::v1::Service;

constexpr char kDoor[] = "lb/door";
constexpr char kBus[] = "lb/bus";
constexpr char kEndpointAnnotation[] = "kubemu.io/endpoint";
// Well-known label, k8s.io/api/core/v1.
constexpr char kExcludeLabel[] = "node.kubernetes.io/exclude-from-external-load-balancers";

bool WantsAddress(const Object& service) {
  return service.As<Service>().spec().type() == "LoadBalancer" &&
         !service.meta().has_deletion_timestamp() &&
         service.As<Service>().spec().load_balancer_class().empty();
}

std::optional<Ipv4> StatusAddress(const Service& service) {
  for (const auto& ingress : service.status().load_balancer().ingress()) {
    const absl::StatusOr<Ipv4> ip = Ipv4::Parse(ingress.ip());
    if (ip.ok()) return *ip;
  }
  return std::nullopt;
}

// The address a Service must have: the one in its status (lb was restarted), or the one it asks
// for.
std::optional<Ipv4> WantedAddress(const Service& service) {
  if (const std::optional<Ipv4> ip = StatusAddress(service)) return ip;
  const absl::StatusOr<Ipv4> ip = Ipv4::Parse(service.spec().load_balancer_ip());
  return ip.ok() ? std::optional(*ip) : std::nullopt;
}

std::optional<Ipv4> InternalAddress(const Node& node) {
  for (const auto& address : node.status().addresses()) {
    const absl::StatusOr<Ipv4> ip = Ipv4::Parse(address.address());
    if (address.type() == "InternalIP" && ip.ok()) return *ip;
  }
  return std::nullopt;
}

void SendListen(Ipv4 ip, uint16_t port, Env& env) {
  bus::Listen listen;
  listen.set_ip(ip.bits());
  listen.set_port(port);
  env.outbox.Send(kDoor, std::move(listen));
}

void SendUnlisten(Ipv4 ip, uint16_t port, Env& env) {
  bus::Unlisten unlisten;
  unlisten.set_ip(ip.bits());
  unlisten.set_port(port);
  env.outbox.Send(kDoor, std::move(unlisten));
}

}  // namespace

LoadBalancer::LoadBalancer(Options options)
    : pool_(options.addresses),
      services_(1, {.kind = &KindOf<Service>()}),
      nodes_(2, {.kind = &KindOf<Node>()}),
      events_("service-controller", "") {}

void LoadBalancer::Receive(const Message& message, Env& env) {
  switch (message.kind) {
    case bus::FLOW_OPEN:
      return OnFlowOpen(message, env);
    case bus::FLOW_DATA:
    case bus::FLOW_CREDIT:
    case bus::FLOW_CLOSE:
      flows_.Receive(message, env);
      return;
    case bus::LISTEN_RESULT:
      return OnListenResult(message, env);
    case bus::LINK_DOWN:
      flows_.ResetPeer(message.As<bus::LinkDown>().process(), env);
      break;
    default:
      break;
  }
  if (const auto health = health_.Receive(message, env)) OnHealth(*health, env);
  for (const Informer::Change& change : services_.Receive(message, env)) OnService(change, env);
  if (!nodes_.Receive(message, env).empty()) OnNodes(env);
  if (const auto result = calls_.Receive(message)) OnCallResult(*result, env);
}

void LoadBalancer::Tick(Env& env) {
  services_.Tick(env);
  nodes_.Tick(env);
  for (const CallResult& result : calls_.Expired(env.now)) OnCallResult(result, env);
  for (const NodeHealth::Change& change : health_.Tick(env)) OnHealth(change, env);
  std::vector<std::string> due;
  for (const auto& [key, at] : retries_) {
    if (at <= env.now) due.push_back(key);
  }
  for (const std::string& key : due) {
    retries_.erase(key);
    const Object service = services_.Find(key);
    if (service && WantsAddress(service)) Ensure(key, service, env);
  }
}

Time LoadBalancer::NextWake() const {
  Time wake =
      std::min({services_.NextWake(), nodes_.NextWake(), calls_.NextWake(), health_.NextWake()});
  for (const auto& [key, at] : retries_) wake = std::min(wake, at);
  return wake;
}

void LoadBalancer::OnService(const Informer::Change& change, Env& env) {
  if (change.after && WantsAddress(change.after)) {
    Ensure(change.key, change.after, env);
  } else if (entries_.contains(change.key)) {
    Remove(change.key, change.after ? change.after : change.before, env);
  }
}

void LoadBalancer::Ensure(const std::string& key, const Object& service, Env& env) {
  env.outbox.Because(service.trace());
  auto it = entries_.find(key);
  if (it == entries_.end()) {
    const std::optional<Ipv4> wanted = WantedAddress(service.As<Service>());
    const std::optional<Ipv4> ip = pool_.Take(key, wanted);
    if (!ip) {
      events_.Record(ReferenceTo(service), "Warning", "SyncLoadBalancerFailed",
                     wanted ? StrCat("Error syncing load balancer: the address ",
                                     wanted->ToString(), " is not free in lb's address pool")
                            : "Error syncing load balancer: lb's address pool is exhausted",
                     env);
      return Retry(key, env);
    }
    it = entries_.emplace(key, Entry{.ip = *ip}).first;
    events_.Record(ReferenceTo(service), "Normal", "EnsuringLoadBalancer", "Ensuring load balancer",
                   env);
  }
  it->second.trace = service.trace();
  SyncPorts(service, it->second, env);
  SyncStatus(key, it->second, env);
}

void LoadBalancer::SyncPorts(const Object& service, Entry& entry, Env& env) {
  std::map<uint16_t, uint16_t> wanted;
  for (const auto& port : service.As<Service>().spec().ports()) {
    if (!port.protocol().empty() && port.protocol() != "TCP") continue;
    wanted[static_cast<uint16_t>(port.port())] = static_cast<uint16_t>(port.node_port());
  }
  for (auto it = entry.ports.begin(); it != entry.ports.end();) {
    if (wanted.contains(it->first)) {
      ++it;
      continue;
    }
    listeners_.erase(SocketAddress{entry.ip, it->first});
    SendUnlisten(entry.ip, it->first, env);
    it = entry.ports.erase(it);
  }
  for (const auto& [number, node_port] : wanted) {
    Port& port = entry.ports[number];
    port.port = number;
    port.node_port = node_port;
    if (port.listening) continue;
    listeners_[SocketAddress{entry.ip, number}] = service.key();
    SendListen(entry.ip, number, env);
  }
}

// Writes the address into the Service once every port is really listened on.
void LoadBalancer::SyncStatus(const std::string& key, Entry& entry, Env& env) {
  const Object service = services_.Find(key);
  if (!service || entry.writing || entry.ports.empty()) return;
  for (const auto& [number, port] : entry.ports) {
    if (!port.listening) return;
  }
  if (StatusAddress(service.As<Service>()) == entry.ip) return;
  Service updated = service.As<Service>();
  auto* status = updated.mutable_status()->mutable_load_balancer();
  status->clear_ingress();
  auto* ingress = status->add_ingress();
  ingress->set_ip(entry.ip.ToString());
  ingress->set_ip_mode("VIP");
  const Object object = Object::From(std::move(updated), service.trace());
  entry.writing = true;
  env.outbox.Because(entry.trace);
  calls_.Start(UpdateRequest(object, "status"), object, key, env);
}

void LoadBalancer::OnListenResult(const Message& message, Env& env) {
  const auto& result = message.As<bus::ListenResult>();
  const SocketAddress address{Ipv4(result.ip()), static_cast<uint16_t>(result.port())};
  const auto listener = listeners_.find(address);
  if (listener == listeners_.end()) return;
  const std::string key = listener->second;
  Entry& entry = entries_.find(key)->second;
  Port& port = entry.ports[address.port];
  port.listening = result.error().empty();
  if (port.listening) return SyncStatus(key, entry, env);
  const Object service = services_.Find(key);
  if (service) {
    events_.Record(ReferenceTo(service), "Warning", "SyncLoadBalancerFailed",
                   StrCat("Error syncing load balancer: cannot listen on ", address.ToString(),
                          ": ", result.error()),
                   env);
  }
  Retry(key, env);
}

void LoadBalancer::OnCallResult(const CallResult& result, Env& env) {
  const auto it = entries_.find(result.tag);
  if (it == entries_.end()) return;
  it->second.writing = false;
  const Object service = services_.Find(result.tag);
  if (!result.ok()) return Retry(result.tag, env);
  if (!service) return;
  env.outbox.Because(result.trace);
  events_.Record(ReferenceTo(service), "Normal", "EnsuredLoadBalancer", "Ensured load balancer",
                 env);
}

void LoadBalancer::Retry(const std::string& key, Env& env) {
  retries_[key] = env.now + kRetryInterval;
}

void LoadBalancer::Remove(const std::string& key, const Object& service, Env& env) {
  const auto it = entries_.find(key);
  for (const auto& [number, port] : it->second.ports) {
    listeners_.erase(SocketAddress{it->second.ip, number});
    SendUnlisten(it->second.ip, number, env);
  }
  pool_.Release(key);
  entries_.erase(it);
  retries_.erase(key);
  // The Service lives on with another type: its status no longer has the address.
  if (service.As<Service>().spec().type() == "LoadBalancer" || !services_.Find(key)) return;
  Service updated = service.As<Service>();
  updated.mutable_status()->clear_load_balancer();
  const Object object = Object::From(std::move(updated), service.trace());
  calls_.Start(UpdateRequest(object, "status"), object, key, env);
}

void LoadBalancer::OnNodes(Env& env) {
  std::set<std::string> names;
  backends_.clear();
  for (const auto& [name, node] : nodes_.objects()) {
    const std::optional<Ipv4> ip = InternalAddress(node.As<Node>());
    if (!ip || FindEntry(node.meta().labels(), kExcludeLabel) != nullptr) continue;
    const std::string* endpoint = FindEntry(node.meta().annotations(), kEndpointAnnotation);
    if (endpoint != nullptr) {
      bus::PeerEndpoint peer;
      peer.set_process(name);
      peer.set_endpoint(*endpoint);
      env.outbox.Send(kBus, std::move(peer));
    }
    backends_[name] = *ip;
    names.insert(name);
  }
  health_.SetNodes(names, env.now);
}

void LoadBalancer::OnHealth(const NodeHealth::Change& change, Env& env) {
  const Object node = nodes_.Find(change.node);
  if (!node) return;
  events_.Record(ReferenceTo(node), change.healthy ? "Normal" : "Warning",
                 change.healthy ? "LoadBalancerNodeUp" : "LoadBalancerNodeDown",
                 StrCat("Load balancer ", change.healthy ? "sends to" : "took out", " node ",
                        change.node, ": ", change.reason),
                 env);
}

// The next node in order of names that answers; "" if none does.
std::string LoadBalancer::PickNode(Port& port) const {
  std::vector<const std::string*> answering;
  for (const auto& [name, ip] : backends_) {
    if (health_.IsHealthy(name)) answering.push_back(&name);
  }
  if (answering.empty()) return "";
  return *answering[port.next_node++ % answering.size()];
}

void LoadBalancer::OnFlowOpen(const Message& message, Env& env) {
  const auto& open = message.As<bus::FlowOpen>();
  const SocketAddress address{Ipv4(open.destination_ip()),
                              static_cast<uint16_t>(open.destination_port())};
  const auto listener = listeners_.find(address);
  if (listener == listeners_.end()) {
    return FlowRelay::Refuse(message, bus::FlowClose::REFUSED, "no Service has this address", env);
  }
  Port& port = entries_.find(listener->second)->second.ports.find(address.port)->second;
  const std::string node = PickNode(port);
  if (node.empty()) {
    return FlowRelay::Refuse(message, bus::FlowClose::UNREACHABLE, "no node answers", env);
  }
  bus::FlowOpen next = open;
  if (port.node_port != 0) {
    next.set_destination_ip(backends_.find(node)->second.bits());
    next.set_destination_port(port.node_port);
  }
  flows_.Forward(message, node + "/iptables", std::move(next), env);
}

}  // namespace kubemu
