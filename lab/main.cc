// kubemu: starts, watches and ends whole clusters.
#include <CLI/CLI.hpp>
#include <iostream>

#include "lab/commands/commands.h"

namespace kubemu {

void Fail(CommandContext& context, const std::string& message, int exit_code) {
  std::cerr << "kubemu: " << message << '\n';
  context.exit_code = exit_code;
}

absl::StatusOr<Topology> LoadTopology(CommandContext& context) {
  const absl::StatusOr<ClusterPaths> paths = ClusterPaths::For(context.cluster);
  if (!paths.ok()) {
    Fail(context, std::string(paths.status().message()), 2);
    return paths.status();
  }
  absl::StatusOr<Topology> topology = Topology::Load(paths->topology());
  if (!topology.ok()) Fail(context, std::string(topology.status().message()));
  return topology;
}

namespace {

int Main(int argc, char** argv) {
  CLI::App app("A Kubernetes cluster behind glass.", "kubemu");
  app.require_subcommand(1);
  app.fallthrough();  // shared flags may stand behind the command
  CommandContext context;
  app.add_option("-c,--cluster", context.cluster, "name of the cluster")
      ->envname("KUBEMU_CLUSTER")
      ->capture_default_str();
  app.add_option("-o,--output", context.output, "json for scripts")->check(CLI::IsMember({"json"}));
  AddUpCommand(app, context);
  AddDownCommand(app, context);
  AddStatusCommand(app, context);
  AddObserveCommand(app, context);
  AddTraceCommand(app, context);
  AddEngineCommand(app, context);
  AddIptablesCommand(app, context);
  AddLbCommand(app, context);
  AddCompletionCommand(app, context);
  app.set_version_flag("--version", "kubemu 0.1.0");
  app.footer(
      "Clusters live in ~/.kubemu/<cluster>/ (KUBEMU_HOME moves it).\n"
      "Example:\n  kubemu up --nodes 3 && export KUBECONFIG=~/.kubemu/default/kubeconfig");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 prints help, version or what was wrong; wrong usage is exit code 2 here.
    return app.exit(error) == 0 ? 0 : 2;
  }
  return context.exit_code;
}

}  // namespace
}  // namespace kubemu

int main(int argc, char** argv) {
  return kubemu::Main(argc, argv);
}
