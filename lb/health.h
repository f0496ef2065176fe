#ifndef KUBEMU_LB_HEALTH_H_
#define KUBEMU_LB_HEALTH_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "messages/component.h"

namespace kubemu {

// Which nodes answer. Asks each node's kube-proxy every kInterval (its health endpoint, port
// 10256); kFailuresMax checks in a row without an answer take a node out, one good answer brings
// it back. A node starts as healthy only after its first answer.
class NodeHealth {
 public:
  static constexpr Duration kInterval = 2s;
  static constexpr Duration kTimeout = 1s;
  static constexpr int kFailuresMax = 3;

  // A node's state changed.
  struct Change {
    std::string node;
    bool healthy;
    std::string reason;
  };

  // The nodes to check from now on. Nodes that are no longer among them are forgotten.
  void SetNodes(const std::set<std::string>& nodes, Time now);

  // Handles HealthCheckResult and LinkDown.
  std::optional<Change> Receive(const Message& message, Env& env);

  // Sends the checks that are due and counts those that were not answered.
  std::vector<Change> Tick(Env& env);
  Time NextWake() const;

  bool IsHealthy(const std::string& node) const;

 private:
  struct Node {
    bool healthy = false;
    int failures = 0;
    uint64_t awaited = 0;  // number of the check in flight; 0: none
    Time due{};            // of the next check, or of the answer
  };
  std::optional<Change> Fail(const std::string& name, Node& node, int failures, std::string reason);

  uint64_t next_ = 1;
  std::map<std::string, Node> nodes_;
};

}  // namespace kubemu

#endif  // KUBEMU_LB_HEALTH_H_
