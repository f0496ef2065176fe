#ifndef KUBEMU_MESSAGES_RUNTIME_COMMAND_LINE_H_
#define KUBEMU_MESSAGES_RUNTIME_COMMAND_LINE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "messages/program.h"
#include "messages/runtime/process_runtime.h"

namespace CLI {
class App;
}

namespace kubemu {

// What every program of kubemu can be told: where it listens, where it keeps things, how it logs.
struct CommonFlags {
  ProcessRuntime::Options runtime;
  std::string data;  // directory for journal/ and the store; "": nothing is kept
  std::string journal = "on";
  std::string log_file;  // "": stderr
  std::string log_level = "info";
  std::string ready_file;  // gets the line that says where the process listens
  int ready_fd = -1;       // the same, to an open descriptor
};

// Exit codes of the programs.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;    // the environment or the cluster says no
inline constexpr int kExitBadFlags = 2;  // the command line

// Adds the common flags to a program's own.
void AddCommonFlags(CLI::App& app, CommonFlags* flags);

// Parses; nullopt: go on, else the code to exit with (after --help or a clear error).
std::optional<int> ParseCommandLine(CLI::App& app, int argc, const char* const* argv);
// Prints "<program>: <message>" to stderr and returns kExitBadFlags.
int BadFlag(const CLI::App& app, const std::string& message);

// Makes a program once it is known where the process listens.
using ProgramFactory =
    std::function<absl::StatusOr<std::unique_ptr<Program>>(const ProcessRuntime::Addresses&)>;

// The rest of a main function: logging, sockets, the line `ready {"process":...}` on stdout (and
// to --ready-file, --ready-fd), then the program until it is told to end. Returns the exit code.
int RunProgram(const CommonFlags& flags, const ProgramFactory& factory);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_COMMAND_LINE_H_
