#ifndef KUBEMU_MESSAGES_RUNTIME_RATE_LIMITED_LOG_H_
#define KUBEMU_MESSAGES_RUNTIME_RATE_LIMITED_LOG_H_

#include <cstdint>
#include <string>

#include "messages/runtime/clock.h"

namespace kubemu {

// Warnings about what outsiders do, which must not fill a disk: at most one line per kInterval,
// with the count of those that were left out since.
class RateLimitedLog {
 public:
  static constexpr std::chrono::seconds kInterval{5};

  void Warn(const std::string& text);

 private:
  RealTime next_{};
  uint64_t suppressed_ = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_RATE_LIMITED_LOG_H_
