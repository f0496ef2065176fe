#include "lab/cluster/launcher.h"

#include <signal.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "lab/cluster/api_client.h"
#include "lab/cluster/spawn.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kApiTimeout = std::chrono::seconds(20);
constexpr auto kNodesTimeoutBase = std::chrono::seconds(30);
constexpr auto kNodesTimeoutPerNode = std::chrono::milliseconds(50);
constexpr auto kGrace = std::chrono::seconds(5);  // from SIGTERM to SIGKILL
constexpr auto kPoll = std::chrono::milliseconds(10);
constexpr int kApiPortFirst = 6443;  // Kubernetes' own
constexpr int kBusPortFirst = 7100;

ClusterProcess Started(std::string name, pid_t pid, std::string address) {
  return {std::move(name), pid, ProcessStartTime(pid), std::move(address)};
}

std::vector<std::string> DataFlags(const ClusterPaths& paths, const Topology& topology) {
  return {"--data", paths.dir().string(), "--journal", topology.journal};
}

}  // namespace

std::string Launcher::LogTail(const std::string& name) const {
  constexpr size_t kLines = 5;
  const fs::path file = paths_.logs() / (name + ".log");
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::string tail = StrCat("\nThe end of ", file.string(), ":");
  for (size_t i = lines.size() > kLines ? lines.size() - kLines : 0; i < lines.size(); ++i) {
    StrAppend(&tail, "\n  ", lines[i]);
  }
  return tail;
}

absl::Status Launcher::Start(Topology* topology, const std::string& name,
                             const std::string& program, const std::vector<std::string>& arguments,
                             const std::string& address) {
  const absl::StatusOr<pid_t> pid =
      SpawnDetached(ProgramFolder() / program, arguments, paths_.logs() / (name + ".log"));
  if (!pid.ok()) return pid.status();
  topology->Put(Started(name, *pid, address));
  return topology->Save(paths_.topology());
}

absl::Status Launcher::StartMaster(Topology* topology) {
  if (ClusterProcess* master = topology->Find("master"); master && master->IsRunning()) {
    return absl::OkStatus();
  }
  if (topology->api.empty()) {
    const absl::StatusOr<int> block = FreeBlock();
    if (!block.ok()) return block.status();
    const absl::StatusOr<int> api = FreePort(kApiPortFirst);
    if (!api.ok()) return api.status();
    const absl::StatusOr<int> bus = FreePort(kBusPortFirst);
    if (!bus.ok()) return bus.status();
    topology->block = *block;
    topology->api = StrCat("127.0.0.1:", *api);
    topology->endpoint = StrCat("tcp://127.0.0.1:", *bus);
  }
  std::vector<std::string> arguments = DataFlags(paths_, *topology);
  arguments.insert(arguments.end(), {"--endpoint", topology->endpoint, "--listen", topology->api,
                                     "--time-scale", std::to_string(topology->time_scale)});
  return Start(topology, "master", "kubemu-master", arguments, topology->api);
}

absl::Status Launcher::StartNodes(Topology* topology) {
  std::string requests;
  std::vector<std::pair<std::string, std::string>> missing;  // name, address
  for (int number = 1; number <= topology->nodes; ++number) {
    const std::string name = StrCat("node-", number);
    if (ClusterProcess* node = topology->Find(name); node && node->IsRunning()) continue;
    missing.emplace_back(name, topology->NodeAddress(number));
    boost::json::array arguments;
    for (const std::string& argument : DataFlags(paths_, *topology))
      arguments.emplace_back(argument);
    for (const std::string& argument :
         {std::string("--name"), name, std::string("--master"), topology->endpoint,
          std::string("--address"), missing.back().second, std::string("--cpu"),
          std::to_string(topology->cpu), std::string("--memory"), topology->memory,
          std::string("--pods"), std::to_string(topology->pods), std::string("--time-scale"),
          std::to_string(topology->time_scale)}) {
      arguments.emplace_back(argument);
    }
    const boost::json::object request{{"args", arguments},
                                      {"log", (paths_.logs() / (name + ".log")).string()}};
    requests += boost::json::serialize(request) + "\n";
  }
  if (missing.empty()) return absl::OkStatus();
  // All nodes are forked from one warm parent: a tenth of the time and a third of the memory.
  const absl::StatusOr<std::string> answer =
      RunWithInput(ProgramFolder() / "kubemu-node", {"--serve-forks"}, requests,
                   paths_.logs() / "node-forks.log");
  if (!answer.ok()) return answer.status();
  std::istringstream lines(*answer);
  for (const auto& [name, address] : missing) {
    std::string line;
    pid_t pid = 0;
    if (std::getline(lines, line)) {
      boost::system::error_code error;
      const boost::json::value value = boost::json::parse(line, error);
      if (!error && value.is_object()) pid = static_cast<pid_t>(value.at("pid").as_int64());
    }
    if (pid <= 0) return absl::InternalError(StrCat("cannot start ", name, ": ", line));
    topology->Put(Started(name, pid, address));
  }
  return topology->Save(paths_.topology());
}

absl::Status Launcher::StartBalancer(Topology* topology) {
  if (ClusterProcess* lb = topology->Find("lb"); lb && lb->IsRunning()) return absl::OkStatus();
  std::vector<std::string> arguments = DataFlags(paths_, *topology);
  arguments.insert(arguments.end(),
                   {"--master", topology->endpoint, "--addresses", topology->BalancerPool(),
                    "--time-scale", std::to_string(topology->time_scale)});
  return Start(topology, "lb", "kubemu-lb", arguments, topology->BalancerPool());
}

absl::Status Launcher::WaitForApi(const Topology& topology) {
  const auto end = Clock::now() + kApiTimeout;
  Topology copy = topology;
  while (Clock::now() < end) {
    const absl::StatusOr<HttpAnswer> answer = HttpGet(topology.api, "/readyz");
    if (answer.ok() && answer->status == 200) return absl::OkStatus();
    if (!copy.Find("master")->IsRunning()) {
      return absl::InternalError(StrCat("kubemu-master ended", LogTail("master")));
    }
    std::this_thread::sleep_for(kPoll);
  }
  return absl::DeadlineExceededError(
      StrCat("the API server does not answer on http://", topology.api, LogTail("master")));
}

absl::Status Launcher::WaitForNodes(Topology* topology) {
  const auto end = Clock::now() + kNodesTimeoutBase + topology->nodes * kNodesTimeoutPerNode;
  std::string not_ready;
  while (Clock::now() < end) {
    const auto ready = NodeReadiness(topology->api);
    int count = 0;
    not_ready.clear();
    for (int number = 1; number <= topology->nodes; ++number) {
      const std::string name = StrCat("node-", number);
      const auto it = ready.ok() ? ready->find(name) : decltype(ready->find(name)){};
      if (ready.ok() && it != ready->end() && it->second == "True") {
        ++count;
        continue;
      }
      if (not_ready.empty()) not_ready = name;
      if (!topology->Find(name)->IsRunning()) {
        return absl::InternalError(StrCat(name, " ended", LogTail(name)));
      }
    }
    progress_(StrCat(count, " of ", topology->nodes, " nodes are Ready"));
    if (count == topology->nodes) return absl::OkStatus();
    std::this_thread::sleep_for(kPoll);
  }
  return absl::DeadlineExceededError(StrCat(not_ready, " did not get Ready", LogTail(not_ready)));
}

absl::Status Launcher::Up(Topology* wanted) {
  std::error_code error;
  for (const fs::path& dir : {paths_.logs(), paths_.journal()}) fs::create_directories(dir, error);
  if (error) {
    return absl::InternalError(
        StrCat("cannot make ", paths_.dir().string(), ": ", error.message()));
  }
  fs::permissions(paths_.dir(), fs::perms::owner_all, error);
  progress_("starting the master");
  if (absl::Status status = StartMaster(wanted); !status.ok()) return status;
  if (absl::Status status = WriteKubeconfig(paths_, *wanted); !status.ok()) return status;
  if (absl::Status status = StartBalancer(wanted); !status.ok()) return status;
  progress_(StrCat("starting ", wanted->nodes, " nodes"));
  if (absl::Status status = StartNodes(wanted); !status.ok()) return status;
  if (absl::Status status = WaitForApi(*wanted); !status.ok()) return status;
  return WaitForNodes(wanted);
}

absl::StatusOr<std::vector<std::string>> Launcher::Down(Topology topology) {
  std::vector<std::string> ended;
  for (const ClusterProcess& process : topology.processes) {
    const std::string state = process.State();
    if (state == "gone") continue;
    ended.push_back(process.name);
    kill(process.pid, SIGTERM);
    if (state == "stopped") kill(process.pid, SIGCONT);
  }
  const auto end = Clock::now() + kGrace;
  const auto running = [&topology] {
    return std::count_if(topology.processes.begin(), topology.processes.end(),
                         [](const ClusterProcess& process) { return process.IsRunning(); });
  };
  while (running() > 0 && Clock::now() < end) std::this_thread::sleep_for(kPoll);
  for (const ClusterProcess& process : topology.processes) {
    if (process.IsRunning()) kill(process.pid, SIGKILL);
  }
  while (running() > 0 && Clock::now() < end + kGrace) std::this_thread::sleep_for(kPoll);
  if (running() > 0) return absl::DeadlineExceededError("some processes do not end");
  return ended;
}

}  // namespace kubemu
