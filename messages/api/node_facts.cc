#include "messages/api/node_facts.h"

#include "messages/proto/k8s/core_node.pb.h"

namespace kubemu {

std::optional<Ipv4> InternalAddress(const k8s::core::v1::Node& node) {
  for (const auto& address : node.status().addresses()) {
    const absl::StatusOr<Ipv4> ip = Ipv4::Parse(address.address());
    if (address.type() == "InternalIP" && ip.ok()) return *ip;
  }
  return std::nullopt;
}

}  // namespace kubemu
