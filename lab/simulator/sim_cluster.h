#ifndef KUBEMU_LAB_SIMULATOR_SIM_CLUSTER_H_
#define KUBEMU_LAB_SIMULATOR_SIM_CLUSTER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "boost/json/value.hpp"
#include "lab/observe/message_log.h"
#include "lab/simulator/sim_client.h"
#include "lab/simulator/sim_internet.h"
#include "lab/simulator/simulator.h"
#include "master/store/memory_storage.h"

namespace kubemu {

class SimLab;

// A whole cluster in the simulator: master, node-1 … node-N, lb, and outside of it a client of the
// API, TCP clients and the lab. A verb that waits for something lets virtual time pass.
class SimCluster {
 public:
  struct Options {
    int nodes = 3;  // node-n has the address 127.1.0.n
    uint64_t seed = 1;
    std::string cpu = "4";
    std::string memory = "8Gi";
    int pods = 110;  // per node
    bool keep_journal = true;
    bool cluster_dns = false;  // coredns and kube-dns are there from the start
  };

  explicit SimCluster(Options options);
  ~SimCluster();

  Simulator& simulator() { return simulator_; }
  Time now() const { return simulator_.now(); }
  std::vector<std::string> nodes() const;
  // What the master's store has committed. It survives Kill.
  MemoryDisk& disk() { return *disk_; }

  // Time passes.
  void Run(Duration duration) { simulator_.Run(duration); }
  // Until `done`, tried every `interval`; at most `limit`. Returns whether it is.
  bool RunUntil(const std::function<bool()>& done, Duration limit, Duration interval = 100ms);
  // Until every node is Ready; at most `limit`.
  bool RunUntilReady(Duration limit = 60s);

  // The API, as kubectl asks it. Start does not wait: see answer().
  using Answer = SimClient::Answer;
  uint64_t Start(const std::string& method, const std::string& target, const std::string& body = "",
                 const std::string& content_type = "application/json",
                 const std::string& accept = "application/json");
  const Answer& answer(uint64_t request) const;
  Answer Request(const std::string& method, const std::string& target, const std::string& body = "",
                 const std::string& content_type = "application/json",
                 const std::string& accept = "application/json");
  // The object or list as JSON; null if the answer is not 2xx.
  boost::json::value Get(const std::string& target);
  // Creates or strategically merges each document of a YAML manifest, as `kubectl apply` does.
  // "" if all were taken, else the first complaint.
  std::string Apply(const std::string& manifest);

  // From the process tables of this world: what is not committed is lost with a killed process.
  void Kill(const std::string& process) { simulator_.Kill(process); }
  void StartProcess(const std::string& process) { simulator_.Start(process); }
  // The container engine of a node stops answering, or is back.
  void SetEngineDown(const std::string& node, bool down);

  // A TCP client on the internet asks `server`. StartCurl does not wait: see curl_answer().
  uint64_t StartCurl(SocketAddress server, const std::string& path = "/");
  const SimInternet::Answer& curl_answer(uint64_t request) const;
  SimInternet::Answer Curl(SocketAddress server, const std::string& path = "/");

  // All messages so far. REQUIRES: keep_journal.
  MessageLog Messages() const;

 private:
  void AddNode(int number);

  const Options options_;
  const std::shared_ptr<MemoryDisk> disk_;
  Simulator simulator_;
  SimClient* client_ = nullptr;      // in the process "client", which is never killed
  SimInternet* internet_ = nullptr;  // in "internet"
  SimLab* lab_ = nullptr;            // in "lab"
};

// A boost::json value's member at a pointer ("/status/phase"); null if it is not there. Does not
// throw.
boost::json::value JsonAt(const boost::json::value& value, const std::string& pointer);
// The same as text: a string's contents, else its JSON; "" for null.
std::string JsonText(const boost::json::value& value, const std::string& pointer);

}  // namespace kubemu

#endif  // KUBEMU_LAB_SIMULATOR_SIM_CLUSTER_H_
