#ifndef KUBEMU_LB_ADDRESS_POOL_H_
#define KUBEMU_LB_ADDRESS_POOL_H_

#include <map>
#include <optional>
#include <string>

#include "messages/core/ip.h"

namespace kubemu {

// The addresses lb gives to Services of type LoadBalancer: one each, lowest free first, without
// the network's first and last.
class AddressPool {
 public:
  explicit AddressPool(Ipv4Network network) : network_(network) {}

  // The address of `owner`: the one it has; else `wanted`, if that is free and in the network;
  // else the lowest free one. Nothing if the pool is exhausted or `wanted` is not to be had.
  std::optional<Ipv4> Take(const std::string& owner, std::optional<Ipv4> wanted);
  void Release(const std::string& owner);

 private:
  bool IsUsable(Ipv4 ip) const;

  const Ipv4Network network_;
  std::map<std::string, Ipv4> by_owner_;
  std::map<Ipv4, std::string> by_address_;
};

}  // namespace kubemu

#endif  // KUBEMU_LB_ADDRESS_POOL_H_
