#ifndef KUBEMU_MASTER_SCHEDULER_FILTERS_H_
#define KUBEMU_MASTER_SCHEDULER_FILTERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "master/scheduler/node_info.h"
#include "master/scheduler/pod_info.h"

namespace kubemu {

// Who refused a node. Values are bits, so that a set of them is a number: what a waiting pod waits
// for.
enum class Plugin : uint32_t {
  kNodeUnschedulable = 1 << 0,
  kNodeName = 1 << 1,
  kTaintToleration = 1 << 2,
  kNodeAffinity = 1 << 3,
  kNodePorts = 1 << 4,
  kNodeResourcesFit = 1 << 5,
  kPodTopologySpread = 1 << 6,
  kInterPodAffinity = 1 << 7,
};

// "NodeResourcesFit"
std::string_view PluginName(Plugin plugin);

// Why a node cannot take a pod: all reasons that this plugin has, in upstream's words
// (kubernetes.md section 3.6).
struct Rejection {
  Plugin plugin = Plugin::kNodeName;
  // Removing other pods might help (upstream's Unschedulable; else UnschedulableAndUnresolvable).
  bool resolvable = false;
  std::vector<std::string> reasons;
};

// Each filter is a pure function of pod and node; nullopt: the node passes. All nodes given must
// have a Node object. Rules: pkg/scheduler/framework/plugins/<name>.
using Verdict = std::optional<Rejection>;

Verdict FilterNodeUnschedulable(const PodInfo& pod, const NodeInfo& node);
Verdict FilterNodeName(const PodInfo& pod, const NodeInfo& node);
Verdict FilterTaintToleration(const PodInfo& pod, const NodeInfo& node);
Verdict FilterNodeAffinity(const PodInfo& pod, const NodeInfo& node);
Verdict FilterNodePorts(const PodInfo& pod, const NodeInfo& node);
Verdict FilterNodeResourcesFit(const PodInfo& pod, const NodeInfo& node);

// The filters above in upstream's order, up to the first that refuses.
Verdict FilterNodeAlone(const PodInfo& pod, const NodeInfo& node);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_FILTERS_H_
