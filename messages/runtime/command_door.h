#ifndef KUBEMU_MESSAGES_RUNTIME_COMMAND_DOOR_H_
#define KUBEMU_MESSAGES_RUNTIME_COMMAND_DOOR_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "messages/message.h"
#include "messages/runtime/network_spaces.h"
#include "messages/runtime/rate_limited_log.h"
#include "messages/runtime/runtime_host.h"

namespace boost::asio {
class io_context;
}

namespace kubemu {

// The command door of a process: runs a program that a part asked for (RunCommand) without waiting
// for it, and gives back its output and how it ended (CommandDone). Only programs that the process
// was started with the permission for, without a shell, and only for its own parts: the bus does
// not deliver to doors. What fails stands in the process's log too. A program dies with the
// process, however that ends.
class CommandDoor {
 public:
  static constexpr size_t kCommandsMax = 64;  // at a time; one more is refused
  static constexpr size_t kOutputBytesMax = size_t{64} << 20;
  static constexpr size_t kErrorBytesMax = 2048;  // of stderr: its beginning
  static constexpr std::chrono::milliseconds kTimeoutMax{60'000};

  // By name, where each program is ("ip": "/usr/sbin/ip").
  using Programs = std::map<std::string, std::string>;
  // Looks for these names on the PATH and in the folders where system programs are. NotFound names
  // all that are missing.
  static absl::StatusOr<Programs> FindPrograms(const std::vector<std::string>& names);

  // None of the pointers is owned.
  CommandDoor(RuntimeHost* host, boost::asio::io_context& io, const NetworkSpaces* spaces,
              Programs programs);
  ~CommandDoor();
  CommandDoor(const CommandDoor&) = delete;
  CommandDoor& operator=(const CommandDoor&) = delete;

  // REQUIRES: a RunCommand.
  void Receive(const Message& message);

 private:
  struct Command;

  absl::Status Start(const bus::RunCommand& run, Command* command);
  void Finish(uint64_t id, int exit_code);
  void Answer(const Command& command, std::string output, std::string error);

  RuntimeHost* const host_;
  boost::asio::io_context& io_;
  const NetworkSpaces* const spaces_;
  const Programs programs_;
  uint64_t next_ = 1;
  std::map<uint64_t, std::unique_ptr<Command>> commands_;
  RateLimitedLog log_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_COMMAND_DOOR_H_
