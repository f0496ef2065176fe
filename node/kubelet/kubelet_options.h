#ifndef KUBEMU_NODE_KUBELET_KUBELET_OPTIONS_H_
#define KUBEMU_NODE_KUBELET_KUBELET_OPTIONS_H_

#include <map>
#include <string>
#include <vector>

#include "messages/core/ip.h"
#include "messages/core/time.h"

namespace kubemu {

// What one kubelet is told at its start.
struct KubeletOptions {
  struct Taint {
    std::string key;
    std::string value;
    std::string effect;  // NoSchedule, PreferNoSchedule, NoExecute
  };

  std::string node;      // name of the process and of the Node object
  Ipv4 address;          // the node's own address
  std::string endpoint;  // where its process listens on the bus; "" if nobody needs to know
  // Capacity, as Kubernetes quantities. REQUIRES: valid quantities.
  std::string cpu = "4";
  std::string memory = "8Gi";
  std::string ephemeral_storage = "100Gi";
  int pods = 110;
  std::map<std::string, std::string> labels;     // besides the well-known ones
  std::vector<Taint> taints;                     // --register-with-taints
  Ipv4 cluster_dns{10, 96, 0, 10};               // --cluster-dns; none: pods get no name server
  std::string cluster_domain = "cluster.local";  // --cluster-domain
  std::string kubelet_version = "v1.33.0";
  std::string kernel_version = "6.1.0-kubemu";
};

// Kubernetes' defaults (pkg/kubelet/apis/config/v1beta1/defaults.go, pkg/kubelet/kubelet.go).
inline constexpr Duration kLeaseDuration = 40s;
inline constexpr Duration kLeaseInterval = kLeaseDuration / 4;
inline constexpr double kLeaseJitter = 0.04;
inline constexpr Duration kStatusInterval = 10s;
inline constexpr Duration kStatusReportInterval = 5min;
inline constexpr Duration kRegisterDelayMin = 100ms;
inline constexpr Duration kRegisterDelayMax = 7s;
// Without an answer the engine is down (pkg/kubelet/kubelet.go, maxWaitForContainerRuntime).
inline constexpr Duration kEngineTimeout = 30s;
inline constexpr Duration kBackOffMin = 10s;
inline constexpr Duration kBackOffMax = 300s;
inline constexpr Duration kGraceMin = 2s;  // after a preStop hook took the rest

// kubemu's own.
inline constexpr Duration kEnginePollInterval = 5s;
inline constexpr Duration kAskAgain = 2s;    // the engine has not answered a request
inline constexpr Duration kWriteAgain = 1s;  // the API server has not taken a write
// How long a pod that is just starting keeps the status it was created with, so that one that runs
// by then is written once.
inline constexpr Duration kFirstWriteDelay = 200ms;

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_KUBELET_OPTIONS_H_
