#include "messages/runtime/rate_limited_log.h"

#include <spdlog/spdlog.h>

namespace kubemu {

void RateLimitedLog::Warn(const std::string& text) {
  const RealTime now = RealNow();
  if (now < next_) {
    ++suppressed_;
    return;
  }
  next_ = now + kInterval;
  if (suppressed_ == 0) {
    spdlog::warn("{}", text);
  } else {
    spdlog::warn("{} (and {} more like it)", text, suppressed_);
  }
  suppressed_ = 0;
}

}  // namespace kubemu
