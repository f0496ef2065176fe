#ifndef KUBEMU_LB_BACKEND_H_
#define KUBEMU_LB_BACKEND_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lb/health.h"
#include "lb/nodes.h"
#include "lb/policies/policy.h"
#include "lb/settings.h"

namespace kubemu {

// Connections and bytes; all but `now` only grow.
struct Counters {
  uint64_t now = 0;        // connections
  uint64_t total = 0;      // connections, with those that never came about
  uint64_t bytes_in = 0;   // from clients
  uint64_t bytes_out = 0;  // to clients
};

// The nodes behind one Service: which of them may get a connection, with what share.
class Backend {
 public:
  // Envoy's defaults of outlier detection.
  static constexpr Duration kEjectionBase = 30s;  // times the number of ejections
  static constexpr Duration kEjectionMax = 300s;
  static constexpr Duration kEjectionForgive = 10s;   // in peace: one ejection less counts
  static constexpr uint64_t kEjectedPercentMax = 10;  // of the nodes; but one may always be out
  // What a newcomer gets at the beginning of slow start (Envoy: min_weight_percent).
  static constexpr uint32_t kSlowStartPercentMin = 10;

  enum class Mode { kUp, kSlowStart, kEjected, kDraining, kDown };
  struct Server {
    Ipv4 ip;
    uint32_t weight = 1;
    std::string excluded = "its node is gone";  // as LbNode's
    bool healthy = false;
    bool usable = false;  // healthy and not excluded
    Time usable_since{};
    Time unusable_since{};  // running connections have the drain time from then on
    uint64_t failures = 0;  // to connect, in all
    uint64_t failed_in_a_row = 0;
    uint64_t ejections = 0;      // in all
    int64_t ejection_level = 0;  // counts for the time of the next one
    Time ejected_until{};
    Counters counters;
  };

  // Compares with what nodes and health checks say now. Forgets nodes that are gone and have no
  // connection left.
  void Update(const LbNodes& nodes, const HealthChecks& health, const ServiceSettings& settings,
              Time now);

  // Who may get a connection, sorted by name, without those in `tried`. When only ejected ones are
  // left, these. `name`s live until the next Update.
  std::vector<Candidate> Candidates(const ServiceSettings& settings, Time now,
                                    const std::vector<std::string>& tried) const;

  void Connected(const std::string& node) { servers_.at(node).failed_in_a_row = 0; }
  // A connection could not be made. True if the node is ejected for it.
  bool Failed(const std::string& node, const ServiceSettings& settings, Time now);

  Mode ModeOf(const Server& server, const ServiceSettings& settings, Time now) const;
  // The percentage of its weight that a node has at this moment.
  static uint32_t SharePercent(const Server& server, const ServiceSettings& settings, Time now);

  Server* Find(const std::string& node);
  const std::map<std::string, Server>& servers() const { return servers_; }

 private:
  bool MayEject(const std::string& node, Time now) const;

  std::map<std::string, Server> servers_;
};

// "up", "slow-start", "ejected", "draining", "down".
std::string_view ModeName(Backend::Mode mode);

}  // namespace kubemu

#endif  // KUBEMU_LB_BACKEND_H_
