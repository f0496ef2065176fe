#ifndef KUBEMU_MESSAGES_RUNTIME_CLOCK_H_
#define KUBEMU_MESSAGES_RUNTIME_CLOCK_H_

#include <chrono>

#include "messages/core/time.h"

namespace kubemu {

// What deadlines of the runtime itself (handshakes, sockets) are measured with: real time, whatever
// the time scale.
using RealTime = std::chrono::steady_clock::time_point;
inline RealTime RealNow() {
  return std::chrono::steady_clock::now();
}

// The clock of one process: CLOCK_MONOTONIC since the process began, `scale` times as fast, and
// CLOCK_REALTIME as it is.
class RuntimeClock {
 public:
  // REQUIRES: scale > 0.
  explicit RuntimeClock(double scale) : scale_(scale), start_(RealNow()) {}

  Time Now() const {
    const Duration real = RealNow() - start_;
    return Time(scale_ == 1 ? real : Duration(static_cast<int64_t>(real.count() * scale_)));
  }
  static WallTime Wall() {
    return WallTime(
        std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
  }
  // When `time` comes, at most kFarAway from now.
  RealTime RealTimeOf(Time time) const {
    constexpr Duration kFarAway = std::chrono::hours(24 * 365);
    const double real = static_cast<double>(time.time_since_epoch().count()) / scale_;
    if (real > static_cast<double>(kFarAway.count())) return start_ + kFarAway;
    return start_ + Duration(static_cast<int64_t>(real));
  }

 private:
  const double scale_;
  const RealTime start_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_CLOCK_H_
