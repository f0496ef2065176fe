#ifndef KUBEMU_NODE_ENGINE_SERVICE_ARGS_H_
#define KUBEMU_NODE_ENGINE_SERVICE_ARGS_H_

#include <string>
#include <string_view>
#include <vector>

#include "node/engine/program.h"

namespace kubemu {

// The image kubemu/service: an HTTP service that does what its arguments say. Each flag is
// "--name value" or "--name=value"; durations are "5ms", "2s", "1m".
//
//   --listen [IP]:PORT   where it listens (default :8080; an IP of 127.0.0.1 makes the port
//                        reachable for containers of its own pod only); may be repeated
//   --answer TEXT        first line of its answers (default "hello"); pod and node follow
//   --delay TIME         before each answer
//   --jitter TIME        up to so much more, at random
//   --fail P             answers 500 with probability P, 0 to 1
//   --call URL           calls http://host:port/path for each request and adds the answer to its
//                        own; 502 if that fails; may be repeated
//   --ready-after TIME   answers 503 until so long after its start
//   --start-delay TIME   between the container's creation and its start
//   --exit-after TIME    ends so long after its start
//   --exit-code N        with this code (default 0)
//   --on-term HOW        what SIGTERM does: exit (at once; the default), drain (takes no new
//                        connection, answers what is asked with "Connection: close", ends when the
//                        last connection has), ignore (until SIGKILL)
//   --proxy-protocol     expects a PROXY header (version 1 or 2) at the beginning of a connection;
//                        its answers end with a line "client: IP:PORT"
//   --echo               speaks no HTTP: sends back what it gets
//
// A wrong flag makes a program that says what is wrong and exits with 2.
void ParseServiceArgs(const std::vector<std::string>& args, const std::string& pod,
                      const std::string& node, ContainerProgram* program);

// ":8080", "127.0.0.1:9000", "8080". False if it is none of these.
bool ParseListen(std::string_view text, ServerSpec* server);

}  // namespace kubemu

#endif  // KUBEMU_NODE_ENGINE_SERVICE_ARGS_H_
