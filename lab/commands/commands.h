#ifndef KUBEMU_LAB_COMMANDS_COMMANDS_H_
#define KUBEMU_LAB_COMMANDS_COMMANDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "lab/cluster/topology.h"

namespace CLI {
class App;
}

namespace kubemu {

// What all commands share.
struct CommandContext {
  std::string cluster = "default";
  std::string output;  // "" or "json"
  int exit_code = 0;   // set by the command that ran
};

// Each adds its subcommand to `app`; the command runs when CLI11 has parsed it, prints its answer
// to standard output, errors to standard error, and sets the exit code: 0 done, 1 failed, 2 wrong
// usage.
void AddUpCommand(CLI::App& app, CommandContext& context);
void AddDownCommand(CLI::App& app, CommandContext& context);
void AddStatusCommand(CLI::App& app, CommandContext& context);
void AddObserveCommand(CLI::App& app, CommandContext& context);
void AddTraceCommand(CLI::App& app, CommandContext& context);
void AddEngineCommand(CLI::App& app, CommandContext& context);
void AddIptablesCommand(CLI::App& app, CommandContext& context);
void AddLbCommand(CLI::App& app, CommandContext& context);
void AddCompletionCommand(CLI::App& app, CommandContext& context);

// Prints "kubemu: <message>" to standard error and sets the exit code.
void Fail(CommandContext& context, const std::string& message, int exit_code = 1);

// What is known of the cluster that the command is for. An error has been printed, and the exit
// code set, before it is returned.
absl::StatusOr<Topology> LoadTopology(CommandContext& context);

}  // namespace kubemu

#endif  // KUBEMU_LAB_COMMANDS_COMMANDS_H_
