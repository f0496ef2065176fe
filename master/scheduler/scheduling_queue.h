#ifndef KUBEMU_MASTER_SCHEDULER_SCHEDULING_QUEUE_H_
#define KUBEMU_MASTER_SCHEDULER_SCHEDULING_QUEUE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "master/scheduler/pod_info.h"
#include "messages/core/time.h"
#include "messages/trace.h"

namespace kubemu {

// A pod that waits for a node.
struct QueuedPod {
  std::shared_ptr<const PodInfo> pod;
  Trace trace;           // of what last made it worth a try
  int attempts = 0;      // tries so far
  Time since{};          // when it came, or was put back, into the queue
  uint32_t plugins = 0;  // bits of Plugin that refused it the last time
};

// The pods that wait for a node (pkg/scheduler/backend/queue). Each is in one of three places:
//   active         to be tried now: highest priority first, then the longest waiting
//   backing off    1 s after the first try, doubling up to 10 s
//   unschedulable  until something happens that may help, at most kUnschedulableMax
class SchedulingQueue {
 public:
  static constexpr Duration kBackoffInitial = 1s;
  static constexpr Duration kBackoffMax = 10s;
  static constexpr Duration kUnschedulableMax = 5min;
  static constexpr Duration kFlushInterval = 30s;

  // A new pod: active at once.
  void Add(std::shared_ptr<const PodInfo> pod, Trace trace, Time now);
  // A new version of a waiting pod. `may_help`: what changed may make it fit.
  void Update(std::shared_ptr<const PodInfo> pod, bool may_help, Trace trace, Time now);
  void Remove(const std::string& key);
  // nullptr if it does not wait here.
  const QueuedPod* Find(const std::string& key) const;

  // Takes the first active pod out; its try is counted.
  std::optional<QueuedPod> Pop();
  // Puts a popped pod back: no node fits.
  void Park(QueuedPod item, uint32_t plugins, Time now);
  // Puts a popped pod back: something went wrong; it is tried again after its back-off.
  void Retry(QueuedPod item, Time now);

  // Something happened that may help the pods that one of these plugins refused.
  void MoveFor(uint32_t plugins, Trace trace, Time now);
  // Moves what is due: ended back-offs, pods that were unschedulable for too long.
  void Flush(Time now);
  Time NextWake() const;

  size_t active() const { return active_.size(); }
  size_t backing_off() const { return backoff_.size(); }
  size_t unschedulable() const { return unschedulable_.size(); }
  size_t size() const { return pods_.size(); }

 private:
  enum class Place { kActive, kBackoff, kUnschedulable };
  struct Entry {
    QueuedPod item;
    Place place = Place::kActive;
    uint64_t sequence = 0;
    Time backoff_until{};
  };
  using ActiveKey = std::tuple<int64_t, Time, uint64_t>;  // -priority, since, sequence

  static Duration BackoffOf(int attempts);
  static ActiveKey KeyOf(const Entry& entry);
  void Enter(const std::string& key, Entry& entry, Place place);
  void Leave(const std::string& key, Entry& entry);
  void MoveOn(const std::string& key, Entry& entry, Time now);

  std::map<std::string, Entry> pods_;
  std::map<ActiveKey, std::string> active_;
  std::set<std::pair<Time, std::string>> backoff_;
  std::set<std::pair<Time, std::string>> unschedulable_;  // by since
  uint64_t next_sequence_ = 1;
  Time next_flush_{};
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_SCHEDULING_QUEUE_H_
