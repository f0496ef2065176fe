#ifndef KUBEMU_MASTER_CONTROLLERS_ZONE_EVICTIONS_H_
#define KUBEMU_MASTER_CONTROLLERS_ZONE_EVICTIONS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "messages/core/time.h"

namespace kubemu {

// Which node gets its NoExecute taint when: one queue and one rate per zone, lowered when much of
// the zone is ill, because then it is more likely that the network is. Zones are served
// independently; within a zone first come, first served.
// Rules: pkg/controller/nodelifecycle/node_lifecycle_controller.go (handleDisruption).
class ZoneEvictions {
 public:
  struct Options {
    double rate = 0.1;             // nodes a second; the first is at once
    double secondary_rate = 0.01;  // of a partly ill zone with more than large_zone nodes
    size_t large_zone = 50;        // a smaller one that is partly ill: no evictions
    double unhealthy_threshold = 0.55;
  };
  struct Counts {
    size_t ready = 0;
    size_t not_ready = 0;
  };

  explicit ZoneEvictions(Options options) : options_(options) {}

  // The state of all zones that have nodes.
  void SetZones(const std::map<std::string, Counts>& zones);
  // Every zone has nodes, and none of them is ready: more likely it is us who are cut off.
  bool all_ill() const { return all_ill_; }

  // Adding a node that waits already changes nothing.
  void Add(const std::string& node, const std::string& zone);
  void Remove(const std::string& node);

  // The next node whose turn it is; none before NextWake().
  std::optional<std::string> Take(Time now);
  Time NextWake() const;

 private:
  struct Zone {
    double rate = 0;                          // a new zone begins with options_.rate
    std::optional<Time> last;                 // when the last node was taken
    std::map<uint64_t, std::string> waiting;  // in order of coming
  };
  double RateOf(const Counts& counts) const;
  static Time DueOf(const Zone& zone);
  Zone& Get(const std::string& zone);

  const Options options_;
  bool all_ill_ = false;
  uint64_t next_ = 1;
  std::map<std::string, Zone> zones_;
  std::map<std::string, std::pair<std::string, uint64_t>> places_;  // node -> zone, place
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_ZONE_EVICTIONS_H_
