#include "node/kernel/pod_links.h"

#include <algorithm>
#include <utility>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

// Every veth's end at the node has the same address, and every pod the same gateway, which no
// interface has: the pod's neighbour table leads to the veth's end, and from there on the node
// routes. (Calico does it like this.)
constexpr std::string_view kGateway = "169.254.1.1";
constexpr std::string_view kGatewayMac = "ee:ee:ee:ee:ee:ee";

std::string VethName(Ipv4 ip) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name = "veth";
  for (int shift = 28; shift >= 0; shift -= 4) name.push_back(kDigits[ip.bits() >> shift & 15]);
  return name;
}

// For "ip -batch" in the node's namespace.
std::string LinkBatch(Ipv4 ip, const std::string& network_path) {
  const std::string veth = VethName(ip);
  return StrCat("link add ", veth, " address ", kGatewayMac, " type veth peer name eth0 netns ",
                network_path, "\nlink set ", veth, " up\nroute replace ", ip.ToString(), "/32 dev ",
                veth, "\n");
}

// For "ip -batch" in the pod's.
std::string PodBatch(Ipv4 ip) {
  return StrCat("link set lo up\naddr add ", ip.ToString(),
                "/32 dev eth0\nlink set eth0 up\nneigh replace ", kGateway, " lladdr ", kGatewayMac,
                " dev eth0 nud permanent\nroute replace ", kGateway,
                " dev eth0 scope link\nroute replace default via ", kGateway, " dev eth0\n");
}

}  // namespace

std::string PodLinks::Update(const bus::PodNetworkUpdate& update, Env& env) {
  const Ipv4 ip(update.ip());
  const auto known = pods_.find(update.address());
  std::string gone;
  if (known != pods_.end() && (update.removed() || known->second.ip != ip)) {
    gone = known->first;
  } else if (!update.removed() && !update.host_network() && by_ip_.contains(ip) &&
             by_ip_.at(ip) != update.address()) {
    gone = by_ip_.at(ip);  // the word that it went away was lost
  }
  if (!gone.empty()) {
    const auto it = pods_.find(gone);
    TearDown(it->second, env);
    if (!it->second.host_network) by_ip_.erase(it->second.ip);
    pods_.erase(it);
  }
  if (!update.removed() && (pods_.contains(update.address()) || pods_.size() < kPodsMax)) {
    const auto [it, added] = pods_.try_emplace(update.address());
    Pod& pod = it->second;
    pod.wanted.clear();
    for (uint32_t port : update.ports()) pod.wanted.insert(static_cast<uint16_t>(port));
    pod.trace = env.outbox.cause();
    if (added) {
      pod.ip = ip;
      pod.host_network = update.host_network();
      if (pod.host_network) {
        pod.state = State::kUp;
      } else {
        by_ip_[ip] = update.address();
        Begin(update.address(), pod, env);
      }
    }
    SyncPorts(pod, env);
  }
  SyncHostPorts(env);
  return gone;
}

void PodLinks::Begin(const std::string& address, Pod& pod, Env& env) {
  // A name is never given twice: a late answer is about a network that nobody waits for any more.
  pod.network = StrCat(address, "#", next_network_++);
  pod.state = State::kOpening;
  pod.wake = env.now + kOpenTimeout;
  networks_[pod.network] = address;
  bus::OpenNetwork open;
  open.set_name(pod.network);
  env.outbox.Send(door_, std::move(open));
}

void PodLinks::Receive(const bus::NetworkOpened& opened, Env& env) {
  const auto name = networks_.find(opened.name());
  if (name == networks_.end()) return;
  Pod& pod = pods_.at(name->second);
  if (pod.state != State::kOpening) return;
  if (!opened.error().empty()) return Fail(pod, env);
  pod.state = State::kLinking;
  pod.wake = kNever;
  RunFor(name->second, pod, LinkBatch(pod.ip, opened.path()), "", env);
}

void PodLinks::RunFor(const std::string& address, Pod& pod, std::string input, std::string network,
                      Env& env) {
  pod.tag = next_tag_++;
  running_[pod.tag] = address;
  if (!lane_.Run(pod.tag, {"ip", "-batch", "-"}, std::move(input), std::move(network), env)) {
    Fail(pod, env);
  }
}

void PodLinks::Receive(const bus::CommandDone& done, Env& env) {
  if (const auto result = lane_.Receive(done, env)) OnResult(*result, env);
}

void PodLinks::OnResult(const CommandLane::Result& result, Env& env) {
  if (const auto closing = closing_.find(result.tag); closing != closing_.end()) {
    // Not before: a command that was under way would have met another descriptor of that number.
    CloseNetwork(closing->second, env);
    closing_.erase(closing);
    return;
  }
  const auto running = running_.find(result.tag);
  if (running == running_.end()) return;
  const std::string address = running->second;
  running_.erase(running);
  Pod& pod = pods_.at(address);
  if (!result.error.empty()) return Fail(pod, env);
  if (pod.state == State::kLinking) {
    pod.state = State::kSetting;
    return RunFor(address, pod, PodBatch(pod.ip), pod.network, env);
  }
  pod.state = State::kUp;
  pod.back_off = kRetryMin;
  SyncPorts(pod, env);
}

void PodLinks::Fail(Pod& pod, Env& env) {
  TearDown(pod, env);
  pod.wake = env.now + pod.back_off;
  pod.back_off = std::min(pod.back_off * 2, kRetryMax);
}

// Afterwards the pod is kDown.
void PodLinks::TearDown(Pod& pod, Env& env) {
  for (uint16_t port : pod.listening) Unlisten(pod.network, port, env);
  pod.listening.clear();
  running_.erase(pod.tag);
  networks_.erase(pod.network);
  if (!pod.host_network && pod.state != State::kDown) {
    const uint64_t tag = next_tag_++;
    // Takes the other end and the routes with it; the kernel would do so too, but in its own time.
    if (pod.state > State::kOpening &&
        lane_.Run(tag, {"ip", "link", "delete", VethName(pod.ip)}, "", "", env)) {
      closing_[tag] = pod.network;
    } else {
      CloseNetwork(pod.network, env);
    }
  }
  pod.state = State::kDown;
  pod.wake = kNever;
}

void PodLinks::SyncPorts(Pod& pod, Env& env) {
  if (pod.host_network || pod.state != State::kUp) return;
  std::erase_if(pod.listening, [&](uint16_t port) {
    if (pod.wanted.contains(port)) return false;
    Unlisten(pod.network, port, env);
    return true;
  });
  for (uint16_t port : pod.wanted) {
    if (pod.listening.insert(port).second) Listen(pod.network, port, env);
  }
}

void PodLinks::SetLocalPorts(const bus::NodeNetwork& network, Env& env) {
  local_ports_.clear();
  for (const bus::NodeNetwork::LocalPort& local : network.local_ports()) {
    local_ports_[static_cast<uint16_t>(local.port())] = local.address();
  }
  SyncHostPorts(env);
}

void PodLinks::SyncHostPorts(Env& env) {
  std::map<uint16_t, std::string> wanted = local_ports_;
  for (const auto& [address, pod] : pods_) {
    if (!pod.host_network) continue;
    for (uint16_t port : pod.wanted) wanted.try_emplace(port, address);
  }
  for (const auto& [port, address] : host_ports_) {
    if (!wanted.contains(port)) Unlisten("", port, env);
  }
  std::erase_if(taken_ports_, [&](uint16_t port) { return !local_ports_.contains(port); });
  for (const auto& [port, address] : wanted) {
    if (!host_ports_.contains(port)) Listen("", port, env);
  }
  host_ports_ = std::move(wanted);
}

void PodLinks::Receive(const bus::ListenResult& result, Env& env) {
  const auto port = static_cast<uint16_t>(result.port());
  if (result.error().empty()) {
    if (result.network().empty()) taken_ports_.erase(port);
    return;
  }
  const auto name = networks_.find(result.network());
  if (result.network().empty()) {
    if (host_ports_.erase(port) == 0) return;
    const auto local = local_ports_.find(port);
    // Once, however often it is tried again.
    if (local != local_ports_.end() && taken_ports_.insert(port).second) {
      env.outbox.Send(local->second, result);
    }
  } else if (name == networks_.end() || pods_.at(name->second).listening.erase(port) == 0) {
    return;
  }
  listen_retry_.Set(env.now + kListenRetry);
}

void PodLinks::CloseNetwork(const std::string& name, Env& env) {
  bus::CloseNetwork close;
  close.set_name(name);
  env.outbox.Send(door_, std::move(close));
}

// On all addresses, as servers do.
void PodLinks::Listen(const std::string& network, uint16_t port, Env& env) {
  bus::Listen listen;
  listen.set_port(port);
  listen.set_protocol(bus::TCP);
  listen.set_network(network);
  env.outbox.Send(door_, std::move(listen));
}

void PodLinks::Unlisten(const std::string& network, uint16_t port, Env& env) {
  bus::Unlisten unlisten;
  unlisten.set_port(port);
  unlisten.set_protocol(bus::TCP);
  unlisten.set_network(network);
  env.outbox.Send(door_, std::move(unlisten));
}

void PodLinks::Tick(Env& env) {
  if (const auto result = lane_.Tick(env)) OnResult(*result, env);
  for (auto& [address, pod] : pods_) {
    if (pod.wake > env.now) continue;
    env.outbox.Because(pod.trace);
    if (pod.state == State::kOpening) {
      Fail(pod, env);  // no answer
    } else {
      Begin(address, pod, env);
    }
  }
  if (!listen_retry_.Take(env.now)) return;
  for (auto& [address, pod] : pods_) SyncPorts(pod, env);
  SyncHostPorts(env);
}

Time PodLinks::NextWake() const {
  Time wake = std::min(lane_.NextWake(), listen_retry_.at());
  for (const auto& [address, pod] : pods_) wake = std::min(wake, pod.wake);
  return wake;
}

std::string PodLinks::Acceptor(const std::string& network, uint16_t port) const {
  if (network.empty()) {
    const auto it = host_ports_.find(port);
    return it == host_ports_.end() ? "" : it->second;
  }
  const auto it = networks_.find(network);
  return it == networks_.end() ? "" : it->second;
}

std::optional<std::string> PodLinks::NetworkOf(const std::string& pod) const {
  const auto it = pods_.find(pod);
  if (it == pods_.end() || it->second.state != State::kUp) return std::nullopt;
  return it->second.network;
}

}  // namespace kubemu
