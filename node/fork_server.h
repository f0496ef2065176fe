#ifndef KUBEMU_NODE_FORK_SERVER_H_
#define KUBEMU_NODE_FORK_SERVER_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kubemu {

// The warm parent of many nodes (`kubemu-node --serve-forks`): everything is loaded, and there is
// neither a ZeroMQ context nor a thread, so that forking is safe and cheap (DESIGN.md 7). It reads
// one request per line from stdin,
//   {"args": ["--name", "node-1", ...], "log": "/path/node-1.log"}
// forks a child for each, and answers on stdout with {"pid": 123}, or {"error": "why"}. A child is
// a process like any other: own session, stdout and stderr appended to its log.
//
// The line {"commit": true}, which gets no answer, says that whoever asks has noted the children so
// far: they outlive the parent. When stdin ends, the others are ended with SIGTERM: a start that
// was interrupted leaves no process that nobody knows of. The parent ends with stdin.
class ForkServer {
 public:
  static constexpr size_t kForksMax = 20'000;
  static constexpr size_t kLineBytesMax = 1 << 20;

  // In the parent: nullopt when stdin has ended. In a child: its arguments.
  static std::optional<std::vector<std::string>> Serve();
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_FORK_SERVER_H_
