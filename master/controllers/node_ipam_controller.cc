#include "master/controllers/node_ipam_controller.h"

#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"

namespace kubemu {
namespace {

const std::string& RangeOf(const Object& node) {
  return node.As<k8s::core::v1::Node>().spec().pod_cidr();
}

}  // namespace

NodeIpamController::NodeIpamController(Options options) : options_(options) {
  KUBEMU_CHECK(options_.cluster_cidr.prefix() <= options_.node_prefix);
  KUBEMU_CHECK(options_.node_prefix <= 30);
  Watch({.kind = &KindOf<k8s::core::v1::Node>()});
}

void NodeIpamController::Changed(size_t, const Informer::Change& change, Trace trace, Env&) {
  if (!change.after) {
    without_.erase(change.key);
    Free(change.key, trace);
    return;
  }
  if (RangeOf(change.after).empty()) {
    queue().Add(change.key, trace);
    return;
  }
  const auto range = Ipv4Network::Parse(RangeOf(change.after));
  if (range.ok()) Occupy(change.key, *range);
}

void NodeIpamController::Reconcile(const std::string& key, Env& env) {
  const Object node = source(0).Find(key);
  if (!node || !RangeOf(node).empty()) return;
  if (!ranges_.contains(key)) {
    const std::optional<Ipv4Network> range = LowestFree();
    if (!range) {
      if (!without_.insert(key).second) return;
      events_.Record(ReferenceTo(node), "Normal", "CIDRNotAvailable",
                     StrCat("Node ", key, " status is now: CIDRNotAvailable"), env);
      return;
    }
    Occupy(key, *range);
  }
  without_.erase(key);
  Grant(key, env);
}

// A patch of these two fields only: it does not collide with the kubelet's own writes.
void NodeIpamController::Grant(const std::string& node, Env& env) {
  const std::string range = ranges_[node].ToString();
  bus::ApiRequest request;
  request.set_verb(bus::PATCH);
  request.set_kind(static_cast<uint32_t>(KindOf<k8s::core::v1::Node>().id));
  request.set_name(node);
  request.set_patch_type(bus::STRATEGIC_MERGE);
  request.set_patch(
      StrCat(R"({"spec":{"podCIDR":")", range, R"(","podCIDRs":[")", range, R"("]}})"));
  Call(std::move(request), Object(), env);
}

bool NodeIpamController::Answered(const std::string&, const CallResult& result, Env&) {
  // A node that is gone needs no range; its deletion frees what it was to get.
  return result.ok() || result.code == 404;
}

void NodeIpamController::Occupy(const std::string& node, const Ipv4Network& range) {
  const auto it = ranges_.find(node);
  if (it != ranges_.end() && it->second != range) owners_.erase(it->second);
  ranges_[node] = range;
  owners_[range] = node;
}

void NodeIpamController::Free(const std::string& node, Trace trace) {
  const auto it = ranges_.find(node);
  if (it == ranges_.end()) return;
  owners_.erase(it->second);
  ranges_.erase(it);
  for (const std::string& waiting : without_) queue().Add(waiting, trace);
}

uint64_t NodeIpamController::RangesMax() const {
  return uint64_t{1} << (options_.node_prefix - options_.cluster_cidr.prefix());
}

std::optional<Ipv4Network> NodeIpamController::LowestFree() const {
  const Ipv4Network& cluster = options_.cluster_cidr;
  const uint64_t size = uint64_t{1} << (32 - options_.node_prefix);
  uint64_t candidate = 0;  // address offset in the cluster's range
  for (const auto& [range, node] : owners_) {
    if (!cluster.Contains(range.base())) continue;
    const uint64_t begin = range.base().bits() - cluster.base().bits();
    if (begin >= candidate + size) break;  // the gap before this range is large enough
    const uint64_t end = begin + range.size();
    // Ranges made with another mask may be larger or smaller than ours: round up.
    if (end > candidate) candidate = (end + size - 1) / size * size;
  }
  if (candidate / size >= RangesMax()) return std::nullopt;
  return Ipv4Network(cluster.At(candidate), options_.node_prefix);
}

}  // namespace kubemu
