#include "lb/health.h"

#include <algorithm>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"

namespace kubemu {

void NodeHealth::SetNodes(const std::set<std::string>& nodes, Time now) {
  std::erase_if(nodes_, [&](const auto& entry) { return !nodes.contains(entry.first); });
  for (const std::string& name : nodes) {
    const auto [it, added] = nodes_.try_emplace(name);
    if (added) it->second.due = now;
  }
}

std::optional<NodeHealth::Change> NodeHealth::Fail(const std::string& name, Node& node,
                                                   int failures, std::string reason) {
  node.failures = failures;
  if (!node.healthy || failures < kFailuresMax) return std::nullopt;
  node.healthy = false;
  return Change{name, false, std::move(reason)};
}

std::optional<NodeHealth::Change> NodeHealth::Receive(const Message& message, Env& env) {
  if (message.kind == bus::LINK_DOWN) {
    const auto& down = message.As<bus::LinkDown>();
    const auto it = nodes_.find(down.process());
    if (it == nodes_.end()) return std::nullopt;
    it->second.awaited = 0;
    it->second.due = env.now + kInterval;
    return Fail(it->first, it->second, kFailuresMax, StrCat("link down: ", down.reason()));
  }
  if (message.kind != bus::HEALTH_CHECK_RESULT) return std::nullopt;
  const auto& result = message.As<bus::HealthCheckResult>();
  const auto it = nodes_.find(std::string(ProcessOf(message.from)));
  if (it == nodes_.end() || it->second.awaited != result.number()) return std::nullopt;
  Node& node = it->second;
  node.awaited = 0;
  node.due = env.now + kInterval;
  if (!result.healthy()) {
    return Fail(it->first, node, node.failures + 1, "its kube-proxy says it is not healthy");
  }
  node.failures = 0;
  if (node.healthy) return std::nullopt;
  node.healthy = true;
  return Change{it->first, true, "it answers health checks"};
}

std::vector<NodeHealth::Change> NodeHealth::Tick(Env& env) {
  std::vector<Change> changes;
  for (auto& [name, node] : nodes_) {
    if (node.due > env.now) continue;
    if (node.awaited != 0) {
      const int failures = std::min(node.failures + 1, kFailuresMax);
      std::optional<Change> change =
          Fail(name, node, failures, StrCat("no answer to ", kFailuresMax, " health checks"));
      if (change) changes.push_back(std::move(*change));
    }
    bus::HealthCheck check;
    check.set_number(next_);
    node.awaited = next_++;
    node.due = env.now + kTimeout;
    env.outbox.Because(Trace{});
    env.outbox.Send(name + "/kube-proxy", std::move(check));
  }
  return changes;
}

Time NodeHealth::NextWake() const {
  Time wake = kNever;
  for (const auto& [name, node] : nodes_) wake = std::min(wake, node.due);
  return wake;
}

bool NodeHealth::IsHealthy(const std::string& node) const {
  const auto it = nodes_.find(node);
  return it != nodes_.end() && it->second.healthy;
}

}  // namespace kubemu
