#ifndef KUBEMU_NODE_KUBELET_GO_DURATION_H_
#define KUBEMU_NODE_KUBELET_GO_DURATION_H_

#include <string>

#include "messages/core/time.h"

namespace kubemu {

// Go's way to write a duration, to the millisecond: "10s", "1m20s", "1.5s", "250ms", "0s".
std::string GoDuration(Duration duration);

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_GO_DURATION_H_
