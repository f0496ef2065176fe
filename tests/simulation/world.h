#ifndef KUBEMU_TESTS_SIMULATION_WORLD_H_
#define KUBEMU_TESTS_SIMULATION_WORLD_H_

#include <string>
#include <vector>

#include "boost/json/value.hpp"
#include "lab/simulator/sim_cluster.h"
#include "messages/core/ip.h"

namespace kubemu {

// A Deployment of nginx and a Service of the same name on node port 30080 and behind lb. Its pods
// leave a lost node after `tolerate_seconds` and end at once when deleted.
std::string WebManifest(int replicas, int tolerate_seconds = 300);

// The items of a list; empty if it could not be read.
std::vector<boost::json::value> Items(SimCluster& cluster, const std::string& target);

// A node's Ready condition: "True", "False", "Unknown".
std::string ReadyOf(SimCluster& cluster, const std::string& node);

// Pods of the app that run, are Ready and are not being deleted.
int RunningPods(SimCluster& cluster, const std::string& app);

// Ready pods of coredns.
int ReadyDnsPods(SimCluster& cluster);

// Addresses of the Ready endpoints of a Service, and of the Ready pods of its app, both sorted.
std::vector<std::string> ReadyEndpoints(SimCluster& cluster, const std::string& service);
std::vector<std::string> ReadyPodAddresses(SimCluster& cluster, const std::string& app);

// A node's address with the node port of WebManifest.
SocketAddress NodePortOf(int node);

// Faults on everything but flows, HTTP and the store's messages (which never leave the master), at
// every process that runs: loss and duplicates with these probabilities, delays up to `delay`.
void SetFaults(SimCluster& cluster, double loss, double duplicate, Duration delay);
void ClearFaults(SimCluster& cluster);

}  // namespace kubemu

#endif  // KUBEMU_TESTS_SIMULATION_WORLD_H_
