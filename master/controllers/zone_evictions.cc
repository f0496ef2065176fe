#include "master/controllers/zone_evictions.h"

#include <algorithm>
#include <utility>

namespace kubemu {
namespace {

bool IsIll(const ZoneEvictions::Counts& counts) {
  return counts.ready == 0 && counts.not_ready > 0;
}

}  // namespace

void ZoneEvictions::SetZones(const std::map<std::string, Counts>& zones) {
  all_ill_ = !zones.empty() && std::all_of(zones.begin(), zones.end(),
                                           [](const auto& zone) { return IsIll(zone.second); });
  for (const auto& [name, counts] : zones) Get(name).rate = RateOf(counts);
}

double ZoneEvictions::RateOf(const Counts& counts) const {
  if (all_ill_) return 0;
  if (IsIll(counts)) return options_.rate;  // other zones are well: this one is really lost
  const size_t total = counts.ready + counts.not_ready;
  const bool is_partly_ill =
      counts.not_ready > 2 && static_cast<double>(counts.not_ready) >=
                                  options_.unhealthy_threshold * static_cast<double>(total);
  if (!is_partly_ill) return options_.rate;
  return total > options_.large_zone ? options_.secondary_rate : 0;
}

ZoneEvictions::Zone& ZoneEvictions::Get(const std::string& zone) {
  const auto [it, is_new] = zones_.try_emplace(zone);
  if (is_new) it->second.rate = options_.rate;
  return it->second;
}

void ZoneEvictions::Add(const std::string& node, const std::string& zone) {
  const auto it = places_.find(node);
  if (it != places_.end() && it->second.first == zone) return;
  Remove(node);
  Get(zone).waiting.emplace(next_, node);
  places_[node] = {zone, next_++};
}

void ZoneEvictions::Remove(const std::string& node) {
  const auto it = places_.find(node);
  if (it == places_.end()) return;
  Get(it->second.first).waiting.erase(it->second.second);
  places_.erase(it);
}

Time ZoneEvictions::DueOf(const Zone& zone) {
  if (zone.waiting.empty() || zone.rate <= 0) return kNever;
  if (!zone.last) return Time{};
  return *zone.last +
         std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / zone.rate));
}

std::optional<std::string> ZoneEvictions::Take(Time now) {
  for (auto& [name, zone] : zones_) {
    if (DueOf(zone) > now) continue;
    std::string node = zone.waiting.begin()->second;
    zone.last = now;
    Remove(node);
    return node;
  }
  return std::nullopt;
}

Time ZoneEvictions::NextWake() const {
  Time wake = kNever;
  for (const auto& [name, zone] : zones_) wake = std::min(wake, DueOf(zone));
  return wake;
}

}  // namespace kubemu
