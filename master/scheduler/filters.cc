#include "master/scheduler/filters.h"

#include <algorithm>

#include "messages/api/taints.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

constexpr std::string_view kUnschedulableTaint = "node.kubernetes.io/unschedulable";

Rejection Refuse(Plugin plugin, bool resolvable, std::string reason) {
  return Rejection{plugin, resolvable, {std::move(reason)}};
}

bool Conflict(const HostPort& a, const HostPort& b) {
  if (a.port != b.port || a.protocol != b.protocol) return false;
  return a.ip == b.ip || a.ip == "0.0.0.0" || b.ip == "0.0.0.0";
}

// Adds a reason if the node has too little left of one resource. What the pod does not ask for
// never stands in its way.
struct FitCheck {
  std::vector<std::string> reasons;
  bool resolvable = true;

  void Check(std::string_view resource, int64_t asked, int64_t used, int64_t capacity) {
    if (asked == 0 || asked <= capacity - used) return;
    reasons.push_back(StrCat("Insufficient ", resource));
    // It would not even fit on the empty node.
    if (asked > capacity) resolvable = false;
  }
};

}  // namespace

std::string_view PluginName(Plugin plugin) {
  switch (plugin) {
    case Plugin::kNodeUnschedulable:
      return "NodeUnschedulable";
    case Plugin::kNodeName:
      return "NodeName";
    case Plugin::kTaintToleration:
      return "TaintToleration";
    case Plugin::kNodeAffinity:
      return "NodeAffinity";
    case Plugin::kNodePorts:
      return "NodePorts";
    case Plugin::kNodeResourcesFit:
      return "NodeResourcesFit";
    case Plugin::kPodTopologySpread:
      return "PodTopologySpread";
    case Plugin::kInterPodAffinity:
      return "InterPodAffinity";
  }
  return "";
}

Verdict FilterNodeUnschedulable(const PodInfo& pod, const NodeInfo& node) {
  if (!node.node().spec().unschedulable()) return std::nullopt;
  k8s::core::v1::Taint taint;
  taint.set_key(std::string(kUnschedulableTaint));
  taint.set_effect(std::string(kNoSchedule));
  if (AnyTolerates(pod.spec().tolerations(), taint)) return std::nullopt;
  return Refuse(Plugin::kNodeUnschedulable, false, "node(s) were unschedulable");
}

Verdict FilterNodeName(const PodInfo& pod, const NodeInfo& node) {
  const std::string& wanted = pod.spec().node_name();
  if (wanted.empty() || wanted == node.name()) return std::nullopt;
  return Refuse(Plugin::kNodeName, false, "node(s) didn't match the requested node name");
}

Verdict FilterTaintToleration(const PodInfo& pod, const NodeInfo& node) {
  if (node.node().spec().taints().empty()) return std::nullopt;
  const k8s::core::v1::Taint* taint =
      FirstUntoleratedTaint(pod.spec().tolerations(), node.node().spec().taints());
  if (taint == nullptr) return std::nullopt;
  return Refuse(Plugin::kTaintToleration, false,
                StrCat("node(s) had untolerated taint {", taint->key(), ": ", taint->value(), "}"));
}

Verdict FilterNodeAffinity(const PodInfo& pod, const NodeInfo& node) {
  if (!pod.has_node_constraints) return std::nullopt;
  if (MatchesNodeSelectorAndAffinity(pod.spec(), node.node())) return std::nullopt;
  return Refuse(Plugin::kNodeAffinity, false, "node(s) didn't match Pod's node affinity/selector");
}

Verdict FilterNodePorts(const PodInfo& pod, const NodeInfo& node) {
  for (const HostPort& wanted : pod.host_ports) {
    for (const HostPort& used : node.host_ports()) {
      if (!Conflict(wanted, used)) continue;
      return Refuse(Plugin::kNodePorts, true,
                    "node(s) didn't have free ports for the requested pod ports");
    }
  }
  return std::nullopt;
}

Verdict FilterNodeResourcesFit(const PodInfo& pod, const NodeInfo& node) {
  FitCheck fit;
  if (static_cast<int64_t>(node.pods().size()) + 1 > node.allocatable_pods()) {
    fit.reasons.push_back("Too many pods");
  }
  const Resources& asked = pod.requests;
  const Resources& used = node.requested();
  const Resources& capacity = node.allocatable();
  fit.Check("cpu", asked.milli_cpu, used.milli_cpu, capacity.milli_cpu);
  fit.Check("memory", asked.memory, used.memory, capacity.memory);
  fit.Check("ephemeral-storage", asked.ephemeral_storage, used.ephemeral_storage,
            capacity.ephemeral_storage);
  for (const auto& [name, amount] : asked.scalar) {
    fit.Check(name, amount, used.Scalar(name), capacity.Scalar(name));
  }
  if (fit.reasons.empty()) return std::nullopt;
  return Rejection{Plugin::kNodeResourcesFit, fit.resolvable, std::move(fit.reasons)};
}

Verdict FilterNodeAlone(const PodInfo& pod, const NodeInfo& node) {
  if (Verdict verdict = FilterNodeUnschedulable(pod, node)) return verdict;
  if (Verdict verdict = FilterNodeName(pod, node)) return verdict;
  if (Verdict verdict = FilterTaintToleration(pod, node)) return verdict;
  if (Verdict verdict = FilterNodeAffinity(pod, node)) return verdict;
  if (Verdict verdict = FilterNodePorts(pod, node)) return verdict;
  return FilterNodeResourcesFit(pod, node);
}

}  // namespace kubemu
