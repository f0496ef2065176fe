#ifndef KUBEMU_NODE_KUBELET_BACK_OFF_H_
#define KUBEMU_NODE_KUBELET_BACK_OFF_H_

#include <algorithm>

#include "messages/core/time.h"
#include "node/kubelet/kubelet_options.h"

namespace kubemu {

// How long the kubelet waits before it tries again what failed: 10 s, then twice as long each time,
// up to 300 s; from the beginning when the last try is longer ago than 600 s before the failure.
// The first failure costs nothing (client-go util/flowcontrol/backoff.go).
class BackOff {
 public:
  // When it may be tried again after a failure at `failed`. Not later than `failed` if at once.
  Time Until(Time failed) const { return Expired(failed) ? failed : failed + delay_; }

  // It is tried again now, after a failure at `failed`.
  void Next(Time failed, Time now) {
    delay_ = Expired(failed) ? kBackOffMin : std::min(delay_ * 2, kBackOffMax);
    last_ = now;
  }
  Duration delay() const { return delay_; }

 private:
  bool Expired(Time failed) const {
    return delay_ == Duration{} || failed - last_ > 2 * kBackOffMax;
  }
  Duration delay_{};
  Time last_{};
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_BACK_OFF_H_
