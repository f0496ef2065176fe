#include "node/network/ip_pool.h"

namespace kubemu {

bool IpPool::Usable(Ipv4 ip) const {
  if (!network_.Contains(ip)) return false;
  const uint64_t index = ip.bits() - network_.base().bits();
  return index >= kFirst && index + 1 < network_.size();
}

std::optional<Ipv4> IpPool::Take(Ipv4 wanted) {
  if (!wanted.IsNone() && Usable(wanted) && taken_.insert(wanted).second) return wanted;
  if (network_.size() < kFirst + 2) return std::nullopt;
  const uint64_t usable = network_.size() - kFirst - 1;
  for (uint64_t tries = 0; tries < usable; ++tries) {
    if (next_ + 1 >= network_.size()) next_ = kFirst;
    const Ipv4 ip = network_.At(next_++);
    if (taken_.insert(ip).second) return ip;
  }
  return std::nullopt;
}

}  // namespace kubemu
