#ifndef KUBEMU_LB_POLICIES_POLICY_H_
#define KUBEMU_LB_POLICIES_POLICY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"
#include "messages/core/random.h"

namespace kubemu {

// A node that may get a connection.
struct Candidate {
  std::string_view name;
  uint32_t weight = 1;       // > 0; its share, relative to the others'
  uint64_t connections = 0;  // that it has now
};

// Which connection it is. Hashes see nothing else.
struct ConnectionKey {
  SocketAddress client;
  SocketAddress service;
};

// Decides which node gets a connection. Deterministic: the same calls with the same random stream
// give the same nodes. What it remembers is bounded by the number of candidates.
class Policy {
 public:
  virtual ~Policy() = default;

  // The index of the chosen candidate. REQUIRES: `candidates` is not empty and sorted by name.
  virtual size_t Pick(const std::vector<Candidate>& candidates, const ConnectionKey& key,
                      Random& random) = 0;
};

enum class PolicyKind {
  kRoundRobin,        // one after the other
  kLeastConnections,  // fewest connections for its weight; among equals one after the other
  kRandomTwo,         // two at random, of them the one with fewer connections
  kWeighted,          // by the nodes' own weights, as evenly spread in time as can be
  kSourceHash,        // by the client's address
  kMaglev,            // by the connection's addresses and ports
};

inline constexpr PolicyKind kAllPolicies[] = {
    PolicyKind::kRoundRobin, PolicyKind::kLeastConnections, PolicyKind::kRandomTwo,
    PolicyKind::kWeighted,   PolicyKind::kSourceHash,       PolicyKind::kMaglev};

// "round-robin", "least-connections", "random-two", "weighted", "source-hash", "maglev".
std::string_view PolicyName(PolicyKind kind);
std::optional<PolicyKind> ParsePolicy(std::string_view name);

class MaglevTables;

// `tables` is not owned; only kMaglev uses it.
std::unique_ptr<Policy> MakePolicy(PolicyKind kind, MaglevTables* tables);

// A bijection that spreads close numbers over all 64 bits (the end of MurmurHash3).
constexpr uint64_t MixBits(uint64_t value) {
  value = (value ^ value >> 33) * 0xff51afd7ed558ccd;
  value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53;
  return value ^ value >> 33;
}

}  // namespace kubemu

#endif  // KUBEMU_LB_POLICIES_POLICY_H_
