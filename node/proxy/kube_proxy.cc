#include "node/proxy/kube_proxy.h"

#include <algorithm>
#include <set>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/api/node_facts.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"
#include "messages/proto/k8s/meta.pb.h"
#include "node/proxy/api_objects.h"
#include "node/proxy/port_conflict.h"
#include "node/proxy/proxy_health.h"

namespace kubemu {
namespace {

using k8s::core::v1::Node;
using k8s::core::v1::Service;
using k8s::discovery::v1::EndpointSlice;

constexpr char kZoneLabel[] = "topology.kubernetes.io/zone";
// Services that another proxy looks after (pkg/proxy/apis/well_known_labels.go).
constexpr char kProxyNameLabel[] = "service.kubernetes.io/service-proxy-name";

// The Service's UDP ports that somebody serves: where they are, and by whom.
void AddUdpServices(const std::string& service, const proxy::ServiceMap& map,
                    bus::IptablesRestore* restore) {
  const auto ports = map.services().find(service);
  if (ports == map.services().end()) return;
  for (const auto& [name, info] : ports->second) {
    if (name.protocol != proxy::Protocol::kUdp) continue;
    bus::UdpService udp;
    for (const proxy::EndpointInfo& endpoint : map.Endpoints(name)) {
      if (endpoint.serving) udp.add_endpoints(endpoint.address.ip.bits());
    }
    if (udp.endpoints().empty()) continue;
    udp.add_ips(info.cluster_ip.bits());
    for (Ipv4 ip : info.external_ips) udp.add_ips(ip.bits());
    for (Ipv4 ip : info.load_balancer_ips) udp.add_ips(ip.bits());
    udp.set_port(info.port);
    udp.set_node_port(info.node_port);
    *restore->add_udp_services() = std::move(udp);
  }
}

// True if the node and its pods are still where they were.
bool SamePlace(const Node& before, const Node& after) {
  return InternalAddress(before) == InternalAddress(after) &&
         before.spec().pod_cidr() == after.spec().pod_cidr();
}

}  // namespace

KubeProxy::KubeProxy(Options options)
    : node_(std::move(options.node)),
      iptables_(node_ + "/iptables"),
      services_(1, {.kind = &KindOf<Service>()}),
      slices_(2, {.kind = &KindOf<EndpointSlice>()}),
      nodes_(3, {.kind = &KindOf<Node>()}),
      events_("kube-proxy", node_) {
  info_.name = node_;
  info_.cluster_cidr = options.cluster_cidr;
  info_.masquerade_all = options.masquerade_all;
  info_.localhost_node_ports = options.localhost_node_ports;
  info_.node_port_addresses = std::move(options.node_port_addresses);
}

void KubeProxy::Receive(const Message& message, Env& env) {
  switch (message.kind) {
    case bus::IPTABLES_RESTORED:
      return OnRestored(message, env);
    case bus::LISTEN_RESULT:
      return OnPortTaken(message, env);
    case bus::HEALTH_CHECK:
      return OnHealthCheck(message, env);
    case bus::FLOW_OPEN:
    case bus::FLOW_DATA:
    case bus::FLOW_CREDIT:
    case bus::FLOW_CLOSE:
      return http_.Receive(
          message,
          [&](uint16_t port, const HttpRequestHead& request) { return OnHttp(port, request, env); },
          env);
    default:
      break;
  }
  const bool was_synced = Synced();
  bool changed = false;
  for (const Informer::Change& change : services_.Receive(message, env)) {
    OnService(change);
    changed = network_changed_ = true;
  }
  for (const Informer::Change& change : slices_.Receive(message, env)) {
    OnSlice(change);
    changed = true;
  }
  for (const Informer::Change& change : nodes_.Receive(message, env)) {
    if (OnNode(change, env)) changed = network_changed_ = true;
  }
  if (changed || Synced() != was_synced) Changed(message, env);
}

void KubeProxy::Tick(Env& env) {
  services_.Tick(env);
  slices_.Tick(env);
  nodes_.Tick(env);
  http_.Tick(env);
  if (answer_.Take(env.now) || full_sync_.Take(env.now)) {
    full_ = true;
    sync_.Set(env.now);
  }
  if (sync_.Take(env.now)) Sync(env);
}

Time KubeProxy::NextWake() const {
  return std::min({services_.NextWake(), slices_.NextWake(), nodes_.NextWake(), http_.NextWake(),
                   sync_.at(), answer_.at(), full_sync_.at()});
}

void KubeProxy::OnService(const Informer::Change& change) {
  const bool ours =
      change.after && FindEntry(change.after.meta().labels(), kProxyNameLabel) == nullptr;
  map_.SetService(change.key,
                  ours ? proxy::PortsOf(change.after.As<Service>()) : proxy::ServicePorts());
}

void KubeProxy::OnSlice(const Informer::Change& change) {
  const std::string service =
      change.after ? proxy::ServiceOf(change.after.As<EndpointSlice>()) : std::string();
  proxy::EndpointsByPort endpoints;
  if (!service.empty()) endpoints = proxy::EndpointsOf(change.after.As<EndpointSlice>(), service);
  map_.SetSlice(change.key, service, std::move(endpoints));
}

bool KubeProxy::OnNode(const Informer::Change& change, Env& env) {
  const bool moved = !change.before || !change.after ||
                     !SamePlace(change.before.As<Node>(), change.after.As<Node>());
  if (change.key == node_ && change.after) {
    proxy::ProxyNode info = info_;
    const std::string* zone = FindEntry(change.after.meta().labels(), kZoneLabel);
    info.zone = zone == nullptr ? "" : *zone;
    info.ip = InternalAddress(change.after.As<Node>()).value_or(Ipv4());
    // All nodes on one machine: their addresses are 127.1.0.x, and localnet only what is below.
    info.localnet = Ipv4Network(Ipv4(127, 0, 0, 0), info.ip.IsLoopback() ? 16 : 8);
    const bool differs = info != info_;
    if (differs) full_ = true;
    info_ = std::move(info);
    node_eligible_ = proxy::NodeEligible(change.after.As<Node>());
    return moved || differs;
  }
  if (!change.after) {
    endpoints_.erase(change.key);
    return moved;
  }
  const std::string* endpoint = FindEntry(change.after.meta().annotations(), kEndpointAnnotation);
  if (endpoint == nullptr || endpoints_[change.key] == *endpoint) return moved;
  endpoints_[change.key] = *endpoint;
  bus::PeerEndpoint peer;
  peer.set_process(change.key);
  peer.set_endpoint(*endpoint);
  env.outbox.Send(node_ + "/bus", std::move(peer));
  return moved;
}

void KubeProxy::Changed(const Message& message, Env& env) {
  if (!Synced()) return;
  if (!sync_.IsSet()) cause_ = message.Context();
  sync_.Set(env.now);
}

// Upstream waits for the same: rules from half the Services would break the other half's.
void KubeProxy::Sync(Env& env) {
  if (!Synced()) return;
  bus::IptablesRestore restore;
  if (UpdateNetwork(env) || full_) *restore.mutable_network() = network_;
  const std::set<std::string> changed = map_.TakeChanged();
  restore.set_rules(full_ ? compiler_.Full(map_, info_) : compiler_.Partial(map_, info_, changed));
  if (full_) {
    for (const auto& [service, ports] : map_.services()) AddUdpServices(service, map_, &restore);
  } else {
    for (const std::string& service : changed) AddUdpServices(service, map_, &restore);
  }
  restore.set_full(std::exchange(full_, false));
  if (restore.rules().empty() && !restore.has_network() && restore.udp_services().empty()) return;
  Send(std::move(restore), env);
}

void KubeProxy::Send(bus::IptablesRestore restore, Env& env) {
  restore.set_revision(++revision_);
  if (restore.full()) full_sync_.Set(env.now + kFullSyncPeriod);
  env.outbox.Because(std::exchange(cause_, Trace{}));
  env.outbox.Send(iptables_, std::move(restore));
  answer_.Set(env.now + kAnswerTimeout);
  if (!behind_since_) behind_since_ = env.now;
}

bool KubeProxy::UpdateNetwork(Env& env) {
  if (!std::exchange(network_changed_, false)) return false;
  network_.Clear();
  network_.set_node_ip(info_.ip.bits());
  for (const auto& [name, object] : nodes_.objects()) {
    const Node& node = object.As<Node>();
    if (name == node_) {
      network_.set_pod_cidr(node.spec().pod_cidr());
      continue;
    }
    auto* peer = network_.add_peers();
    peer->set_process(name);
    peer->set_ip(InternalAddress(node).value_or(Ipv4()).bits());
    peer->set_pod_cidr(node.spec().pod_cidr());
  }
  AddPorts(env);
  std::string bytes = network_.SerializeAsString();
  const bool differs = bytes != sent_network_;
  sent_network_ = std::move(bytes);
  return differs;
}

// What the node really listens on, and where kube-proxy itself is to be found.
void KubeProxy::AddPorts(Env& env) {
  std::set<uint16_t> node_ports;
  std::set<uint16_t> udp_ports;
  for (const auto& [service, service_ports] : map_.services()) {
    for (const auto& [name, info] : service_ports) {
      if (info.node_port == 0) continue;
      if (name.protocol == proxy::Protocol::kTcp) node_ports.insert(info.node_port);
      if (name.protocol == proxy::Protocol::kUdp) udp_ports.insert(info.node_port);
    }
  }
  for (uint16_t port : udp_ports) network_.add_listen_udp_ports(port);
  health_ports_ = proxy::HealthCheckPorts(map_);
  std::set<uint16_t> own = {proxy::kHealthzPort};
  for (const auto& [port, service] : health_ports_) own.insert(port);
  for (uint16_t port : own) {
    auto* local = network_.add_local_ports();
    local->set_port(port);
    local->set_address(node_ + "/kube-proxy");
  }
  node_ports.insert(own.begin(), own.end());
  for (uint16_t port : node_ports) network_.add_listen_ports(port);
  http_.Listen(std::move(own), env);
}

void KubeProxy::OnRestored(const Message& message, Env& env) {
  const auto& restored = message.As<bus::IptablesRestored>();
  if (restored.revision() != revision_) return;  // an answer to an older one; ours is under way
  if (!restored.error().empty()) {
    // It goes out whole once the time is up: sooner would only fail again.
    full_ = true;
    return;
  }
  acknowledged_ = revision_;
  last_updated_ = env.wall;
  answer_.Clear();
  behind_since_.reset();
  if (sync_.IsSet()) behind_since_ = env.now;
}

void KubeProxy::OnPortTaken(const Message& message, Env& env) {
  const auto& result = message.As<bus::ListenResult>();
  if (result.error().empty()) return;
  for (proxy::PortConflict& conflict : proxy::PortConflicts(map_, node_, result)) {
    k8s::core::v1::ObjectReference about;
    if (const Object service = services_.Find(conflict.service)) {
      about = ReferenceTo(service);
    } else {  // with its name as uid, as upstream
      about.set_kind("Node");
      about.set_name(node_);
      about.set_uid(node_);
    }
    events_.Record(about, "Warning", conflict.reason, std::move(conflict.message), env);
  }
}

void KubeProxy::OnHealthCheck(const Message& message, Env& env) {
  bus::HealthCheckResult result;
  result.set_number(message.As<bus::HealthCheck>().number());
  result.set_healthy(Healthy(env.now) && node_eligible_);
  env.outbox.Send(message.from, std::move(result));
}

bool KubeProxy::Healthy(Time now) const {
  return acknowledged_ > 0 && (!behind_since_ || now - *behind_since_ < kHealthTimeout);
}

HttpFlows::Answer KubeProxy::OnHttp(uint16_t port, const HttpRequestHead& request,
                                    const Env& env) const {
  const bool healthy = Healthy(env.now);
  if (port == proxy::kHealthzPort) {
    return proxy::HealthzAnswer(request.target, {healthy, node_eligible_, last_updated_, env.wall});
  }
  const auto service = health_ports_.find(port);
  if (service == health_ports_.end()) return {};  // HttpFlows lets nobody in there
  return proxy::ServiceHealthAnswer(
      service->second, proxy::LocalReadyEndpoints(map_, service->second, node_), healthy);
}

}  // namespace kubemu
