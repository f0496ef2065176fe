#ifndef KUBEMU_NODE_IPTABLES_EVALUATE_H_
#define KUBEMU_NODE_IPTABLES_EVALUATE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"
#include "messages/core/random.h"
#include "messages/core/time.h"
#include "node/iptables/packet.h"
#include "node/iptables/ruleset.h"

namespace kubemu::iptables {

// The addresses of "addrtype LOCAL": this node's own.
class LocalAddresses {
 public:
  void Add(Ipv4Network network) { networks_.push_back(network); }
  bool Contains(Ipv4 ip) const {
    for (const Ipv4Network& network : networks_) {
      if (network.Contains(ip)) return true;
    }
    return false;
  }

 private:
  std::vector<Ipv4Network> networks_{};
};

// A walk that changes nothing: no counter, no list of "-m recent", and draws end as planned.
struct Rehearsal {
  struct Draw {
    double odds = 0;  // that its rule matches
    bool hit = false;
  };
  std::vector<bool> plan{};   // whether they hit, in their order; those beyond it do
  std::vector<Draw> draws{};  // those of the walk
};

struct Surroundings {
  const LocalAddresses& local;
  Random& random;
  Time now{};                      // for -m recent
  Rehearsal* rehearsal = nullptr;  // null: this is a real packet
};

struct Verdict {
  enum class Action : uint8_t { kAccept, kDrop, kReject };
  Action action = Action::kAccept;
  Reject::With reject_with = Reject::With::kPortUnreachable;  // kReject
  std::optional<SocketAddress> dnat{};                        // the new destination
  bool masquerade = false;    // the source becomes an address of this node
  bool random_fully = false;  // its port is chosen at random
  bool to_local = false;      // for the node itself (INPUT); false: passed on (FORWARD)
  uint32_t mark = 0;
  // Who dropped or rejected: chain and rule number from 1, 0 for the chain's policy.
  std::string_view chain{};
  size_t rule_number = 0;
};

// One rule that the packet met, for "explain".
struct TraceStep {
  Table table = Table::kNat;
  std::string_view hook{};  // built-in chain
  std::string_view chain{};
  size_t rule_number = 0;  // from 1; 0: the end of the chain (its policy, or back to the caller)
  const Rule* rule = nullptr;
  bool matched = false;
  Counters counters{};  // of the rule or the policy, this packet included
  // What did not match ("destination 10.0.0.1 is not 10.0.0.2/32"), or all that did.
  std::string why{};
};
using PacketTrace = std::vector<TraceStep>;

// Follows the packet through the tables in the kernel's order:
//   from outside:  nat PREROUTING, is it for this node?, then filter INPUT and nat INPUT, or filter
//                  FORWARD and nat POSTROUTING;
//   local process: nat OUTPUT, filter OUTPUT, nat POSTROUTING, and filter INPUT if it is for this
//                  node.
// Counts in the rules that matched. With a trace every rule is looked at (no index) and noted; the
// verdict is the same. Pointers in verdict and trace live until the next Restore.
Verdict Evaluate(Ruleset& ruleset, const Packet& packet, const Surroundings& surroundings,
                 PacketTrace* trace = nullptr);

// Evaluate as a rehearsal. REQUIRES: surroundings.rehearsal.
Verdict Rehearse(const Ruleset& ruleset, const Packet& packet, const Surroundings& surroundings,
                 PacketTrace* trace = nullptr);

// The trace as text, one line per step, with counters.
std::string TraceText(const PacketTrace& trace);

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_EVALUATE_H_
