#ifndef KUBEMU_NODE_IPTABLES_CONNTRACK_H_
#define KUBEMU_NODE_IPTABLES_CONNTRACK_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "messages/core/ip.h"
#include "messages/core/random.h"
#include "messages/core/time.h"
#include "node/iptables/evaluate.h"

namespace kubemu::iptables {

// A packet's addresses in one direction.
struct Tuple {
  Protocol protocol = Protocol::kTcp;
  SocketAddress source{};
  SocketAddress destination{};
  auto operator<=>(const Tuple&) const = default;
  std::string ToString() const;  // "tcp 10.0.0.1:4000 -> 10.0.0.2:80"
};

struct Connection {
  enum class State : uint8_t {
    kNew,          // no answer yet (TCP: SYN_SENT)
    kEstablished,  // answered
    kClosing,      // one side has finished (TCP: CLOSE_WAIT)
    kClosed,       // both have, or it was reset (TCP: TIME_WAIT)
  };
  uint64_t id = 0;
  Tuple original{};  // as the first packet came
  Tuple reply{};     // as the answers come, before they are translated back
  State state = State::kNew;
  Time expires{};
  Time check{};  // when Conntrack looks at it again; at the latest when it expires

  // The first packet as it leaves this node.
  Tuple translated() const { return {original.protocol, reply.destination, reply.source}; }
};

// The connections that a node knows, and how their addresses are translated. The translation is
// decided on the first packet (by Evaluate) and holds as long as the connection is known, whatever
// becomes of the rules.
class Conntrack {
 public:
  // kube-proxy's --conntrack-min; the kernel's nf_conntrack_max is set to it.
  static constexpr size_t kConntrackMax = 131072;
  // Tries to find a free port before giving up (NF_NAT_MAX_ATTEMPTS).
  static constexpr int kPortAttemptsMax = 128;
  // Ports for translated sources, as the kernel chooses them for a source port above 1023.
  static constexpr uint16_t kPortMin = 1024;

  // kube-proxy sets the first two (pkg/proxy/apis/config/v1alpha1/defaults.go); the others are the
  // kernel's (nf_conntrack_proto_tcp.c, nf_conntrack_proto_udp.c).
  struct Timeouts {
    Duration tcp_established = 24h;
    Duration tcp_close_wait = 1h;
    Duration tcp_new = 120s;
    Duration tcp_closed = 120s;
    Duration udp_new = 30s;
    Duration udp_established = 120s;
  };

  Conntrack() = default;
  explicit Conntrack(Timeouts timeouts, size_t max = kConntrackMax)
      : timeouts_(timeouts), max_(max) {}

  // The connection that a packet with these addresses belongs to; null: none. *is_reply, unless
  // null, says in which direction.
  Connection* Find(const Tuple& tuple, bool* is_reply = nullptr);
  const Connection* Peek(const Tuple& tuple) const {
    return const_cast<Conntrack*>(this)->Find(tuple);
  }
  bool Knows(const Tuple& tuple) const { return by_tuple_.contains(tuple); }
  Connection* FindById(uint64_t id);

  // Enters the connection that begins with `packet`, translated as `verdict` says;
  // `masquerade_address` is the source it gets if it is masqueraded. Errors: ResourceExhausted (the
  // table is full, or no port is free), AlreadyExists (it is known).
  absl::StatusOr<Connection*> Add(const Packet& packet, const Verdict& verdict,
                                  Ipv4 masquerade_address, Random& random, Time now);

  // A packet was seen: begins the timeout again. The first in reply direction establishes it.
  void Touch(Connection* connection, bool is_reply, Time now);
  void SetState(Connection* connection, Connection::State state, Time now);
  void Remove(uint64_t id);

  // Forgets connections whose time is up; returns them, the one that was up first in front.
  std::vector<Connection> Expire(Time now);
  // When Expire may have something to do (never later than that); kNever if the table is empty.
  Time NextExpiry() const;

  size_t size() const { return connections_.size(); }
  const std::map<uint64_t, Connection>& connections() const { return connections_; }

 private:
  struct TupleHash {
    size_t operator()(const Tuple& tuple) const;
  };
  Duration TimeoutOf(const Connection& connection) const;
  void MoveCheck(Connection* connection);
  // The translated source; none if no port is free.
  std::optional<SocketAddress> PickSource(const Tuple& wanted, bool random_port, Random& random);
  bool IsFree(const Tuple& wanted, uint16_t source_port) const;

  Timeouts timeouts_;
  size_t max_ = kConntrackMax;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Connection> connections_{};
  std::unordered_map<Tuple, uint64_t, TupleHash> by_tuple_;  // both directions; never iterated
  // Connection::check of each; may be before it expires (Touch does not move it).
  std::set<std::pair<Time, uint64_t>> checks_{};
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_CONNTRACK_H_
