#ifndef KUBEMU_MASTER_CONTROLLERS_WORK_QUEUE_H_
#define KUBEMU_MASTER_CONTROLLERS_WORK_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "messages/core/time.h"
#include "messages/trace.h"

namespace kubemu {

// The keys ("namespace/name") that a reconciler has to look at, each with the trace of what made it
// necessary. After client-go's workqueue: a key waits once however often it is added; one that was
// taken is not given out again before Done or Fail, and then at once if it was added meanwhile.
//
// Keys come out in the order in which they become due, then in which they were added: the same on
// every run. There are never more keys than objects (Store::kKeysMax) and their failed deletions.
//
// The usual part: Receive only adds; Tick takes until there is nothing due, so that all that
// happened to a key within one turn is one piece of work. NextWake() goes into the part's own.
class WorkQueue {
 public:
  // A key that failed n times in a row waits min(5 ms * 2^(n-1), 1000 s)
  // (client-go/util/workqueue/default_rate_limiters.go).
  static constexpr Duration kBackOffMin = 5ms;
  static constexpr Duration kBackOffMax = 1000s;

  struct Item {
    std::string key;
    Trace trace;  // to be given to env.outbox.Because() before anything is sent for the key
  };

  // Due at once, also if the key waits for something later.
  void Add(const std::string& key, Trace trace);
  // Due at `at`, or earlier if the key waits for something earlier.
  void AddAt(const std::string& key, Trace trace, Time at);

  // The next key that is due; it is then in work.
  std::optional<Item> Take(Time now);
  // The work on a key that was taken is finished: its back-off begins anew.
  void Done(const std::string& key);
  // The work on a key that was taken failed: it is due again after its back-off.
  void Fail(const std::string& key, Trace trace, Time now);

  bool InWork(const std::string& key) const;
  // When Take has something to give. Time{} (the beginning) for keys that are due at once.
  Time NextWake() const { return waiting_.empty() ? kNever : waiting_.begin()->first.first; }
  size_t waiting() const { return waiting_.size(); }

 private:
  struct State {
    Trace trace;
    Time due = kNever;  // kNever: does not wait
    uint64_t order = 0;
    bool in_work = false;
    int failures = 0;
  };
  void Wait(const std::string& key, State& state, Time at);

  uint64_t next_order_ = 1;
  std::map<std::string, State> states_;
  std::map<std::pair<Time, uint64_t>, std::string> waiting_;  // not those in work
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_WORK_QUEUE_H_
