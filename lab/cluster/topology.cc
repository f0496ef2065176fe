#include "lab/cluster/topology.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "messages/core/ip.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

bool IsLabel(const std::string& name) {
  if (name.empty() || name.size() > 63 || name.front() == '-' || name.back() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// Field `number` (from 1, as proc(5) counts) of /proc/<pid>/stat; "" if there is no such process.
std::string StatField(pid_t pid, int number) {
  std::ifstream in(StrCat("/proc/", pid, "/stat"));
  std::string text((std::istreambuf_iterator<char>(in)), {});
  // The second field is the command in parentheses and may hold spaces.
  const size_t command_end = text.rfind(')');
  if (command_end == std::string::npos) return "";
  std::istringstream rest(text.substr(command_end + 1));
  std::string field;
  for (int i = 3; i <= number; ++i) rest >> field;
  return field;
}

std::string ReadFile(const fs::path& file) {
  std::ifstream in(file);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

// Whole or not at all: readers never see half a file.
absl::Status WriteFile(const fs::path& file, const std::string& text, fs::perms perms) {
  const fs::path partial = file.string() + ".partial";
  {
    std::ofstream out(partial, std::ios::trunc);
    out << text;
    if (!out.flush()) return absl::InternalError(StrCat("cannot write ", partial.string()));
  }
  std::error_code error;
  fs::permissions(partial, perms, error);
  fs::rename(partial, file, error);
  if (error)
    return absl::InternalError(StrCat("cannot write ", file.string(), ": ", error.message()));
  return absl::OkStatus();
}

}  // namespace

fs::path ClusterPaths::Home() {
  if (const char* home = std::getenv("KUBEMU_HOME"); home != nullptr && *home != '\0') return home;
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/root") / ".kubemu";
}

absl::StatusOr<ClusterPaths> ClusterPaths::For(const std::string& cluster) {
  if (!IsLabel(cluster)) {
    return absl::InvalidArgumentError(
        StrCat("\"", cluster, "\" is not a cluster name: use lower case letters, digits and '-'"));
  }
  return ClusterPaths(fs::absolute(Home()) / cluster);
}

absl::Status ClusterPaths::Remove() const {
  std::error_code error;
  if (!fs::exists(dir_, error)) return absl::OkStatus();
  if (!fs::exists(topology(), error) && !fs::is_empty(dir_, error)) {
    return absl::FailedPreconditionError(StrCat(
        dir_.string(), " is not a cluster's folder (it has no topology.json): kubemu leaves ",
        "it alone; choose another --cluster or KUBEMU_HOME"));
  }
  std::vector<fs::path> ours = {kubeconfig(), logs(), journal(), run()};
  for (const fs::directory_entry& entry : fs::directory_iterator(dir_, error)) {
    const std::string name = entry.path().filename();
    // SQLite's own files beside the store, and what an interrupted write left.
    if (name.starts_with("store.db") || name.ends_with(".partial")) ours.push_back(entry.path());
  }
  ours.push_back(topology());  // last: if this is interrupted, it is still a cluster's folder
  for (const fs::path& path : ours) {
    fs::remove_all(path, error);
    if (error) {
      return absl::InternalError(StrCat("cannot remove ", path.string(), ": ", error.message()));
    }
  }
  fs::remove(dir_, error);  // stays if somebody else keeps things there
  return absl::OkStatus();
}

uint64_t ProcessStartTime(pid_t pid) {
  uint64_t ticks = 0;
  ParseInteger(StatField(pid, 22), &ticks);
  return ticks;
}

std::string ClusterProcess::State() const {
  if (pid <= 0 || ProcessStartTime(pid) != start_time) return "gone";
  const std::string state = StatField(pid, 3);
  // Its sockets and files are there until the last of its threads has ended, after the first one.
  int threads = 0;
  const bool ending = state == "Z" && ParseInteger(StatField(pid, 20), &threads) && threads > 1;
  if (!ending && (state.empty() || state == "Z" || state == "X")) return "gone";
  return state == "T" || state == "t" ? "stopped" : "running";
}

bool ClusterProcess::IsRunning() const {
  return State() != "gone";
}

std::string Topology::NodeAddress(int number) const {
  return StrCat("127.", 2 * block + 1, ".", number / 250, ".", number % 250 + (number >= 250));
}

std::string Topology::BalancerPool() const {
  return StrCat("127.", 2 * block + 2, ".0.0/24");
}

std::string Topology::BalancerEndpoint() const {
  return StrCat("tcp://127.", 2 * block + 2, ".1.1:", kBalancerBusPort);
}

std::string Topology::BalancerMetrics() const {
  return StrCat("127.", 2 * block + 2, ".1.1:", kBalancerMetricsPort);
}

ClusterProcess* Topology::Find(const std::string& name) {
  for (ClusterProcess& process : processes) {
    if (process.name == name) return &process;
  }
  return nullptr;
}

void Topology::Put(ClusterProcess process) {
  if (ClusterProcess* known = Find(process.name)) {
    *known = std::move(process);
  } else {
    processes.push_back(std::move(process));
  }
}

absl::StatusOr<Topology> Topology::Load(const fs::path& file) {
  if (!fs::exists(file)) return absl::NotFoundError(StrCat("there is no ", file.string()));
  try {
    const json::object root = json::parse(ReadFile(file)).as_object();
    Topology topology;
    topology.cluster = root.at("cluster").as_string().c_str();
    topology.nodes = static_cast<int>(root.at("nodes").as_int64());
    topology.cpu = static_cast<int>(root.at("cpu").as_int64());
    topology.memory = root.at("memory").as_string().c_str();
    topology.pods = static_cast<int>(root.at("pods").as_int64());
    topology.time_scale = root.at("timeScale").to_number<double>();
    if (root.contains("clusterDns")) topology.cluster_dns = root.at("clusterDns").as_bool();
    if (root.contains("journal")) topology.journal = root.at("journal").as_string().c_str();
    topology.block = static_cast<int>(root.at("block").as_int64());
    topology.api = root.at("api").as_string().c_str();
    topology.endpoint = root.at("endpoint").as_string().c_str();
    for (const json::value& value : root.at("processes").as_array()) {
      const json::object& process = value.as_object();
      topology.processes.push_back(
          {process.at("name").as_string().c_str(), static_cast<pid_t>(process.at("pid").as_int64()),
           static_cast<uint64_t>(process.at("startTime").to_number<uint64_t>()),
           process.at("address").as_string().c_str()});
    }
    return topology;
  } catch (const std::exception& error) {
    return absl::DataLossError(StrCat(file.string(), " is damaged (", error.what(),
                                      "): remove it, or start anew with kubemu up --fresh"));
  }
}

absl::Status Topology::Save(const fs::path& file) const {
  json::array list;
  for (const ClusterProcess& process : processes) {
    list.push_back({{"name", process.name},
                    {"pid", process.pid},
                    {"startTime", process.start_time},
                    {"address", process.address}});
  }
  const json::object root{{"cluster", cluster},
                          {"nodes", nodes},
                          {"cpu", cpu},
                          {"memory", memory},
                          {"pods", pods},
                          {"timeScale", time_scale},
                          {"clusterDns", cluster_dns},
                          {"journal", journal},
                          {"block", block},
                          {"api", api},
                          {"endpoint", endpoint},
                          {"processes", list}};
  return WriteFile(file, json::serialize(root) + "\n",
                   fs::perms::owner_read | fs::perms::owner_write);
}

namespace {

std::set<int> TakenBlocks() {
  // /proc/net/tcp: local address as hexadecimal in host byte order, state 0A is LISTEN.
  std::set<int> taken;
  std::ifstream in("/proc/net/tcp");
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state;
    fields >> slot >> local >> remote >> state;
    if (state != "0A" || local.size() < 8) continue;
    const auto bits = static_cast<uint32_t>(std::strtoul(local.substr(0, 8).c_str(), nullptr, 16));
    const uint32_t ip = ntohl(bits);
    const int second = (ip >> 16) & 255;
    if (ip >> 24 == 127 && second > 0) taken.insert((second - 1) / 2);
  }
  return taken;
}

}  // namespace

bool IsFreeBlock(int block) {
  return !TakenBlocks().contains(block);
}

absl::StatusOr<int> FreeBlock() {
  const std::set<int> taken = TakenBlocks();
  for (int block = 0; block < Topology::kBlocksMax; ++block) {
    if (!taken.contains(block)) return block;
  }
  return absl::ResourceExhaustedError(
      "all address blocks of 127.0.0.0/8 are in use: end a cluster with kubemu down");
}

bool IsFree(const std::string& text) {
  const absl::StatusOr<SocketAddress> wanted = SocketAddress::Parse(text);
  if (!wanted.ok()) return false;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(wanted->port);
  address.sin_addr.s_addr = htonl(wanted->ip.bits());
  const bool free =
      bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(fd, 1) == 0;
  close(fd);
  return free;
}

absl::StatusOr<int> FreePort(int first) {
  constexpr int kTriesMax = 1000;
  for (int port = first; port < first + kTriesMax; ++port) {
    if (IsFree(StrCat("127.0.0.1:", port))) return port;
  }
  return absl::ResourceExhaustedError(
      StrCat("no free port on 127.0.0.1 from ", first, " to ", first + kTriesMax - 1));
}

absl::Status WriteKubeconfig(const ClusterPaths& paths, const Topology& topology) {
  const std::string name = "kubemu-" + topology.cluster;
  const std::string text =
      StrCat("apiVersion: v1\nkind: Config\ncurrent-context: ", name, "\nclusters:\n- name: ", name,
             "\n  cluster:\n    server: http://", topology.api, "\ncontexts:\n- name: ", name,
             "\n  context:\n    cluster: ", name, "\n    user: ", name, "\nusers:\n- name: ", name,
             "\n  user: {}\n");
  return WriteFile(paths.kubeconfig(), text, fs::perms::owner_read | fs::perms::owner_write);
}

}  // namespace kubemu
