#ifndef KUBEMU_MESSAGES_CORE_TIME_H_
#define KUBEMU_MESSAGES_CORE_TIME_H_

#include <chrono>

namespace kubemu {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;  // 40s, 100ms: durations are written with their unit

// Tags without now(): only a runtime can make a Time out of a clock.
struct MonotonicTag {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
};
struct WallTag {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
};

// Time since the process runtime (or the simulation) began. Decides everything.
using Time = std::chrono::time_point<MonotonicTag, Duration>;

// Time since 1970-01-01T00:00:00Z. For timestamps that people read. Decides nothing.
using WallTime = std::chrono::time_point<WallTag, Duration>;

// "Only a message can wake it."
inline constexpr Time kNever = Time::max();

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_CORE_TIME_H_
