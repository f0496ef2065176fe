#ifndef KUBEMU_MESSAGES_CORE_DEADLINE_H_
#define KUBEMU_MESSAGES_CORE_DEADLINE_H_

#include "messages/core/time.h"

namespace kubemu {

// A point in time at which something is due, kept as data and polled in Component::Tick
// (TigerBeetle's Timeout). A fresh one is not set and never due.
class Deadline {
 public:
  void Set(Time at) { at_ = at; }
  void Clear() { at_ = kNever; }
  bool IsSet() const { return at_ != kNever; }
  Time at() const { return at_; }

  // True if the deadline has come. It stays due until Set or Clear.
  bool Due(Time now) const { return IsSet() && at_ <= now; }

  // True once when the deadline has come; clears it.
  bool Take(Time now) {
    if (!Due(now)) return false;
    Clear();
    return true;
  }

 private:
  Time at_ = kNever;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_CORE_DEADLINE_H_
