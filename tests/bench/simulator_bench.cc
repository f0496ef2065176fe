// How much faster than real time the simulator runs a cluster: 10 nodes with 100 pods, idle but for
// what Kubernetes does all the time. Prints the ratio; goal: 1,000 and more.
//
//   simulator_bench [NODES [PODS [VIRTUAL_MINUTES [keep-journal]]]]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "lab/simulator/sim_cluster.h"
#include "messages/core/strings.h"
#include "tests/simulation/world.h"

namespace kubemu {
namespace {

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

int Main(int argc, char** argv) {
  const int nodes = argc > 1 ? std::atoi(argv[1]) : 10;
  const int pods = argc > 2 ? std::atoi(argv[2]) : 100;
  const int minutes = argc > 3 ? std::atoi(argv[3]) : 60;
  const bool keep_journal = argc > 4;
  auto start = std::chrono::steady_clock::now();
  SimCluster cluster({.nodes = nodes, .keep_journal = keep_journal});
  if (!cluster.RunUntilReady()) return std::puts("the nodes do not become Ready"), 1;
  const std::string error = cluster.Apply(WebManifest(pods));
  if (!error.empty()) return std::puts(error.c_str()), 1;
  if (!cluster.RunUntil([&] { return RunningPods(cluster, "web") == pods; }, 120s)) {
    return std::puts("the pods do not run"), 1;
  }
  std::printf("%d nodes, %d pods running: %.3f s virtual, %.3f s real\n", nodes, pods,
              std::chrono::duration<double>(cluster.now().time_since_epoch()).count(),
              Seconds(start));
  start = std::chrono::steady_clock::now();
  const uint64_t steps = cluster.simulator().steps();
  cluster.Run(std::chrono::minutes(minutes));
  const double real = Seconds(start);
  const uint64_t stepped = cluster.simulator().steps() - steps;
  std::printf("%d min virtual in %.3f s real: %.0f times real time; %llu steps, %.1f us each\n",
              minutes, real, 60.0 * minutes / real, static_cast<unsigned long long>(stepped),
              1e6 * real / static_cast<double>(stepped));
  return 0;
}

}  // namespace
}  // namespace kubemu

int main(int argc, char** argv) {
  return kubemu::Main(argc, argv);
}
