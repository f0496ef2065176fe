#ifndef KUBEMU_MESSAGES_TRACE_H_
#define KUBEMU_MESSAGES_TRACE_H_

#include <cstdint>

namespace kubemu {

// Where something came from: the trace it belongs to and the message that caused it. Kept beside
// everything that is acted on later (objects, work queues), so that what a part does because of a
// message carries on the trace of that message.
struct Trace {
  uint64_t trace_id = 0;  // 0: begins a new trace
  uint64_t cause = 0;     // message id; 0: a timer or a door

  friend bool operator==(const Trace&, const Trace&) = default;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_TRACE_H_
