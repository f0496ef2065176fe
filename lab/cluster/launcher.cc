#include "lab/cluster/launcher.h"

#include <signal.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
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
constexpr std::string_view kTcp = "tcp://";

// As Kubernetes writes a MicroTime: texts of it are in the order of the times.
std::string UtcNow() {
  const auto now =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  char text[48];
  std::snprintf(text, sizeof text, "%s.%06dZ", date,
                static_cast<int>(now.time_since_epoch().count() % 1000000));
  return text;
}

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
  absl::StatusOr<Spawned> process =
      Spawned::Start(ProgramFolder() / program, arguments, paths_.logs() / (name + ".log"));
  if (!process.ok()) return process.status();
  topology->Put(Started(name, process->pid(), address));
  if (absl::Status status = topology->Save(paths_.topology()); !status.ok()) return status;
  process->Release();  // now it is known
  return absl::OkStatus();
}

// The addresses of a cluster are picked once and kept: kubeconfigs and nodes know them. They are
// picked anew only when nothing of the cluster runs and somebody else has come to use them.
absl::Status Launcher::PickAddresses(Topology* topology) {
  const bool any_runs = std::any_of(topology->processes.begin(), topology->processes.end(),
                                    [](const auto& process) { return process.IsRunning(); });
  if (!topology->api.empty()) {
    if (IsFree(topology->api) && IsFree(topology->endpoint.substr(kTcp.size())) &&
        (any_runs || IsFreeBlock(topology->block))) {
      return absl::OkStatus();
    }
    if (any_runs) {
      return absl::FailedPreconditionError(
          StrCat("kubemu-master is gone, and another process has taken ", topology->api, " or ",
                 topology->endpoint, ": end that process, or kubemu down and up again"));
    }
  }
  const absl::StatusOr<int> block = FreeBlock();
  if (!block.ok()) return block.status();
  const absl::StatusOr<int> api = FreePort(kApiPortFirst);
  if (!api.ok()) return api.status();
  const absl::StatusOr<int> bus = FreePort(kBusPortFirst);
  if (!bus.ok()) return bus.status();
  topology->block = *block;
  topology->api = StrCat("127.0.0.1:", *api);
  topology->endpoint = StrCat(kTcp, "127.0.0.1:", *bus);
  return absl::OkStatus();
}

fs::path Launcher::MasterReadyFile() const {
  return paths_.run() / "master.ready";
}

absl::Status Launcher::StartMaster(Topology* topology) {
  if (ClusterProcess* master = topology->Find("master"); master && master->IsRunning()) {
    return absl::OkStatus();
  }
  if (absl::Status status = PickAddresses(topology); !status.ok()) return status;
  std::error_code error;
  fs::remove(MasterReadyFile(), error);
  std::vector<std::string> arguments = DataFlags(paths_, *topology);
  arguments.insert(arguments.end(), {"--ready-file", MasterReadyFile().string()});
  arguments.insert(arguments.end(), {"--endpoint", topology->endpoint, "--listen", topology->api,
                                     "--time-scale", std::to_string(topology->time_scale)});
  if (topology->cluster_dns) arguments.emplace_back("--cluster-dns");
  return Start(topology, "master", "kubemu-master", arguments, topology->api);
}

std::string Launcher::ForkRequest(const Topology& topology, const std::string& name,
                                  const std::string& address) const {
  boost::json::array arguments;
  for (const std::string& argument : DataFlags(paths_, topology)) arguments.emplace_back(argument);
  for (const std::string& argument :
       {std::string("--name"), name, std::string("--master"), topology.endpoint,
        std::string("--address"), address, std::string("--cpu"), std::to_string(topology.cpu),
        std::string("--memory"), topology.memory, std::string("--pods"),
        std::to_string(topology.pods), std::string("--time-scale"),
        std::to_string(topology.time_scale)}) {
    arguments.emplace_back(argument);
  }
  return boost::json::serialize(boost::json::object{
      {"args", arguments}, {"log", (paths_.logs() / (name + ".log")).string()}});
}

// All nodes are forked from one warm parent: a tenth of the time and a third of the memory.
absl::Status Launcher::StartNodes(Topology* topology) {
  std::vector<std::string> missing;
  for (int number = 1; number <= topology->nodes; ++number) {
    const std::string name = StrCat("node-", number);
    const std::string address = topology->NodeAddress(number);
    const ClusterProcess* node = topology->Find(name);
    if (node != nullptr && node->IsRunning()) continue;
    topology->Put({name, 0, 0, address});
    missing.push_back(name);
  }
  if (missing.empty()) return absl::OkStatus();
  auto parent = LineConversation::Start(ProgramFolder() / "kubemu-node", {"--serve-forks"},
                                        paths_.logs() / "node-forks.log");
  if (!parent.ok()) return parent.status();
  for (const std::string& name : missing) {
    const std::string address = topology->Find(name)->address;
    const absl::StatusOr<std::string> answer =
        (*parent)->Ask(ForkRequest(*topology, name, address));
    if (!answer.ok()) return answer.status();
    boost::system::error_code error;
    const boost::json::value value = boost::json::parse(*answer, error);
    const boost::json::value* pid = error ? nullptr : value.find_pointer("/pid", error);
    if (pid == nullptr || !pid->is_int64()) {
      return absl::InternalError(StrCat("cannot start ", name, ": ", *answer));
    }
    topology->Put(Started(name, static_cast<pid_t>(pid->as_int64()), address));
    started_.insert(name);
  }
  // What is not noted before the commit is ended by the parent, should we be interrupted.
  if (absl::Status status = topology->Save(paths_.topology()); !status.ok()) return status;
  if (absl::Status status = (*parent)->Tell(R"({"commit": true})"); !status.ok()) return status;
  return (*parent)->Finish();
}

absl::Status Launcher::StartBalancer(Topology* topology) {
  if (ClusterProcess* lb = topology->Find("lb"); lb && lb->IsRunning()) return absl::OkStatus();
  std::vector<std::string> arguments = DataFlags(paths_, *topology);
  arguments.insert(arguments.end(), {"--endpoint", topology->BalancerEndpoint(), "--master",
                                     topology->endpoint, "--addresses", topology->BalancerPool(),
                                     "--metrics", topology->BalancerMetrics(), "--time-scale",
                                     std::to_string(topology->time_scale)});
  return Start(topology, "lb", "kubemu-lb", arguments, topology->BalancerPool());
}

absl::Status Launcher::WaitForApi(const Topology& topology) {
  const auto end = Clock::now() + kApiTimeout;
  Topology copy = topology;
  while (Clock::now() < end) {
    // Our master says itself that it listens: whoever answers there may be somebody else's.
    if (fs::exists(MasterReadyFile())) {
      const absl::StatusOr<HttpAnswer> answer = HttpGet(topology.api, "/readyz");
      if (answer.ok() && answer->status == 200) return absl::OkStatus();
    }
    if (!copy.Find("master")->IsRunning()) {
      return absl::InternalError(StrCat("kubemu-master ended", LogTail("master")));
    }
    std::this_thread::sleep_for(kPoll);
  }
  return absl::DeadlineExceededError(
      StrCat("the API server does not answer on http://", topology.api, LogTail("master")));
}

// A Ready condition may be what a node said before it ended; its Lease says that it is there now.
bool Launcher::StartedNodesRenewed(const Topology& topology) const {
  if (!resumed_ || started_.empty()) return true;
  const auto renewals = LeaseRenewals(topology.api);
  if (!renewals.ok()) return false;
  return std::all_of(started_.begin(), started_.end(), [&](const std::string& name) {
    const auto it = renewals->find(name);
    return it != renewals->end() && it->second >= began_;
  });
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
      const ClusterProcess& node = *topology->Find(name);
      if (!node.IsRunning()) return absl::InternalError(StrCat(name, " ended", LogTail(name)));
      if (ready.ok() && it == ready->end() && !started_.contains(name)) {
        // A kubelet registers once, at its start.
        return absl::FailedPreconditionError(
            StrCat(name, " runs (pid ", node.pid, "), but its Node object was deleted: kill ",
                   node.pid, ", then kubemu up starts and registers it anew"));
      }
    }
    progress_(StrCat(count, " of ", topology->nodes, " nodes are Ready"));
    if (count == topology->nodes && StartedNodesRenewed(*topology)) return absl::OkStatus();
    std::this_thread::sleep_for(kPoll);
  }
  return absl::DeadlineExceededError(StrCat(not_ready, " did not get Ready", LogTail(not_ready)));
}

absl::Status Launcher::Up(Topology* wanted) {
  resumed_ = !wanted->processes.empty();
  began_ = UtcNow();
  std::error_code error;
  for (const fs::path& dir : {paths_.logs(), paths_.journal(), paths_.run()}) {
    fs::create_directories(dir, error);
    if (error) break;
  }
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
