#include "lb/backend.h"

#include <algorithm>

namespace kubemu {

std::string_view ModeName(Backend::Mode mode) {
  switch (mode) {
    case Backend::Mode::kUp:
      return "up";
    case Backend::Mode::kSlowStart:
      return "slow-start";
    case Backend::Mode::kEjected:
      return "ejected";
    case Backend::Mode::kDraining:
      return "draining";
    case Backend::Mode::kDown:
      return "down";
  }
  return "";
}

void Backend::Update(const LbNodes& nodes, const HealthChecks& health,
                     const ServiceSettings& settings, Time now) {
  for (const auto& [name, info] : nodes) servers_.try_emplace(name);
  for (auto it = servers_.begin(); it != servers_.end();) {
    Server& server = it->second;
    const auto node = nodes.find(it->first);
    if (node == nodes.end()) {
      if (server.counters.now == 0) {
        it = servers_.erase(it);
        continue;
      }
      server.excluded = "its node is gone";
      server.healthy = false;
    } else {
      server.ip = node->second.ip;
      server.weight = node->second.weight;
      server.excluded = node->second.excluded;
      server.healthy = health.IsUp({it->first, settings.health_port});
    }
    const bool usable = server.healthy && server.excluded.empty();
    if (usable != server.usable) (usable ? server.usable_since : server.unusable_since) = now;
    server.usable = usable;
    ++it;
  }
}

uint32_t Backend::SharePercent(const Server& server, const ServiceSettings& settings, Time now) {
  const Duration since = now - server.usable_since;
  if (settings.slow_start <= since) return 100;
  return std::max(kSlowStartPercentMin, static_cast<uint32_t>(since * 100 / settings.slow_start));
}

std::vector<Candidate> Backend::Candidates(const ServiceSettings& settings, Time now,
                                           const std::vector<std::string>& tried) const {
  std::vector<Candidate> candidates;
  std::vector<Candidate> ejected;
  for (const auto& [name, server] : servers_) {
    if (!server.usable || std::find(tried.begin(), tried.end(), name) != tried.end()) continue;
    const uint32_t weight = settings.policy == PolicyKind::kWeighted ? server.weight : 1;
    if (weight == 0) continue;
    (server.ejected_until > now ? ejected : candidates)
        .push_back({name, weight * SharePercent(server, settings, now), server.counters.now});
  }
  return candidates.empty() ? ejected : candidates;
}

bool Backend::MayEject(const std::string& node, Time now) const {
  uint64_t ejected = 0;
  uint64_t others_left = 0;
  for (const auto& [name, server] : servers_) {
    if (server.ejected_until > now) {
      ++ejected;
    } else if (name != node && server.usable) {
      ++others_left;
    }
  }
  const uint64_t allowed = std::max<uint64_t>(1, servers_.size() * kEjectedPercentMax / 100);
  return others_left > 0 && ejected < allowed;
}

bool Backend::Failed(const std::string& node, const ServiceSettings& settings, Time now) {
  Server& server = servers_.at(node);
  ++server.failures;
  ++server.failed_in_a_row;
  if (settings.ejection_failures == 0 || server.failed_in_a_row < settings.ejection_failures ||
      server.ejected_until > now || !MayEject(node, now)) {
    return false;
  }
  const int64_t forgiven = (now - server.ejected_until) / kEjectionForgive;
  server.ejection_level = std::max<int64_t>(0, server.ejection_level - forgiven) + 1;
  server.ejected_until = now + std::min(kEjectionMax, kEjectionBase * server.ejection_level);
  server.failed_in_a_row = 0;
  ++server.ejections;
  return true;
}

Backend::Mode Backend::ModeOf(const Server& server, const ServiceSettings& settings,
                              Time now) const {
  if (!server.usable) {
    return !server.excluded.empty() || server.counters.now > 0 ? Mode::kDraining : Mode::kDown;
  }
  if (server.ejected_until > now) return Mode::kEjected;
  return SharePercent(server, settings, now) < 100 ? Mode::kSlowStart : Mode::kUp;
}

Backend::Server* Backend::Find(const std::string& node) {
  const auto it = servers_.find(node);
  return it == servers_.end() ? nullptr : &it->second;
}

}  // namespace kubemu
