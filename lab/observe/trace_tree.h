#ifndef KUBEMU_LAB_OBSERVE_TRACE_TREE_H_
#define KUBEMU_LAB_OBSERVE_TRACE_TREE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/observe/message_log.h"

namespace kubemu {

// The trace of the last command of a kind: "last-apply" (a write by kubectl apply), "last" (any
// request from outside), or a trace id in hexadecimal. Nothing if there is none.
std::optional<uint64_t> FindTrace(MessageLog& log, const std::string& which);

struct TraceTreeOptions {
  bool full = false;  // also answers, the store's messages and what led to nothing
  bool color = false;
};

// What one request caused, as lines: each message below the one that caused it, with the time
// since the first. Without `full` a branch is kept only if it changes something: it ends in a
// write, a rule set, a container or an answer to the outside.
std::vector<std::string> TraceTree(MessageLog& log, uint64_t trace_id,
                                   const TraceTreeOptions& options);

}  // namespace kubemu

#endif  // KUBEMU_LAB_OBSERVE_TRACE_TREE_H_
