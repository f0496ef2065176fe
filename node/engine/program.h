#ifndef KUBEMU_NODE_ENGINE_PROGRAM_H_
#define KUBEMU_NODE_ENGINE_PROGRAM_H_

#include <string>
#include <vector>

#include "messages/core/time.h"
#include "node/network/server_spec.h"

namespace kubemu {

// One step of what an emulated container does. Every command leaves a status (0: it succeeded),
// which the jumps look at.
struct Step {
  enum class Kind {
    kEcho,      // writes `text` to the log; status 0
    kSleep,     // for `duration`; status 0
    kStatus,    // sets the status to `code`
    kFetch,     // wget or curl of `text`, `code`: FetchFlags (net_commands.h)
    kLookup,    // nslookup of `text`, `code`: the type, 0 for A and AAAA
    kExit,      // ends with `code`, or with the status if `code` is negative
    kJump,      // to step `code`
    kJumpOk,    // to step `code` if the status is 0
    kJumpFail,  // to step `code` if it is not
    kServe,     // keeps running until it is stopped
  };
  Kind kind;
  std::string text = {};
  Duration duration = {};
  int code = 0;
};

// What an emulated container does from its start to its end. Made from an image, its command and
// its arguments; a value.
struct ContainerProgram {
  Duration start_delay = 5ms;       // until it runs
  std::vector<Step> steps;          // at their end it exits with the status
  std::vector<ServerSpec> servers;  // listened on from the start
  std::string start_error;          // if set: it cannot be started ("executable file not found")
  // A process that does not handle SIGTERM is not ended by it when it is the container's first
  // process (pid 1), as in Linux: it takes the whole grace period.
  bool handles_term = true;
  int term_exit_code = 0;  // how it ends after SIGTERM
  // After SIGTERM (or the image's own STOPSIGNAL) it takes no new connection, answers what it has
  // been asked, closes its connections and then ends. Otherwise it ends at once.
  bool drains = false;
  Duration drain_idle{};  // how long an idle connection stays open meanwhile
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_ENGINE_PROGRAM_H_
