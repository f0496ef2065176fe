#ifndef KUBEMU_LB_NODES_H_
#define KUBEMU_LB_NODES_H_

#include <cstdint>
#include <map>
#include <string>

#include "messages/core/ip.h"
#include "messages/object.h"

namespace kubemu {

// What the load balancer wants to know of a node.
struct LbNode {
  Ipv4 ip;                // its InternalIP
  uint32_t weight = 1;    // see NodeWeight
  std::string excluded;   // why it gets no new connections; "": it may
  std::string complaint;  // what is wrong with its weight
};
using LbNodes = std::map<std::string, LbNode>;

// The nodes that have an address. Excluded are those with the label
// node.kubernetes.io/exclude-from-external-load-balancers (whatever its value), with the taint of
// the cluster autoscaler, ToBeDeletedByClusterAutoscaler, and those being deleted; not those that
// are not Ready (upstream since 1.27: their checks decide).
LbNodes ReadNodes(const std::map<std::string, Object>& objects);

}  // namespace kubemu

#endif  // KUBEMU_LB_NODES_H_
