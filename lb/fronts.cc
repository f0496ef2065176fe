#include "lb/fronts.h"

#include <algorithm>
#include <vector>

#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Service;

constexpr char kDoor[] = "lb/door";

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

bool WantsAddress(const Object& service) {
  return service.As<Service>().spec().type() == "LoadBalancer" &&
         !service.meta().has_deletion_timestamp() &&
         service.As<Service>().spec().load_balancer_class().empty();
}

void Fronts::Ensure(const Object& service, const ServiceSettings& settings, Env& env) {
  const std::string& key = service.key();
  env.outbox.Because(service.trace());
  auto it = fronts_.find(key);
  if (it == fronts_.end()) {
    const std::optional<Ipv4> wanted = WantedAddress(service.As<Service>());
    const std::optional<Ipv4> ip = pool_.Take(key, wanted);
    if (!ip) {
      events_->Record(ReferenceTo(service), "Warning", "SyncLoadBalancerFailed",
                      wanted ? StrCat("Error syncing load balancer: the address ",
                                      wanted->ToString(), " is not free in lb's address pool")
                             : "Error syncing load balancer: lb's address pool is exhausted",
                      env);
      return Retry(key, env);
    }
    it = fronts_.emplace(key, Front{.ip = *ip}).first;
    events_->Record(ReferenceTo(service), "Normal", "EnsuringLoadBalancer",
                    "Ensuring load balancer", env);
  }
  it->second.trace = service.trace();
  SyncPorts(key, settings, it->second, env);
  SyncStatus(key, it->second, env);
}

void Fronts::SyncPorts(const std::string& key, const ServiceSettings& settings, Front& front,
                       Env& env) {
  for (auto it = front.ports.begin(); it != front.ports.end();) {
    if (settings.ports.contains(it->first)) {
      ++it;
      continue;
    }
    listeners_.erase(SocketAddress{front.ip, it->first});
    SendUnlisten(front.ip, it->first, env);
    it = front.ports.erase(it);
  }
  for (const auto& [port, node_port] : settings.ports) {
    if (front.ports[port]) continue;
    listeners_[SocketAddress{front.ip, port}] = key;
    SendListen(front.ip, port, env);
  }
}

// Writes the address into the Service once every port is really listened on.
void Fronts::SyncStatus(const std::string& key, Front& front, Env& env) {
  const Object service = services_->Find(key);
  if (!service || front.writing || front.ports.empty()) return;
  for (const auto& [port, listening] : front.ports) {
    if (!listening) return;
  }
  if (StatusAddress(service.As<Service>()) == front.ip) return;
  Service updated = service.As<Service>();
  auto* status = updated.mutable_status()->mutable_load_balancer();
  status->clear_ingress();
  auto* ingress = status->add_ingress();
  ingress->set_ip(front.ip.ToString());
  ingress->set_ip_mode("VIP");
  const Object object = Object::From(std::move(updated), service.trace());
  front.writing = true;
  env.outbox.Because(front.trace);
  calls_.Start(UpdateRequest(object, "status"), object, key, env);
}

void Fronts::Receive(const Message& message, Env& env) {
  if (message.kind == bus::LISTEN_RESULT) return OnListenResult(message, env);
  if (const auto result = calls_.Receive(message)) OnCallResult(*result, env);
}

void Fronts::OnListenResult(const Message& message, Env& env) {
  const auto& result = message.As<bus::ListenResult>();
  const SocketAddress address{Ipv4(result.ip()), static_cast<uint16_t>(result.port())};
  const auto listener = listeners_.find(address);
  if (listener == listeners_.end()) return;
  const std::string key = listener->second;
  Front& front = fronts_.find(key)->second;
  const bool listening = result.error().empty();
  front.ports[address.port] = listening;
  if (listening) return SyncStatus(key, front, env);
  const Object service = services_->Find(key);
  if (service) {
    events_->Record(ReferenceTo(service), "Warning", "SyncLoadBalancerFailed",
                    StrCat("Error syncing load balancer: cannot listen on ", address.ToString(),
                           ": ", result.error()),
                    env);
  }
  Retry(key, env);
}

void Fronts::OnCallResult(const CallResult& result, Env& env) {
  const auto it = fronts_.find(result.tag);
  if (it == fronts_.end()) return;
  it->second.writing = false;
  const Object service = services_->Find(result.tag);
  if (!result.ok()) return Retry(result.tag, env);
  if (!service) return;
  env.outbox.Because(result.trace);
  events_->Record(ReferenceTo(service), "Normal", "EnsuredLoadBalancer", "Ensured load balancer",
                  env);
}

void Fronts::Retry(const std::string& key, Env& env) {
  retries_[key] = env.now + kRetryInterval;
}

void Fronts::Remove(const Object& service, Env& env) {
  const std::string& key = service.key();
  const auto it = fronts_.find(key);
  retries_.erase(key);
  if (it == fronts_.end()) return;
  for (const auto& [port, listening] : it->second.ports) {
    listeners_.erase(SocketAddress{it->second.ip, port});
    SendUnlisten(it->second.ip, port, env);
  }
  pool_.Release(key);
  fronts_.erase(it);
  // The Service lives on with another type: its status no longer has the address.
  if (service.As<Service>().spec().type() == "LoadBalancer" || !services_->Find(key)) return;
  Service updated = service.As<Service>();
  updated.mutable_status()->clear_load_balancer();
  const Object object = Object::From(std::move(updated), service.trace());
  calls_.Start(UpdateRequest(object, "status"), object, key, env);
}

void Fronts::Tick(Env& env) {
  for (const CallResult& result : calls_.Expired(env.now)) OnCallResult(result, env);
  std::vector<std::string> due;
  for (const auto& [key, at] : retries_) {
    if (at <= env.now) due.push_back(key);
  }
  for (const std::string& key : due) {
    retries_.erase(key);
    const Object service = services_->Find(key);
    if (!service || !WantsAddress(service)) continue;
    Ensure(service, ServiceSettings::From(service.As<Service>()), env);
  }
}

Time Fronts::NextWake() const {
  Time wake = calls_.NextWake();
  for (const auto& [key, at] : retries_) wake = std::min(wake, at);
  return wake;
}

const std::string* Fronts::Find(SocketAddress address) const {
  const auto it = listeners_.find(address);
  return it == listeners_.end() ? nullptr : &it->second;
}

std::optional<Ipv4> Fronts::AddressOf(const std::string& key) const {
  const auto it = fronts_.find(key);
  return it == fronts_.end() ? std::nullopt : std::optional(it->second.ip);
}

bool Fronts::IsListening(const std::string& key, uint16_t port) const {
  const auto it = fronts_.find(key);
  if (it == fronts_.end()) return false;
  const auto listening = it->second.ports.find(port);
  return listening != it->second.ports.end() && listening->second;
}

}  // namespace kubemu
