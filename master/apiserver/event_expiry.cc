#include "master/apiserver/event_expiry.h"

#include <utility>

#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

void EventExpiry::Written(const Object& event, Time now) {
  entries_.push_back(
      {now + kTtl, {event.meta().namespace_(), event.meta().name(), event.revision()}});
}

std::vector<EventExpiry::Due> EventExpiry::TakeDue(Time now) {
  std::vector<Due> due;
  while (!entries_.empty() && (entries_.front().at <= now || entries_.size() > kEventsMax)) {
    due.push_back(std::move(entries_.front().due));
    entries_.pop_front();
  }
  return due;
}

Time EventExpiry::NextWake() const {
  if (entries_.empty()) return kNever;
  return entries_.size() > kEventsMax ? Time{} : entries_.front().at;
}

}  // namespace kubemu
