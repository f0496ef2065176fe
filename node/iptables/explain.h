#ifndef KUBEMU_NODE_IPTABLES_EXPLAIN_H_
#define KUBEMU_NODE_IPTABLES_EXPLAIN_H_

// What would become of a packet, and why; nothing is changed by asking.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "node/iptables/conntrack.h"
#include "node/iptables/evaluate.h"
#include "node/iptables/routes.h"

namespace kubemu::iptables {

// One way that a packet can take through the rules, with the draws it depends on.
struct Outcome {
  Verdict verdict{};
  std::vector<Rehearsal::Draw> draws{};
  double odds = 1;  // of all its draws together
};

// Ways that are told apart; with more the rest is left out.
inline constexpr size_t kOutcomesMax = 4096;

// All ways with odds above 0, those whose draws hit first in front.
std::vector<Outcome> AllOutcomes(const Ruleset& ruleset, const Packet& packet,
                                 const LocalAddresses& local, Time now);

struct Explanation {
  Packet packet{};
  // What conntrack knows of the packet; none: a new connection begins with it. With a source port
  // of 0, how many connections there are from that address to that destination.
  std::optional<Connection> known{};
  Duration expires_in{};
  size_t known_from_source = 0;

  std::vector<Outcome> outcomes{};
  Outcome chosen{};     // one of them, drawn from the packet's own addresses
  PacketTrace trace{};  // its way
  // Where the packet goes after the rules, and the source address it then has.
  SocketAddress destination{};
  Ipv4 source{};
  Routes::Hop hop{};
};

// REQUIRES: routes.HasNode(). Pointers in it live until the next Restore.
Explanation Explain(const Ruleset& ruleset, const Conntrack& conntrack, const Routes& routes,
                    Packet packet, Time now);

// For people: one line per fact and per rule; and for scripts: a JSON object.
std::string ExplainText(const Explanation& explanation);
std::string ExplainJson(const Explanation& explanation);

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_EXPLAIN_H_
