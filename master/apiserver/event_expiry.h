#ifndef KUBEMU_MASTER_APISERVER_EVENT_EXPIRY_H_
#define KUBEMU_MASTER_APISERVER_EVENT_EXPIRY_H_

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "messages/core/time.h"
#include "messages/object.h"

namespace kubemu {

// Events are forgotten an hour after their last write (--event-ttl), and sooner when there are very
// many of them.
class EventExpiry {
 public:
  static constexpr Duration kTtl = 3600s;
  static constexpr size_t kEventsMax = 50'000;

  // An Event was written.
  void Written(const Object& event, Time now);

  struct Due {
    std::string ns;
    std::string name;
    uint64_t revision = 0;  // if it has another one by now, it was written again: it stays
  };
  // Those whose time has come; each is given out once.
  std::vector<Due> TakeDue(Time now);
  Time NextWake() const;

 private:
  struct Entry {
    Time at;
    Due due;
  };
  std::deque<Entry> entries_;  // in order of time
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_EVENT_EXPIRY_H_
