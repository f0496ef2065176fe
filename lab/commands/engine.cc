#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "lab/cluster/ask_part.h"
#include "lab/cluster/topology.h"
#include "lab/commands/commands.h"
#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"

namespace kubemu {
namespace {

void SwitchEngine(const std::string& node, bool down, CommandContext& context) {
  const absl::StatusOr<Topology> topology = LoadTopology(context);
  if (!topology.ok()) return;
  bus::EngineControl control;
  control.set_down(down);
  const absl::Status status = Converse(
      *topology, node, [&](Env& env) { env.outbox.Send(node + "/engine", control); },
      [&](const Message& message) {
        return message.kind == bus::ENGINE_CONTROL_RESULT &&
               message.As<bus::EngineControlResult>().down() == down;
      });
  if (!status.ok()) return Fail(context, std::string(status.message()));
  std::cout << node << ": the container engine is " << (down ? "down" : "up") << '\n';
}

}  // namespace

void AddEngineCommand(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand("engine", "stop or start the container engine of a node");
  auto action = std::make_shared<std::string>();
  auto node = std::make_shared<std::string>();
  command->add_option("action", *action, "stop or start")
      ->required()
      ->check(CLI::IsMember({"stop", "start"}));
  command->add_option("node", *node, "name of the node")->required();
  command->footer("Example:\n  kubemu engine stop node-2    # node-2 becomes NotReady");
  command->callback([action, node, &context] { SwitchEngine(*node, *action == "stop", context); });
}

}  // namespace kubemu
