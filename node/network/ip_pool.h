#ifndef KUBEMU_NODE_NETWORK_IP_POOL_H_
#define KUBEMU_NODE_NETWORK_IP_POOL_H_

#include <cstdint>
#include <optional>
#include <set>

#include "messages/core/ip.h"

namespace kubemu {

// The addresses of one node's pods, out of its podCIDR. The first address is the network, the
// second (.1) the bridge, the last the broadcast address: no pod gets those. Addresses are given
// in a circle, each time the next free one, so that a freed address is not used again at once and
// what still holds the old pod's address (a connection, a rule) does not reach the new pod; the
// CNI plugin host-local does the same.
class IpPool {
 public:
  IpPool() = default;
  explicit IpPool(Ipv4Network network) : network_(network) {}

  const Ipv4Network& network() const { return network_; }

  // `wanted`, if it is of this network and free; else the next free one; none: all are taken.
  std::optional<Ipv4> Take(Ipv4 wanted);
  void Release(Ipv4 ip) { taken_.erase(ip); }
  size_t taken() const { return taken_.size(); }

 private:
  static constexpr uint64_t kFirst = 2;
  bool Usable(Ipv4 ip) const;

  Ipv4Network network_;
  uint64_t next_ = kFirst;
  std::set<Ipv4> taken_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_NETWORK_IP_POOL_H_
