#include "master/apiserver/event_log.h"

#include <algorithm>
#include <utility>

namespace kubemu {

void EventLog::Append(CacheEvent event) {
  events_.push_back(std::move(event));
  if (events_.size() <= kWatchWindowMax) return;
  dropped_revision_ = events_.front().revision;
  events_.pop_front();
  ++first_;
}

std::optional<uint64_t> EventLog::PositionAfter(uint64_t revision) const {
  if (revision < dropped_revision_) return std::nullopt;
  const auto it = std::upper_bound(
      events_.begin(), events_.end(), revision,
      [](uint64_t wanted, const CacheEvent& event) { return wanted < event.revision; });
  return first_ + static_cast<uint64_t>(it - events_.begin());
}

}  // namespace kubemu
