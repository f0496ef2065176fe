#ifndef KUBEMU_MESSAGES_API_HUMAN_DURATION_H_
#define KUBEMU_MESSAGES_API_HUMAN_DURATION_H_

#include <string>

#include "messages/core/time.h"

namespace kubemu {

// How kubectl writes an age: "119s", "5m3s", "179m", "3h2m", "47h", "7d3h", "700d", "3y40d".
// A clock that is up to a second ahead gives "0s", more than that "<invalid>".
// Rules: apimachinery/pkg/util/duration/duration.go.
std::string HumanDuration(Duration age);

// The age of something created at `created`, "<unknown>" when `created` is the zero WallTime.
std::string HumanAge(WallTime created, WallTime now);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_HUMAN_DURATION_H_
