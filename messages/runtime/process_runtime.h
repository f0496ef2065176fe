#ifndef KUBEMU_MESSAGES_RUNTIME_PROCESS_RUNTIME_H_
#define KUBEMU_MESSAGES_RUNTIME_PROCESS_RUNTIME_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "messages/program.h"
#include "messages/runtime/http_door.h"

namespace kubemu {

// Drives one program as a real process: one thread, one loop, real clock. Each turn: what came in
// over ZeroMQ and through the doors is handed to the parts, the program commits, and only then do
// the turn's messages leave. Sleeps exactly until the next thing is due.
class ProcessRuntime {
 public:
  static constexpr size_t kFramesPerTurnMax = 1000;    // ZeroMQ frames
  static constexpr size_t kHandlersPerTurnMax = 1000;  // sockets' events
  static constexpr std::chrono::milliseconds kJournalDelayMax{10};
  static constexpr size_t kJournalBytesPerTurnMax = 32 * 1024;  // written at the turn's end
  // With small_memory: before a sleep of at least kTrimSleepMin, if there were kTrimTurns since.
  static constexpr std::chrono::milliseconds kTrimSleepMin{400};
  static constexpr int kTrimTurns = 50;

  struct Options {
    std::string process;  // "master", "node-3", "lb"
    uint64_t epoch = 0;   // 0: made from the wall clock
    uint64_t seed = 1;
    double time_scale = 1;                       // > 0; 10: Kubernetes' 40 s take 4 s
    std::string endpoint = "tcp://127.0.0.1:0";  // of the ROUTER
    std::string master;       // ZeroMQ endpoint of the master; "": this is the master, or alone
    std::string http_listen;  // "127.0.0.1:6443": opens the HTTP door; "": none
    std::string http_handler = "master/apiserver";  // the part that answers there
    std::chrono::milliseconds http_write_timeout = HttpDoor::kWriteTimeout;
    std::string journal_directory;  // "": no journal
    bool insecure = false;          // other than loopback addresses are allowed
    bool small_memory = false;      // gives memory back whenever a burst of work is over (nodes)
    int parent_fd = -1;  // ends when this descriptor is at its end, unless a byte came before it
    // Programs that parts may run (RunCommand), as CommandDoor::FindPrograms gives them; with none
    // there is no command door, and no network namespaces either.
    std::map<std::string, std::string> commands;
  };

  // Where the process really listens; a port 0 in the options became the one that was picked.
  struct Addresses {
    std::string endpoint;
    std::string http;  // "" without HTTP door
  };

  explicit ProcessRuntime(Options options);
  ~ProcessRuntime();

  // Binds and opens everything. Each error says which address or file and what to do.
  absl::Status Start();
  const Addresses& addresses() const;
  uint64_t epoch() const;

  // Adds the program's parts and runs until Stop, SIGTERM or SIGINT (OK), or until the process
  // cannot go on: the commit failed, or the name is taken. REQUIRES: Start was OK.
  absl::Status Run(Program& program);
  // Makes Run return soon. The only method that may be called from another thread.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_PROCESS_RUNTIME_H_
