#ifndef KUBEMU_NODE_IPTABLES_UDP_CLEANUP_H_
#define KUBEMU_NODE_IPTABLES_UDP_CLEANUP_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "google/protobuf/repeated_ptr_field.h"
#include "messages/core/ip.h"
#include "messages/proto/node.pb.h"
#include "node/iptables/conntrack.h"

namespace kubemu::iptables {

// Which UDP connections are stale: those to a Service's address that are not translated to one of
// its serving endpoints. UDP has no end that conntrack could see: what was sent to a pod that is
// gone, or to nobody, would go on to be sent there (pkg/proxy/conntrack/cleanup.go). A Service
// without serving endpoints keeps its connections, as upstream.
class UdpCleanup {
 public:
  explicit UdpCleanup(const google::protobuf::RepeatedPtrField<bus::UdpService>& services);

  bool empty() const { return endpoints_.empty(); }
  bool IsStale(const Connection& connection) const;

 private:
  std::vector<std::set<Ipv4>> endpoints_;         // of each Service
  std::map<SocketAddress, size_t> by_address_{};  // Service address to its place in endpoints_
  std::map<uint16_t, size_t> by_node_port_{};
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_UDP_CLEANUP_H_
