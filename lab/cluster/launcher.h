#ifndef KUBEMU_LAB_CLUSTER_LAUNCHER_H_
#define KUBEMU_LAB_CLUSTER_LAUNCHER_H_

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lab/cluster/topology.h"

namespace kubemu {

// Starts and ends the processes of one cluster. It only ever signals processes that the topology
// file says it started, and only while their start times still match.
class Launcher {
 public:
  // `progress` gets a short line whenever something has come about ("2 of 3 nodes are Ready").
  Launcher(ClusterPaths paths, std::function<void(const std::string&)> progress)
      : paths_(std::move(paths)), progress_(std::move(progress)) {}

  // Starts what is not running of `wanted` and returns when all nodes are Ready. `wanted` carries
  // what is known of an earlier start (addresses, processes) and is filled in and saved on the way:
  // what was started is known even if this is interrupted, or it ends by itself.
  absl::Status Up(Topology* wanted);

  // Ends all processes (SIGTERM, after kGraceSeconds SIGKILL). Returns the names of those that
  // were running. The store, journal and logs stay.
  absl::StatusOr<std::vector<std::string>> Down(Topology topology);

 private:
  absl::Status PickAddresses(Topology* topology);
  std::filesystem::path MasterReadyFile() const;
  std::string ForkRequest(const Topology& topology, const std::string& name,
                          const std::string& address) const;
  absl::Status StartMaster(Topology* topology);
  absl::Status StartNodes(Topology* topology);
  absl::Status StartBalancer(Topology* topology);
  absl::Status WaitForApi(const Topology& topology);
  bool StartedNodesRenewed(const Topology& topology) const;
  absl::Status WaitForNodes(Topology* topology);
  absl::Status Start(Topology* topology, const std::string& name, const std::string& program,
                     const std::vector<std::string>& arguments, const std::string& address);
  std::string LogTail(const std::string& name) const;

  const ClusterPaths paths_;
  const std::function<void(const std::string&)> progress_;
  bool resumed_ = false;           // there was an earlier start
  std::string began_;              // when, as a MicroTime
  std::set<std::string> started_;  // nodes that this Up has started
};

}  // namespace kubemu

#endif  // KUBEMU_LAB_CLUSTER_LAUNCHER_H_
