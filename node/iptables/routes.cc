#include "node/iptables/routes.h"

#include <algorithm>

namespace kubemu::iptables {

void Routes::SetNetwork(const bus::NodeNetwork& network) {
  node_ip_ = Ipv4(network.node_ip());
  const absl::StatusOr<Ipv4Network> pod_cidr = Ipv4Network::Parse(network.pod_cidr());
  pod_cidr_ = pod_cidr.ok() ? *pod_cidr : Ipv4Network(Ipv4(), 32);
  local_ = LocalAddresses();
  if (HasNode()) local_.Add(Ipv4Network(node_ip_, 32));
  if (pod_cidr_.prefix() < 32) local_.Add(Ipv4Network(pod_cidr_.At(1), 32));
  // On one machine other nodes' addresses, and clients', are in 127.0.0.0/8 too.
  if (!node_ip_.IsLoopback()) local_.Add(Ipv4Network(Ipv4(127, 0, 0, 0), 8));
  listen_ports_.clear();
  for (uint32_t port : network.listen_ports()) listen_ports_.insert(static_cast<uint16_t>(port));
  local_ports_.clear();
  for (const bus::NodeNetwork::LocalPort& local : network.local_ports()) {
    local_ports_[static_cast<uint16_t>(local.port())] = local.address();
  }
  listen_udp_ports_.clear();
  for (uint32_t port : network.listen_udp_ports()) {
    listen_udp_ports_.insert(static_cast<uint16_t>(port));
  }
  peers_.clear();
  peer_processes_.clear();
  peer_cidrs_.clear();
  for (const bus::NodeNetwork::Peer& peer : network.peers()) AddPeer(peer);
}

void Routes::AddPeer(const bus::NodeNetwork::Peer& peer) {
  if (peer_processes_.size() >= kPeersMax) return;
  peer_processes_.insert(peer.process());
  const std::string address = peer.process() + "/iptables";
  if (peer.ip() != 0) peers_[Ipv4(peer.ip())] = address;
  const absl::StatusOr<Ipv4Network> cidr = Ipv4Network::Parse(peer.pod_cidr());
  if (cidr.ok()) peer_cidrs_[cidr->base()] = {*cidr, address};
}

bool Routes::SetPod(const bus::PodNetworkUpdate& update) {
  if (update.host_network()) {
    std::erase_if(host_ports_, [&](const auto& entry) { return entry.second == update.address(); });
    if (update.removed()) return true;
    for (uint32_t port : update.ports()) {
      host_ports_.try_emplace(static_cast<uint16_t>(port), update.address());
    }
    return true;
  }
  const Ipv4 ip(update.ip());
  if (update.removed()) {
    // A late word about a pod whose address has been given to another one changes nothing.
    const auto it = pods_.find(ip);
    if (it != pods_.end() && it->second == update.address()) pods_.erase(it);
    return true;
  }
  if (pods_.size() >= kPodsMax && !pods_.contains(ip)) return false;
  pods_[ip] = update.address();
  return true;
}

Routes::Hop Routes::Find(SocketAddress destination) const {
  if (const auto pod = pods_.find(destination.ip); pod != pods_.end()) {
    return {Kind::kPod, pod->second};
  }
  if (local_.Contains(destination.ip)) {
    if (const auto local = local_ports_.find(destination.port); local != local_ports_.end()) {
      return {Kind::kPod, local->second};
    }
    const auto port = host_ports_.find(destination.port);
    if (port == host_ports_.end()) return {Kind::kNoListener};
    return {Kind::kPod, port->second};
  }
  if (IsOwnPodAddress(destination.ip)) return {Kind::kNone};
  if (const auto peer = peers_.find(destination.ip); peer != peers_.end()) {
    return {Kind::kPeer, peer->second};
  }
  auto cidr = peer_cidrs_.upper_bound(destination.ip);
  if (cidr == peer_cidrs_.begin()) return {Kind::kNone};
  --cidr;
  if (!cidr->second.network.Contains(destination.ip)) return {Kind::kNone};
  return {Kind::kPeer, cidr->second.address};
}

Ipv4 Routes::MasqueradeAddress(SocketAddress destination) const {
  return IsOwnPodAddress(destination.ip) ? pod_cidr_.At(1) : node_ip_;
}

}  // namespace kubemu::iptables
