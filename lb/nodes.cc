#include "lb/nodes.h"

#include <optional>

#include "lb/settings.h"
#include "messages/api/labels.h"
#include "messages/api/node_facts.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

// Well-known names: k8s.io/api/core/v1 and cloud-provider/controllers/service.
constexpr char kExcludeLabel[] = "node.kubernetes.io/exclude-from-external-load-balancers";
constexpr char kToBeDeletedTaint[] = "ToBeDeletedByClusterAutoscaler";

std::string WhyExcluded(const k8s::core::v1::Node& node) {
  if (node.metadata().has_deletion_timestamp()) return "it is being deleted";
  if (FindEntry(node.metadata().labels(), kExcludeLabel) != nullptr) {
    return StrCat("it has the label ", kExcludeLabel);
  }
  for (const auto& taint : node.spec().taints()) {
    if (taint.key() == kToBeDeletedTaint) return StrCat("it has the taint ", kToBeDeletedTaint);
  }
  return "";
}

}  // namespace

LbNodes ReadNodes(const std::map<std::string, Object>& objects) {
  LbNodes nodes;
  for (const auto& [name, object] : objects) {
    const auto& node = object.As<k8s::core::v1::Node>();
    const std::optional<Ipv4> ip = InternalAddress(node);
    if (!ip) continue;
    LbNode& info = nodes[name];
    info.ip = *ip;
    info.weight = NodeWeight(node, &info.complaint);
    info.excluded = WhyExcluded(node);
  }
  return nodes;
}

}  // namespace kubemu
