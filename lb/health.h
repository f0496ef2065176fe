#ifndef KUBEMU_LB_HEALTH_H_
#define KUBEMU_LB_HEALTH_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lb/check_client.h"
#include "messages/component.h"
#include "messages/core/ip.h"

namespace kubemu {

// Which nodes answer, and on which port: kube-proxy's healthz (10256) and the health check node
// ports of Services with externalTrafficPolicy Local, each checked on its own.
class HealthChecks {
 public:
  // A node that falls silent without a word is out after at most kInterval + kFall * kTimeout,
  // 2.8 s; one that refuses after kInterval + (kFall - 1) * kFastInterval; one whose process ends
  // at once, by LinkDown. HAProxy's defaults (inter 2s fall 3 rise 2) take 6 s for it.
  static constexpr Duration kInterval = 1s;         // from one check's start to the next one's
  static constexpr Duration kFastInterval = 200ms;  // while the state is about to change
  static constexpr Duration kTimeout = 600ms;       // of one check, connecting included
  static constexpr int kFall = 3;                   // failures in a row take a node out
  static constexpr int kRise = 2;                   // good ones in a row bring it back
  static constexpr uint64_t kYoungChecks = 10;      // so many of a newcomer are fast, too
  static constexpr int kChecksPerSecondMax = 500;   // with more targets kInterval gets longer
  static constexpr size_t kTargetsMax = 16384;      // more are not checked and never get up

  struct Target {
    std::string node;
    uint16_t port = 0;
    auto operator<=>(const Target&) const = default;
  };
  struct State {
    Ipv4 ip;
    bool up = false;  // one good check brings a newcomer up, kRise a node that was down
    bool been_up = false;
    int streak = 0;       // checks in a row that speak against `up`
    uint64_t checks = 0;  // that ended
    uint64_t failures = 0;
    std::string result = "not checked yet";  // of the last one
    WallTime at{};                           // when it ended
    // The check in flight (0: none), when it began, and when its time is up or the next one is due.
    uint64_t check = 0;
    Time began{};
    Time due{};
  };
  struct Change {
    Target target;
    bool up;
    std::string reason;
  };

  explicit HealthChecks(Ipv4 self) : client_(self) {}

  // What to check from now on, and at which address. The rest is forgotten.
  void SetTargets(const std::map<Target, Ipv4>& targets, Env& env);

  // Handles the flows of checks, LinkDown and LinkUp.
  std::vector<Change> Receive(const Message& message, Env& env);
  // Begins the checks that are due and ends those that took too long.
  std::vector<Change> Tick(Env& env);
  Time NextWake() const { return due_.empty() ? kNever : due_.begin()->first; }

  bool IsUp(const Target& target) const;
  const std::map<Target, State>& targets() const { return targets_; }

 private:
  Duration Interval() const {
    return std::max(kInterval,
                    static_cast<int64_t>(targets_.size()) * Duration(1s) / kChecksPerSecondMax);
  }
  void SetDue(const Target& target, State& state, Time at);
  void End(const Target& target, State& state, bool passed, std::string text, Env& env,
           std::vector<Change>* changes);
  void OnLinkDown(const std::string& process, const std::string& reason, Env& env,
                  std::vector<Change>* changes);
  void OnLinkUp(const std::string& process, Env& env);

  CheckClient client_;
  std::map<Target, State> targets_;
  std::map<uint64_t, Target> in_flight_;  // by check
  std::set<std::pair<Time, Target>> due_;
};

}  // namespace kubemu

#endif  // KUBEMU_LB_HEALTH_H_
