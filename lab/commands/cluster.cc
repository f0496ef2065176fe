#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include "lab/cluster/api_client.h"
#include "lab/cluster/launcher.h"
#include "lab/cluster/topology.h"
#include "lab/commands/commands.h"
#include "messages/api/quantity.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

namespace fs = std::filesystem;

// Held while a cluster is started or ended, so that two `kubemu up` on one machine do not pick the
// same ports.
class MachineLock {
 public:
  MachineLock() {
    const fs::path file = fs::temp_directory_path() / StrCat("kubemu-", getuid(), ".lock");
    fd_ = open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd_ >= 0) flock(fd_, LOCK_EX);
  }
  ~MachineLock() {
    if (fd_ >= 0) close(fd_);
  }
  MachineLock(const MachineLock&) = delete;
  MachineLock& operator=(const MachineLock&) = delete;

 private:
  int fd_;
};

struct UpFlags {
  Topology wanted;
  bool fresh = false;
  bool keep = false;
};

// On a terminal one line that is written over; elsewhere a line for each new text.
class ProgressLine {
 public:
  ProgressLine() = default;
  ~ProgressLine() {
    if (on_terminal_ && !text_.empty()) std::cerr << "\r\x1b[K" << std::flush;
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Show(const std::string& text) {
    if (text == text_) return;
    text_ = text;
    if (on_terminal_) {
      std::cerr << "\r\x1b[K" << text << std::flush;
    } else {
      std::cerr << text << '\n';
    }
  }

 private:
  const bool on_terminal_ = isatty(STDERR_FILENO) != 0;
  std::string text_;
};

absl::Status StartAll(const ClusterPaths& paths, Topology* topology) {
  ProgressLine progress;
  return Launcher(paths, [&progress](const std::string& text) { progress.Show(text); })
      .Up(topology);
}

absl::StatusOr<std::vector<std::string>> EndAll(const ClusterPaths& paths,
                                                const Topology& topology) {
  ProgressLine progress;
  return Launcher(paths, [&progress](const std::string& text) { progress.Show(text); })
      .Down(topology);
}

std::string CheckPositiveQuantity(const std::string& text) {
  const absl::StatusOr<Quantity> quantity = Quantity::Parse(text);
  return quantity.ok() && quantity->Sign() > 0
             ? ""
             : StrCat("\"", text, "\" is not a positive quantity such as 500Mi or 8Gi");
}

bool AnyRunning(const Topology& topology) {
  for (const ClusterProcess& process : topology.processes) {
    if (process.IsRunning()) return true;
  }
  return false;
}

std::string MetricsUrl(const Topology& topology) {
  return StrCat("http://", topology.BalancerMetrics(), "/metrics");
}

boost::json::object StatusJson(const Topology& topology, const ClusterPaths& paths) {
  boost::json::array processes;
  for (const ClusterProcess& process : topology.processes) {
    processes.push_back({{"name", process.name},
                         {"pid", process.pid},
                         {"state", process.State()},
                         {"address", process.address}});
  }
  return {{"cluster", topology.cluster},
          {"kubeconfig", paths.kubeconfig().string()},
          {"api", StrCat("http://", topology.api)},
          {"endpoint", topology.endpoint},
          {"loadBalancerAddresses", topology.BalancerPool()},
          {"loadBalancerMetrics", MetricsUrl(topology)},
          {"timeScale", topology.time_scale},
          {"processes", processes}};
}

// What the new cluster is to look like: the flags, and what an existing one already has.
absl::StatusOr<Topology> Plan(const UpFlags& flags, const CLI::App& command,
                              const ClusterPaths& paths) {
  absl::StatusOr<Topology> known = Topology::Load(paths.topology());
  if (!known.ok() && !absl::IsNotFound(known.status()) && !flags.fresh) return known.status();
  if (flags.fresh) {
    if (known.ok() && AnyRunning(*known)) {
      return absl::FailedPreconditionError(
          StrCat("cluster ", flags.wanted.cluster, " is running: kubemu down, then up --fresh"));
    }
    if (absl::Status status = paths.Remove(); !status.ok()) return status;
    return flags.wanted;
  }
  if (!known.ok()) return flags.wanted;
  Topology topology = *known;
  const auto given = [&command](const char* option) { return command.count(option) > 0; };
  if (given("--nodes")) topology.nodes = std::max(topology.nodes, flags.wanted.nodes);
  if (given("--cpu")) topology.cpu = flags.wanted.cpu;
  if (given("--memory")) topology.memory = flags.wanted.memory;
  if (given("--pods")) topology.pods = flags.wanted.pods;
  if (given("--cluster-dns")) topology.cluster_dns = flags.wanted.cluster_dns;
  if (given("--journal")) topology.journal = flags.wanted.journal;
  if (given("--time-scale") && flags.wanted.time_scale != topology.time_scale) {
    if (AnyRunning(topology)) {
      return absl::FailedPreconditionError(
          "the time scale of a running cluster cannot change: kubemu down first");
    }
    topology.time_scale = flags.wanted.time_scale;
  }
  return topology;
}

void Up(UpFlags flags, const CLI::App& command, CommandContext& context) {
  const auto begin = std::chrono::steady_clock::now();
  const auto paths = ClusterPaths::For(context.cluster);
  if (!paths.ok()) return Fail(context, std::string(paths.status().message()), 2);
  const MachineLock lock;
  flags.wanted.cluster = context.cluster;
  absl::StatusOr<Topology> topology = Plan(flags, command, *paths);
  if (!topology.ok()) return Fail(context, std::string(topology.status().message()));
  const absl::Status up = StartAll(*paths, &*topology);
  if (!up.ok()) return Fail(context, std::string(up.message()));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (context.output == "json") {
    boost::json::object json = StatusJson(*topology, *paths);
    json["seconds"] = seconds;
    std::cout << boost::json::serialize(json) << '\n';
    return;
  }
  char time[32];
  std::snprintf(time, sizeof time, "%.2f", seconds);
  std::cout << "Cluster " << context.cluster << " is up: " << topology->nodes
            << " nodes Ready after " << time << " s\n"
            << "  export KUBECONFIG=" << paths->kubeconfig().string() << '\n'
            << "  kubectl get nodes\n";
}

void Down(CommandContext& context, bool purge) {
  const auto paths = ClusterPaths::For(context.cluster);
  if (!paths.ok()) return Fail(context, std::string(paths.status().message()), 2);
  const MachineLock lock;
  const absl::StatusOr<Topology> topology = Topology::Load(paths->topology());
  if (absl::IsNotFound(topology.status())) {
    return Fail(context, StrCat("there is no cluster ", context.cluster, " in ",
                                ClusterPaths::Home().string()));
  }
  if (!topology.ok()) return Fail(context, std::string(topology.status().message()));
  const auto ended = EndAll(*paths, *topology);
  if (!ended.ok()) return Fail(context, std::string(ended.status().message()));
  if (purge) {
    if (absl::Status status = paths->Remove(); !status.ok()) {
      return Fail(context, std::string(status.message()));
    }
  }
  if (context.output == "json") {
    boost::json::array names;
    for (const std::string& name : *ended) names.emplace_back(name);
    std::cout << boost::json::serialize(boost::json::object{{"ended", names}}) << '\n';
  } else {
    std::cout << "Ended " << ended->size() << " processes of cluster " << context.cluster << '\n';
  }
}

void Status(CommandContext& context) {
  const auto paths = ClusterPaths::For(context.cluster);
  if (!paths.ok()) return Fail(context, std::string(paths.status().message()), 2);
  const absl::StatusOr<Topology> topology = Topology::Load(paths->topology());
  if (!topology.ok()) {
    return Fail(context, absl::IsNotFound(topology.status())
                             ? StrCat("there is no cluster ", context.cluster, " in ",
                                      ClusterPaths::Home().string())
                             : std::string(topology.status().message()));
  }
  if (context.output == "json") {
    std::cout << boost::json::serialize(StatusJson(*topology, *paths)) << '\n';
    return;
  }
  const auto ready = NodeReadiness(topology->api);
  std::printf("%-12s %-8s %-8s %-22s %s\n", "NAME", "PID", "STATE", "ADDRESS", "READY");
  for (const ClusterProcess& process : topology->processes) {
    std::string node_ready;
    // lb has no readiness, but figures to look at.
    if (process.name == "lb") node_ready = MetricsUrl(*topology);
    if (ready.ok() && ready->contains(process.name)) node_ready = ready->at(process.name);
    std::printf("%-12s %-8d %-8s %-22s %s\n", process.name.c_str(), process.pid,
                process.State().c_str(), process.address.c_str(), node_ready.c_str());
  }
  if (!ready.ok()) {
    std::cout << "the API server does not answer: " << std::string(ready.status().message())
              << '\n';
  }
}

}  // namespace

void AddUpCommand(CLI::App& app, CommandContext& context) {
  auto flags = std::make_shared<UpFlags>();
  CLI::App* command =
      app.add_subcommand("up", "start a cluster: a master, nodes and a load balancer");
  command->add_option("--nodes", flags->wanted.nodes, "number of nodes")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--cpu", flags->wanted.cpu, "cores of each node")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--memory", flags->wanted.memory, "memory of each node")
      ->check(CheckPositiveQuantity)
      ->capture_default_str();
  command->add_option("--pods", flags->wanted.pods, "pods a node takes")
      ->check(CLI::Range(1, 250))
      ->capture_default_str();
  command
      ->add_option("--time-scale", flags->wanted.time_scale,
                   "divides Kubernetes' durations: with 10, 40 s become 4 s")
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  command
      ->add_option("--journal", flags->wanted.journal,
                   "on or off: record every message, to observe")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  command->add_flag("--cluster-dns,!--no-cluster-dns", flags->wanted.cluster_dns,
                    "make coredns and kube-dns in namespace kube-system (default)");
  CLI::Option* fresh = command->add_flag("--fresh", flags->fresh, "forget an earlier state");
  command->add_flag("--keep", flags->keep, "go on with an earlier state (default)")
      ->excludes(fresh);
  command->footer(
      "Starts what is not running of a cluster that exists, and leaves the rest alone.\n"
      "Examples:\n  kubemu up\n  kubemu up --cluster big --nodes 100 --time-scale 10 --fresh");
  command->callback([flags, command, &context] { Up(*flags, *command, context); });
}

void AddDownCommand(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand("down", "end the processes of a cluster");
  auto purge = std::make_shared<bool>(false);
  command->add_flag("--purge", *purge, "also remove its store, journal and logs");
  command->callback([purge, &context] { Down(context, *purge); });
}

void AddStatusCommand(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand("status", "show what runs where");
  command->callback([&context] { Status(context); });
}

}  // namespace kubemu
