#ifndef KUBEMU_MASTER_APISERVER_EVENT_LOG_H_
#define KUBEMU_MASTER_APISERVER_EVENT_LOG_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "messages/object.h"

namespace kubemu {

// One change of one object, as the store reported it.
struct CacheEvent {
  uint64_t revision = 0;
  Object before;  // none: created. Of a deletion: the last state with resourceVersion = revision
  Object after;   // none: deleted
};

// The recent changes of the objects of one kind, in order of their revisions: what a watch from a
// revision is answered from. Entries have consecutive positions that never change.
class EventLog {
 public:
  // Entries kept; a watch from before the oldest is answered with 410.
  static constexpr size_t kWatchWindowMax = 10'000;

  void Append(CacheEvent event);
  // Everything up to and including `revision` is not in the log (what was before a restart).
  void StartAfter(uint64_t revision) { dropped_revision_ = revision; }

  uint64_t begin() const { return first_; }
  uint64_t end() const { return first_ + events_.size(); }
  // REQUIRES: begin() <= position < end().
  const CacheEvent& At(uint64_t position) const { return events_[position - first_]; }

  // Position of the first event after `revision`; none if the log no longer reaches back that far.
  std::optional<uint64_t> PositionAfter(uint64_t revision) const;

  // The newest revision that is no longer in the log.
  uint64_t dropped_revision() const { return dropped_revision_; }

 private:
  std::deque<CacheEvent> events_;
  uint64_t first_ = 0;
  uint64_t dropped_revision_ = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_EVENT_LOG_H_
