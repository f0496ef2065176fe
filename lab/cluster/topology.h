#ifndef KUBEMU_LAB_CLUSTER_TOPOLOGY_H_
#define KUBEMU_LAB_CLUSTER_TOPOLOGY_H_

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kubemu {

// Where a cluster keeps its things: $KUBEMU_HOME/<cluster>/, by default ~/.kubemu/<cluster>/.
class ClusterPaths {
 public:
  // InvalidArgument if the name is not a DNS label (it becomes a folder and a kubeconfig context).
  static absl::StatusOr<ClusterPaths> For(const std::string& cluster);

  const std::filesystem::path& dir() const { return dir_; }
  std::filesystem::path kubeconfig() const { return dir_ / "kubeconfig"; }
  std::filesystem::path topology() const { return dir_ / "topology.json"; }
  std::filesystem::path logs() const { return dir_ / "logs"; }
  std::filesystem::path journal() const { return dir_ / "journal"; }
  std::filesystem::path store() const { return dir_ / "store.db"; }
  std::filesystem::path run() const { return dir_ / "run"; }

  // Removes all of the above, and nothing else. FailedPrecondition, with nothing removed, if the
  // folder was never a cluster's: it holds something and no topology.json.
  absl::Status Remove() const;

  // The folder that holds all clusters.
  static std::filesystem::path Home();

 private:
  explicit ClusterPaths(std::filesystem::path dir) : dir_(std::move(dir)) {}
  std::filesystem::path dir_;
};

// One process of a cluster, as it was started.
struct ClusterProcess {
  std::string name;  // "master", "node-1", "lb"
  pid_t pid = 0;
  uint64_t start_time = 0;  // in clock ticks since boot: tells a reused pid from ours
  std::string address;      // the master's API address, a node's address, lb's address pool

  // Still the process that was started, and not a zombie.
  bool IsRunning() const;
  // "running", "stopped" (SIGSTOP) or "gone".
  std::string State() const;
};

// What `kubemu up` was asked for, and what it started. topology.json.
struct Topology {
  std::string cluster;
  int nodes = 3;
  int cpu = 4;                 // cores per node
  std::string memory = "8Gi";  // per node
  int pods = 110;              // per node
  double time_scale = 1;
  bool cluster_dns = true;     // coredns and kube-dns are there from the start
  std::string journal = "on";  // or "off": no process records its messages
  int block = 0;               // address block, see NodeAddress
  std::string api;             // "127.0.0.1:6443"
  std::string endpoint;        // the master's ZeroMQ endpoint
  std::vector<ClusterProcess> processes;

  // Block b: nodes at 127.(2b+1).0.1, .2 ...; lb's pool is 127.(2b+2).0.0/24, it
  // listens on 127.(2b+2).1.1.
  static constexpr int kBlocksMax = 120;
  std::string NodeAddress(int number) const;
  std::string BalancerPool() const;
  static constexpr int kBalancerBusPort = 7200;
  std::string BalancerEndpoint() const;  // lb's ZeroMQ endpoint
  // Where lb shows its figures to Prometheus: an address of lb's own beside the pool.
  static constexpr int kBalancerMetricsPort = 8405;  // HAProxy's usual one
  std::string BalancerMetrics() const;               // "127.2.1.1:8405"

  ClusterProcess* Find(const std::string& name);
  // Replaces the process of the same name.
  void Put(ClusterProcess process);

  static absl::StatusOr<Topology> Load(const std::filesystem::path& file);
  absl::Status Save(const std::filesystem::path& file) const;
};

// Clock ticks since boot at which `pid` was started; 0 if there is no such process.
uint64_t ProcessStartTime(pid_t pid);

// The lowest block with no listening socket on this machine.
absl::StatusOr<int> FreeBlock();
bool IsFreeBlock(int block);
// Whether "127.0.0.1:6443" can be listened on.
bool IsFree(const std::string& address);
// The lowest free port of 127.0.0.1 from `first` on.
absl::StatusOr<int> FreePort(int first);

absl::Status WriteKubeconfig(const ClusterPaths& paths, const Topology& topology);

}  // namespace kubemu

#endif  // KUBEMU_LAB_CLUSTER_TOPOLOGY_H_
