#include "lb/balancer.h"

#include <algorithm>

#include "messages/core/strings.h"
#include "messages/proto/flow.pb.h"

namespace kubemu {

void Balancer::Configure(const std::string& key, ServiceSettings settings, const LbNodes& nodes,
                         const HealthChecks& health, Env& env) {
  const auto [known, added] = by_key_.try_emplace(key, next_service_);
  if (added) ++next_service_;
  Service& service = services_[known->second];
  service.id = known->second;
  service.key = key;
  const bool idle_changed = settings.idle_timeout != service.settings.idle_timeout;
  if (settings.policy != service.settings.policy) service.policies.clear();
  std::erase_if(service.policies,
                [&](const auto& entry) { return !settings.ports.contains(entry.first); });
  for (const auto& [port, node_port] : settings.ports) {
    auto& policy = service.policies[port];
    if (policy == nullptr) policy = MakePolicy(settings.policy, &tables_);
  }
  service.settings = std::move(settings);
  service.backend.Update(nodes, health, service.settings, env.now);
  PlanDrain(service);
  if (!idle_changed || service.counters.now == 0) return;
  for (auto& [id, connection] : connections_) {
    if (connection.service != &service || !connection.established) continue;
    const Duration idle = service.settings.idle_timeout;
    SetTimer(id, connection, idle > Duration{} ? connection.last_active + idle : kNever);
  }
}

void Balancer::Remove(const std::string& key, Env& env) {
  const auto it = by_key_.find(key);
  if (it == by_key_.end()) return;
  Service& service = services_.find(it->second)->second;
  service.removed_at = env.now;
  PlanDrain(service);
  if (service.counters.now == 0) services_.erase(service.id);
  by_key_.erase(it);
}

void Balancer::Update(const LbNodes& nodes, const HealthChecks& health, Env& env) {
  for (auto& [id, service] : services_) {
    service.backend.Update(nodes, health, service.settings, env.now);
    PlanDrain(service);
  }
}

std::string Balancer::Choose(Service& service, const ConnectionKey& key,
                             const std::vector<std::string>& tried, Env& env) {
  const auto policy = service.policies.find(key.service.port);
  if (policy == service.policies.end()) return "";  // the port is no longer the Service's
  const std::vector<Candidate> candidates =
      service.backend.Candidates(service.settings, env.now, tried);
  if (candidates.empty()) return "";
  return std::string(candidates[policy->second->Pick(candidates, key, env.random)].name);
}

bus::FlowOpen Balancer::NextHop(const Service& service, const std::string& node,
                                const ConnectionKey& key) const {
  bus::FlowOpen open;
  open.set_protocol(bus::TCP);
  open.set_source_ip(key.client.ip.bits());
  open.set_source_port(key.client.port);
  open.set_destination_ip(key.service.ip.bits());
  open.set_destination_port(key.service.port);
  // Without a node port the Service's own address stays in the packet.
  if (const uint16_t port = service.settings.ports.at(key.service.port); port != 0) {
    open.set_destination_ip(service.backend.servers().at(node).ip.bits());
    open.set_destination_port(port);
  }
  return open;
}

void Balancer::Open(const Message& message, const std::string& key, Env& env) {
  if (relay_.IsKnown(message)) return;  // doubled
  Service& service = services_.find(by_key_.at(key))->second;
  const auto& open = message.As<bus::FlowOpen>();
  const ConnectionKey addresses{
      {Ipv4(open.source_ip()), static_cast<uint16_t>(open.source_port())},
      {Ipv4(open.destination_ip()), static_cast<uint16_t>(open.destination_port())}};
  const auto refuse = [&](uint64_t& counter, bus::FlowClose::Reason reason, std::string why) {
    ++counter;
    FlowRelay::Refuse(message, reason, std::move(why), env);
  };
  if (!service.settings.Admits(addresses.client.ip)) {
    return refuse(service.refused.source_range, bus::FlowClose::REFUSED,
                  "the client is not in the Service's loadBalancerSourceRanges");
  }
  if (service.counters.now >= service.settings.connections_max) {
    return refuse(service.refused.limit, bus::FlowClose::LIMIT,
                  StrCat("kubemu.io/lb-max-connections: the Service has ", service.counters.now,
                         " connections"));
  }
  if (relay_.size() >= FlowRelay::kFlowsMax) {
    return refuse(service.refused.limit, bus::FlowClose::LIMIT,
                  "kFlowsMax: too many connections through the load balancer");
  }
  const std::string node = Choose(service, addresses, {}, env);
  if (node.empty()) {
    return refuse(service.refused.no_node, bus::FlowClose::UNREACHABLE, "no node answers");
  }
  const uint64_t id =
      relay_.Forward(message, node + "/iptables", NextHop(service, node, addresses), env,
                     ProxyHeader(service.settings.proxy, addresses.client, addresses.service));
  Connection& connection = connections_[id];
  connection.service = &service;
  connection.node = node;
  connection.server = service.backend.Find(node);
  connection.key = addresses;
  connection.tried = {node};
  connection.last_active = env.now;
  SetTimer(id, connection, env.now + kConnectTimeout);
  for (Counters* counters : {&service.counters, &connection.server->counters}) {
    ++counters->now;
    ++counters->total;
  }
  ++total_;
}

void Balancer::Receive(const Message& message, Env& env) {
  if (const uint64_t id = relay_.RefusedFlow(message)) {
    Connection& connection = connections_.find(id)->second;
    const auto& close = message.As<bus::FlowClose>();
    const bool believed = close.reason() == bus::FlowClose::REFUSED;
    if (!believed) NoteFailure(connection, close.detail(), env);
    if (!believed && Reconnect(id, connection, false, env)) return;
    ++connection.service->refused.connect;
  }
  const FlowRelay::Passed passed = relay_.Receive(message, env);
  const auto it = connections_.find(passed.flow);
  if (it == connections_.end()) return;
  Connection& connection = it->second;
  Service& service = *connection.service;
  connection.last_active = env.now;
  Counters& counters = connection.server->counters;
  (passed.from_far_side ? counters.bytes_out : counters.bytes_in) += passed.bytes;
  (passed.from_far_side ? service.counters.bytes_out : service.counters.bytes_in) += passed.bytes;
  if (passed.established) {
    connection.established = true;
    service.backend.Connected(connection.node);
    const Duration idle = service.settings.idle_timeout;
    SetTimer(it->first, connection, idle > Duration{} ? env.now + idle : kNever);
  }
  if (passed.ended) End(it);
}

void Balancer::NoteFailure(Connection& connection, std::string_view why, Env& env) {
  Service& service = *connection.service;
  if (!service.backend.Failed(connection.node, service.settings, env.now)) return;
  notices_.push_back({service.key, "LoadBalancerNodeEjected",
                      StrCat("Load balancer ejected node ", connection.node, " for ",
                             DurationText(connection.server->ejected_until - env.now), ": ",
                             service.settings.ejection_failures,
                             " connections in a row could not be made, the last one: ", why)});
}

bool Balancer::Reconnect(uint64_t id, Connection& connection, bool tell, Env& env) {
  Service& service = *connection.service;
  if (connection.tried.size() >= kAttemptsMax || service.removed_at != kNever) return false;
  const std::string node = Choose(service, connection.key, connection.tried, env);
  if (node.empty()) return false;
  --connection.server->counters.now;
  connection.node = node;
  connection.server = service.backend.Find(node);
  ++connection.server->counters.now;
  ++connection.server->counters.total;
  connection.tried.push_back(node);
  SetTimer(id, connection, env.now + kConnectTimeout);
  relay_.Redirect(id, node + "/iptables", NextHop(service, node, connection.key), tell, env);
  return true;
}

void Balancer::OnLinkDown(const std::string& process, Env& env) {
  for (const uint64_t id : relay_.UnestablishedTo(process)) {
    Reconnect(id, connections_.find(id)->second, false, env);
  }
  for (const uint64_t id : relay_.ResetPeer(process, env)) {
    const auto it = connections_.find(id);
    Service& service = *it->second.service;
    ++(it->second.established ? service.reset.node_lost : service.refused.connect);
    End(it);
  }
}

void Balancer::SetTimer(uint64_t id, Connection& connection, Time at) {
  if (connection.timer != kNever) timers_.erase({connection.timer, id});
  connection.timer = at;
  if (at != kNever) timers_.emplace(at, id);
}

void Balancer::End(Connections::iterator it) {
  Connection& connection = it->second;
  Service& service = *connection.service;
  SetTimer(it->first, connection, kNever);
  --service.counters.now;
  --connection.server->counters.now;
  if (service.removed_at != kNever && service.counters.now == 0) {
    services_.erase(service.id);
  }
  connections_.erase(it);
}

void Balancer::OnTimer(uint64_t id, Env& env) {
  const auto it = connections_.find(id);
  Connection& connection = it->second;
  Service& service = *connection.service;
  if (!connection.established) {
    NoteFailure(connection, "no answer in time", env);
    if (Reconnect(id, connection, true, env)) return;
    ++service.refused.connect;
    relay_.Reset(id, bus::FlowClose::TIMED_OUT, "the node did not answer in time", env);
    return End(it);
  }
  // Data do not move the timer: that is made up for here.
  const Time idle_until = connection.last_active + service.settings.idle_timeout;
  if (idle_until > env.now) return SetTimer(id, connection, idle_until);
  ++service.reset.idle;
  relay_.Reset(
      id, bus::FlowClose::RESET,
      StrCat("kubemu.io/lb-idle-timeout: silent for ", DurationText(service.settings.idle_timeout)),
      env);
  End(it);
}

// The connections of a Service (on one node only, if it is given) come to their end.
void Balancer::ResetWhere(Service* service, const std::string& node, const std::string& why,
                          Env& env) {
  std::vector<uint64_t> ids;
  for (const auto& [id, connection] : connections_) {
    if (connection.service == service && (node.empty() || connection.node == node)) {
      ids.push_back(id);
    }
  }
  service->reset.drain += ids.size();
  for (const uint64_t id : ids) {
    relay_.Reset(id, bus::FlowClose::RESET, why, env);
    End(connections_.find(id));
  }
}

void Balancer::Drain(Env& env) {
  for (auto it = services_.begin(); it != services_.end();) {
    Service& service = (it++)->second;  // the last connection's end may take it away
    const Duration drain_time = service.settings.drain_time;
    if (service.removed_at != kNever) {
      if (service.removed_at + drain_time > env.now) continue;
      ResetWhere(&service, "", "the Service is gone and its drain time is over", env);
      continue;
    }
    for (const auto& [name, server] : service.backend.servers()) {
      if (server.usable || server.counters.now == 0) continue;
      if (server.unusable_since + drain_time > env.now) continue;
      ResetWhere(&service, name, StrCat("node ", name, " is out and its drain time is over"), env);
    }
  }
  next_drain_ = kNever;
  for (const auto& [id, service] : services_) PlanDrain(service);
}

// Sees to it that Drain is called when the next drain time of the Service is over, or before.
void Balancer::PlanDrain(const Service& service) {
  const Duration drain_time = service.settings.drain_time;
  if (service.removed_at != kNever) {
    next_drain_ = std::min(next_drain_, service.removed_at + drain_time);
    return;
  }
  for (const auto& [name, server] : service.backend.servers()) {
    if (server.usable || server.counters.now == 0) continue;
    next_drain_ = std::min(next_drain_, server.unusable_since + drain_time);
  }
}

void Balancer::Tick(Env& env) {
  while (!timers_.empty() && timers_.begin()->first <= env.now) {
    env.outbox.Because(Trace{});
    OnTimer(timers_.begin()->second, env);
  }
  if (next_drain_ > env.now) return;
  env.outbox.Because(Trace{});
  Drain(env);
}

Time Balancer::NextWake() const {
  return timers_.empty() ? next_drain_ : std::min(next_drain_, timers_.begin()->first);
}

std::map<std::string, const Balancer::Service*> Balancer::services() const {
  std::map<std::string, const Service*> services;
  for (const auto& [key, id] : by_key_) services.emplace(key, &services_.find(id)->second);
  return services;
}

}  // namespace kubemu
