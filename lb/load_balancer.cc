#include "lb/load_balancer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "lb/status_report.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/api/node_facts.h"
#include "messages/core/strings.h"
#include "messages/inspect.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/http.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Node;
using k8s::core::v1::Service;

constexpr char kBus[] = "lb/bus";

void TellBus(const std::string& name, const Object& node, Env& env) {
  const std::string* endpoint = FindEntry(node.meta().annotations(), kEndpointAnnotation);
  if (endpoint == nullptr) return;
  bus::PeerEndpoint peer;
  peer.set_process(name);
  peer.set_endpoint(*endpoint);
  env.outbox.Send(kBus, std::move(peer));
}

bool IsFlow(bus::MessageKind kind) {
  return kind == bus::FLOW_DATA || kind == bus::FLOW_CREDIT || kind == bus::FLOW_CLOSE;
}

}  // namespace

LoadBalancer::LoadBalancer(Options options)
    : events_("service-controller", ""),
      services_(1, {.kind = &KindOf<Service>()}),
      node_objects_(2, {.kind = &KindOf<Node>()}),
      fronts_(options.addresses, &services_, &events_),
      health_(options.addresses.base()) {}

void LoadBalancer::Receive(const Message& message, Env& env) {
  if (message.to == kCheckAddress) return OnHealth(health_.Receive(message, env), env);
  if (IsFlow(message.kind)) {
    balancer_.Receive(message, env);
    return RecordNotices(env);
  }
  switch (message.kind) {
    case bus::FLOW_OPEN:
      return OnFlowOpen(message, env);
    case bus::LINK_DOWN:
      OnHealth(health_.Receive(message, env), env);
      balancer_.OnLinkDown(message.As<bus::LinkDown>().process(), env);
      break;
    case bus::LINK_UP:
      OnHealth(health_.Receive(message, env), env);
      break;
    case bus::INSPECT_REQUEST:
      return OnInspect(message, env);
    case bus::HTTP_REQUEST:
      return OnHttp(message, env);
    default:
      break;
  }
  for (const Informer::Change& change : services_.Receive(message, env)) OnService(change, env);
  if (!node_objects_.Receive(message, env).empty()) OnNodes(env);
  fronts_.Receive(message, env);
}

void LoadBalancer::Tick(Env& env) {
  services_.Tick(env);
  node_objects_.Tick(env);
  fronts_.Tick(env);
  OnHealth(health_.Tick(env), env);
  balancer_.Tick(env);
  RecordNotices(env);
}

Time LoadBalancer::NextWake() const {
  return std::min({services_.NextWake(), node_objects_.NextWake(), fronts_.NextWake(),
                   health_.NextWake(), balancer_.NextWake()});
}

void LoadBalancer::OnService(const Informer::Change& change, Env& env) {
  const auto known = known_.find(change.key);
  if (!change.after || !WantsAddress(change.after)) {
    if (known == known_.end()) return;
    fronts_.Remove(change.after ? change.after : change.before, env);
    balancer_.Remove(change.key, env);
    const uint16_t port = known->second.health_port;
    known_.erase(known);
    return UseHealthPort(port, -1, env);
  }
  const Object& object = change.after;
  ServiceSettings settings = ServiceSettings::From(object.As<Service>());
  fronts_.Ensure(object, settings, env);
  const bool added = known == known_.end();
  Known& mine = known_[change.key];
  std::set<std::string> complaints(settings.complaints.begin(), settings.complaints.end());
  for (const std::string& complaint : complaints) {
    if (mine.complaints.contains(complaint)) continue;
    events_.Record(ReferenceTo(object), "Warning", "InvalidLoadBalancerAnnotation", complaint, env);
  }
  mine.complaints = std::move(complaints);
  const uint16_t old_port = std::exchange(mine.health_port, settings.health_port);
  const uint16_t new_port = settings.health_port;
  balancer_.Configure(change.key, std::move(settings), nodes_, health_, env);
  if (!added && old_port == new_port) return;
  UseHealthPort(new_port, 1, env);
  if (!added) UseHealthPort(old_port, -1, env);
}

void LoadBalancer::UseHealthPort(uint16_t port, int change, Env& env) {
  int& users = health_ports_[port];
  const int before = users;
  users += change;
  const bool differs = (before == 0) != (users == 0);
  if (users == 0) health_ports_.erase(port);
  if (differs && port != ServiceSettings::kProxyHealthPort) SyncTargets(env);
}

void LoadBalancer::SyncTargets(Env& env) {
  std::map<HealthChecks::Target, Ipv4> targets;
  for (const auto& [name, node] : nodes_) {
    if (!node.excluded.empty()) continue;
    targets[{name, ServiceSettings::kProxyHealthPort}] = node.ip;
    for (const auto& [port, users] : health_ports_) targets[{name, port}] = node.ip;
  }
  health_.SetTargets(targets, env);
}

void LoadBalancer::OnNodes(Env& env) {
  nodes_ = ReadNodes(node_objects_.objects());
  std::erase_if(node_complaints_, [&](const auto& entry) { return !nodes_.contains(entry.first); });
  for (const auto& [name, node] : nodes_) {
    const Object object = node_objects_.Find(name);
    TellBus(name, object, env);
    std::string& said = node_complaints_[name];
    if (!node.complaint.empty() && said != node.complaint) {
      events_.Record(ReferenceTo(object), "Warning", "InvalidLoadBalancerAnnotation",
                     node.complaint, env);
    }
    said = node.complaint;
  }
  SyncTargets(env);
  balancer_.Update(nodes_, health_, env);
}

void LoadBalancer::OnHealth(const std::vector<HealthChecks::Change>& changes, Env& env) {
  if (changes.empty()) return;
  balancer_.Update(nodes_, health_, env);
  for (const HealthChecks::Change& change : changes) {
    // A node without local pods fails a Service's own check all the time: nothing to tell.
    if (change.target.port != ServiceSettings::kProxyHealthPort) continue;
    const Object node = node_objects_.Find(change.target.node);
    if (!node) continue;
    events_.Record(ReferenceTo(node), change.up ? "Normal" : "Warning",
                   change.up ? "LoadBalancerNodeUp" : "LoadBalancerNodeDown",
                   StrCat("Load balancer ", change.up ? "sends to" : "took out", " node ",
                          change.target.node, ": ", change.reason),
                   env);
  }
}

void LoadBalancer::RecordNotices(Env& env) {
  for (const Balancer::Notice& notice : balancer_.TakeNotices()) {
    const Object service = services_.Find(notice.service);
    if (!service) continue;
    events_.Record(ReferenceTo(service), "Warning", notice.reason, notice.text, env);
  }
}

void LoadBalancer::OnFlowOpen(const Message& message, Env& env) {
  const auto& open = message.As<bus::FlowOpen>();
  const std::string* key = fronts_.Find(
      SocketAddress{Ipv4(open.destination_ip()), static_cast<uint16_t>(open.destination_port())});
  if (key != nullptr) return balancer_.Open(message, *key, env);
  ++strangers_;
  FlowRelay::Refuse(message, bus::FlowClose::REFUSED, "no Service has this address", env);
}

void LoadBalancer::OnInspect(const Message& message, Env& env) {
  const auto& request = message.As<bus::InspectRequest>();
  if (request.question() != "status") {
    return AnswerInspect(message, UnknownQuestion(request.question(), {"status"}), env);
  }
  const auto arguments = InspectArguments(request, {});
  if (!arguments.ok()) return AnswerInspect(message, arguments.status(), env);
  AnswerInspect(message, StatusJson({balancer_, fronts_, health_, strangers_, env.now}), env);
}

void LoadBalancer::OnHttp(const Message& message, Env& env) {
  const auto& request = message.As<bus::HttpRequest>();
  bus::HttpResponse response;
  response.set_request(request.request());
  response.set_status(200);
  response.set_last(true);
  std::string type = "text/plain; charset=utf-8";
  const std::string path = request.target().substr(0, request.target().find('?'));
  if (path != "/metrics") {
    response.set_status(404);
    response.set_body("not found: the load balancer's figures are at /metrics\n");
  } else if (request.method() != "GET" && request.method() != "HEAD") {
    response.set_status(405);
    response.set_body("method not allowed: GET /metrics\n");
  } else {
    type = "text/plain; version=0.0.4; charset=utf-8";
    response.set_body(MetricsText({balancer_, fronts_, health_, strangers_, env.now}));
  }
  auto* header = response.add_headers();
  header->set_name("content-type");
  header->set_value(type);
  env.outbox.Send(message.from, std::move(response));
}

}  // namespace kubemu
