#include <set>

#include "master/apiserver/tables/table.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_node.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Node;

std::string Status(const Node& node) {
  std::string status = "Unknown";
  for (const auto& condition : node.status().conditions()) {
    if (condition.type() == "Ready") status = condition.status() == "True" ? "Ready" : "NotReady";
  }
  if (node.spec().unschedulable()) status += ",SchedulingDisabled";
  return status;
}

// From the labels "node-role.kubernetes.io/<role>" and "kubernetes.io/role".
std::string Roles(const Node& node) {
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  for (const auto& label : node.metadata().labels()) {
    if (label.key().starts_with(kPrefix)) {
      if (label.key().size() > kPrefix.size()) roles.insert(label.key().substr(kPrefix.size()));
    } else if (label.key() == "kubernetes.io/role" && !label.value().empty()) {
      roles.insert(label.value());
    }
  }
  return OrNone(StrJoin(std::vector<std::string>(roles.begin(), roles.end()), ","));
}

std::string Address(const Node& node, std::string_view type) {
  for (const auto& address : node.status().addresses()) {
    if (address.type() == type) return address.address();
  }
  return "<none>";
}

std::string OrUnknown(const std::string& text) {
  return text.empty() ? "<unknown>" : text;
}

TableCells NodeCells(const Object& object, WallTime now) {
  const Node& node = object.As<Node>();
  const auto& info = node.status().node_info();
  return {node.metadata().name(),
          Status(node),
          Roles(node),
          CreationAge(object, now),
          info.kubelet_version(),
          Address(node, "InternalIP"),
          Address(node, "ExternalIP"),
          OrUnknown(info.os_image()),
          OrUnknown(info.kernel_version()),
          OrUnknown(info.container_runtime_version())};
}

}  // namespace

const TablePrinter* NodePrinter(const Kind& kind) {
  static const TablePrinter kPrinter{{{"Name"},
                                      {"Status"},
                                      {"Roles"},
                                      {"Age"},
                                      {"Version"},
                                      {"Internal-IP", "string", 1},
                                      {"External-IP", "string", 1},
                                      {"OS-Image", "string", 1},
                                      {"Kernel-Version", "string", 1},
                                      {"Container-Runtime", "string", 1}},
                                     NodeCells};
  return &kind == &KindOf<Node>() ? &kPrinter : nullptr;
}

}  // namespace kubemu
