#ifndef KUBEMU_MESSAGES_API_NODE_FACTS_H_
#define KUBEMU_MESSAGES_API_NODE_FACTS_H_

#include <optional>

#include "messages/core/ip.h"

namespace k8s::core::v1 {
class Node;
}

namespace kubemu {

// The annotation of a Node object that says where its process listens on the bus.
inline constexpr char kEndpointAnnotation[] = "kubemu.io/endpoint";

// The node's first address of type InternalIP; none if there is none that parses.
std::optional<Ipv4> InternalAddress(const k8s::core::v1::Node& node);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_NODE_FACTS_H_
