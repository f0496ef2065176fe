#ifndef KUBEMU_NODE_DNS_CLUSTER_DNS_H_
#define KUBEMU_NODE_DNS_CLUSTER_DNS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "messages/api/informer.h"
#include "messages/component.h"
#include "messages/core/ip.h"
#include "node/dns/cluster_records.h"
#include "node/dns/cluster_zone.h"

namespace kubemu {

// The program of the image coredns: watches Namespaces, Services and EndpointSlices and answers DNS
// queries from them. One serves all such containers of a node. A part of PodNetwork, which calls
// Receive and Tick; it watches as the engine, and exists only while such a container runs.
class ClusterDns {
 public:
  // `first_stream` and the two after it: numbers of its watches, used by no other of the engine's,
  // now or before.
  explicit ClusterDns(uint64_t first_stream);
  static constexpr uint64_t kStreams = 3;

  // Watch events and links.
  void Receive(const Message& message, Env& env);
  void Tick(Env& env);
  Time NextWake() const;
  // Ends the watches: to be called before it is destroyed.
  void Stop(Env& env);

  // True once it knows all that existed when it began: ready, in CoreDNS' words.
  bool synced() const;

  // The answer to a query that reached the pod with that address; none: silence.
  std::optional<std::string> Answer(std::string_view query, bool tcp, Ipv4 server, Env& env);

  uint64_t answered() const { return answered_; }

 private:
  const uint64_t first_stream_;
  Informer namespaces_;
  Informer services_;
  Informer slices_;
  dns::ClusterRecords records_;
  uint32_t changed_ = 0;  // when the records did, in seconds since 1970
  uint64_t answered_ = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_DNS_CLUSTER_DNS_H_
