#include "lb/address_pool.h"

namespace kubemu {

bool AddressPool::IsUsable(Ipv4 ip) const {
  return network_.Contains(ip) && ip != network_.base() && ip != network_.At(network_.size() - 1);
}

std::optional<Ipv4> AddressPool::Take(const std::string& owner, std::optional<Ipv4> wanted) {
  if (const auto it = by_owner_.find(owner); it != by_owner_.end()) return it->second;
  std::optional<Ipv4> chosen;
  if (wanted) {
    if (IsUsable(*wanted) && !by_address_.contains(*wanted)) chosen = wanted;
  } else {
    for (uint64_t i = 1; i + 1 < network_.size() && !chosen; ++i) {
      if (!by_address_.contains(network_.At(i))) chosen = network_.At(i);
    }
  }
  if (!chosen) return std::nullopt;
  by_owner_[owner] = *chosen;
  by_address_[*chosen] = owner;
  return chosen;
}

void AddressPool::Release(const std::string& owner) {
  const auto it = by_owner_.find(owner);
  if (it == by_owner_.end()) return;
  by_address_.erase(it->second);
  by_owner_.erase(it);
}

}  // namespace kubemu
