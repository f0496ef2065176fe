#include "node/iptables/udp_cleanup.h"

namespace kubemu::iptables {

UdpCleanup::UdpCleanup(const google::protobuf::RepeatedPtrField<bus::UdpService>& services) {
  for (const bus::UdpService& service : services) {
    if (service.endpoints().empty()) continue;
    const size_t place = endpoints_.size();
    std::set<Ipv4>& endpoints = endpoints_.emplace_back();
    for (uint32_t bits : service.endpoints()) endpoints.insert(Ipv4(bits));
    for (uint32_t bits : service.ips()) {
      by_address_[{Ipv4(bits), static_cast<uint16_t>(service.port())}] = place;
    }
    if (service.node_port() != 0) by_node_port_[static_cast<uint16_t>(service.node_port())] = place;
  }
}

bool UdpCleanup::IsStale(const Connection& connection) const {
  if (connection.original.protocol != Protocol::kUdp) return false;
  const Ipv4 answers = connection.reply.source.ip;
  const auto address = by_address_.find(connection.original.destination);
  if (address != by_address_.end() && !endpoints_[address->second].contains(answers)) return true;
  // Any address: a NodePort is on all of the node's.
  const auto port = by_node_port_.find(connection.original.destination.port);
  return port != by_node_port_.end() && !endpoints_[port->second].contains(answers);
}

}  // namespace kubemu::iptables
