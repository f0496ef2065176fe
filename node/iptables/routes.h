#ifndef KUBEMU_NODE_IPTABLES_ROUTES_H_
#define KUBEMU_NODE_IPTABLES_ROUTES_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"
#include "messages/proto/node.pb.h"
#include "node/iptables/evaluate.h"

namespace kubemu::iptables {

// Where packets go from one node: to its own pods, to other nodes, to itself.
class Routes {
 public:
  enum class Kind : uint8_t {
    kPod,         // a pod of this node, or a port of a host-network pod or of the node's own parts
    kPeer,        // another node
    kNoListener,  // an address of this node on which nobody listens
    kNone,        // nobody has the address
  };
  struct Hop {
    Kind kind = Kind::kNone;
    std::string address = {};  // on the bus; kPod and kPeer
  };

  // Pods of one node, and other nodes: more are refused (false) or left out.
  static constexpr size_t kPodsMax = 4096;
  static constexpr size_t kPeersMax = 16384;

  void SetNetwork(const bus::NodeNetwork& network);
  // False if there are kPodsMax already.
  bool SetPod(const bus::PodNetworkUpdate& update);

  // The way to `destination`, from the final packet's view.
  Hop Find(SocketAddress destination) const;
  // The source address of a masqueraded packet that goes there: the bridge's for this node's pods,
  // else the node's.
  Ipv4 MasqueradeAddress(SocketAddress destination) const;

  // True for addresses that only a pod of this node can have.
  bool IsOwnPodAddress(Ipv4 ip) const { return pod_cidr_.prefix() < 32 && pod_cidr_.Contains(ip); }

  // True for the process of another node.
  bool IsPeer(std::string_view process) const { return peer_processes_.contains(process); }

  bool HasNode() const { return !node_ip_.IsNone(); }
  Ipv4 node_ip() const { return node_ip_; }
  const LocalAddresses& local() const { return local_; }
  // TCP ports to listen on at node_ip.
  const std::set<uint16_t>& listen_ports() const { return listen_ports_; }
  const std::set<uint16_t>& listen_udp_ports() const { return listen_udp_ports_; }

 private:
  struct PodCidr {
    Ipv4Network network;
    std::string address;
  };
  void AddPeer(const bus::NodeNetwork::Peer& peer);

  Ipv4 node_ip_;
  Ipv4Network pod_cidr_{Ipv4(), 32};
  LocalAddresses local_;
  std::set<uint16_t> listen_ports_;
  std::set<uint16_t> listen_udp_ports_;
  std::map<Ipv4, std::string> pods_;
  std::map<uint16_t, std::string> host_ports_;   // of host-network pods
  std::map<uint16_t, std::string> local_ports_;  // of the node's own parts; they were there first
  std::map<Ipv4, std::string> peers_;            // by node address
  std::set<std::string, std::less<>> peer_processes_;
  std::map<Ipv4, PodCidr> peer_cidrs_;  // by base address
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_ROUTES_H_
