#include "tests/simulation/invariants.h"

#include <algorithm>
#include <set>

#include "messages/api/kinds.h"
#include "messages/api/pod_resources.h"
#include "messages/core/ip.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::ReplicaSet;
using k8s::core::v1::Node;
using k8s::core::v1::Pod;
using k8s::core::v1::Service;
using k8s::meta::v1::ObjectMeta;

bool HasEnded(const Pod& pod) {
  return pod.status().phase() == "Succeeded" || pod.status().phase() == "Failed";
}

int PhaseOrder(const std::string& phase) {
  if (phase == "Running") return 1;
  return phase == "Succeeded" || phase == "Failed" ? 2 : 0;
}

int Restarts(const Pod& pod) {
  int restarts = 0;
  for (const auto& status : pod.status().container_statuses()) restarts += status.restart_count();
  return restarts;
}

// The state of the cluster at one revision, and what was wrong on the way there.
class Replay {
 public:
  void Apply(const StoreRow& row) {
    at_ = StrCat("revision ", RevisionOf(row.row), ", ", row.key, ": ");
    CheckRevision(RevisionOf(row.row));
    const Object before = live_.contains(row.key) ? live_.at(row.key) : Object();
    if (row.removed) {
      live_.erase(row.key);
    } else {
      live_[row.key] = row.object;
    }
    CheckMeta(row, before);
    const std::string_view plural = row.object.kind().plural;
    if (plural == "pods") CheckPod(row, before);
    if (plural == "services" || plural == "nodes") CheckUnique();
    if (plural == "replicasets" && !row.removed) {
      int& most = wanted_[row.object.meta().uid()];
      most = std::max(most, row.object.As<ReplicaSet>().spec().replicas());
    }
  }

  std::vector<std::string> Take() { return std::move(broken_); }

 private:
  void Broken(const std::string& what) {
    constexpr size_t kShownMax = 20;
    if (broken_.size() < kShownMax) broken_.push_back(at_ + what);
  }

  void CheckRevision(uint64_t revision) {
    if (last_ != 0 && revision != last_ && revision != last_ + 1) {
      Broken(StrCat("follows revision ", last_));
    }
    last_ = revision;
  }

  void CheckMeta(const StoreRow& row, const Object& before) {
    const ObjectMeta& now = row.object.meta();
    if (!before) {
      if (!uids_.insert(now.uid()).second) Broken("a uid that was used before");
      return;
    }
    const ObjectMeta& then = before.meta();
    if (now.uid() != then.uid()) Broken("the uid changes");
    if (now.creation_timestamp().seconds() != then.creation_timestamp().seconds()) {
      Broken("creationTimestamp changes");
    }
    if (then.has_deletion_timestamp() && !now.has_deletion_timestamp()) {
      Broken("deletionTimestamp is taken back");
    }
    if (row.removed && now.finalizers_size() > 0) Broken("removed with a finalizer");
  }

  void CheckPod(const StoreRow& row, const Object& before) {
    const auto& pod = row.object.As<Pod>();
    if (before) {
      const auto& then = before.As<Pod>();
      if (!then.spec().node_name().empty() && pod.spec().node_name() != then.spec().node_name()) {
        Broken(StrCat("moves from ", then.spec().node_name(), " to ", pod.spec().node_name()));
      }
      if (PhaseOrder(pod.status().phase()) < PhaseOrder(then.status().phase()) ||
          (HasEnded(then) && pod.status().phase() != then.status().phase())) {
        Broken(StrCat("phase goes from ", then.status().phase(), " to ", pod.status().phase()));
      }
      if (!pod.status().container_statuses().empty() && Restarts(pod) < Restarts(then)) {
        Broken("fewer restarts than before");
      }
    }
    if (row.removed) return;
    CheckRoom(pod.spec().node_name());
    CheckReplicas();
    CheckUnique();
  }

  void CheckRoom(const std::string& name) {
    if (!live_.contains("/registry/nodes/" + name)) return;
    const auto& node = live_.at("/registry/nodes/" + name).As<Node>();
    const ResourceList room = ToResourceList(node.status().allocatable());
    ResourceList asked;
    int64_t pods = 0;
    for (const auto& [key, object] : live_) {
      if (object.kind().plural != "pods") continue;
      const auto& pod = object.As<Pod>();
      if (pod.spec().node_name() != name || HasEnded(pod)) continue;
      ++pods;
      for (const auto& [resource, amount] : PodRequests(pod.spec())) asked[resource] += amount;
    }
    for (const auto& [resource, amount] : asked) {
      if (amount > AmountOf(room, resource)) Broken(StrCat(name, " has not that much ", resource));
    }
    if (pods > AmountOf(room, "pods").Value()) Broken(StrCat(name, " has too many pods"));
  }

  void CheckReplicas() {
    std::map<std::string, int> active;
    for (const auto& [key, object] : live_) {
      if (object.kind().plural != "pods" || object.meta().has_deletion_timestamp()) continue;
      if (HasEnded(object.As<Pod>())) continue;
      for (const auto& owner : object.meta().owner_references()) {
        if (owner.kind() == "ReplicaSet") ++active[owner.uid()];
      }
    }
    for (const auto& [uid, pods] : active) {
      if (pods > wanted_[uid]) {
        Broken(StrCat("a ReplicaSet that wants ", wanted_[uid], " has ", pods, " active pods"));
      }
    }
  }

  void CheckUnique() {
    std::map<std::string, std::string> owners;
    const auto own = [&](const std::string& what, const std::string& key) {
      const auto [it, added] = owners.emplace(what, key);
      if (!added) Broken(StrCat(it->second, " and ", key, " both have ", what));
    };
    for (const auto& [key, object] : live_) {
      if (object.kind().plural == "pods") {
        const auto& pod = object.As<Pod>();
        if (pod.status().pod_ip().empty() || HasEnded(pod) || pod.spec().host_network()) continue;
        if (object.meta().has_deletion_timestamp()) continue;  // may have ended already
        own(pod.status().pod_ip(), key);
      } else if (object.kind().plural == "services") {
        const auto& service = object.As<Service>();
        const std::string& ip = service.spec().cluster_ip();
        if (!ip.empty() && ip != "None") own(ip, key);
        for (const auto& port : service.spec().ports()) {
          if (port.node_port() != 0) own(StrCat("node port ", port.node_port()), key);
        }
      } else if (object.kind().plural == "nodes") {
        const std::string& cidr = object.As<Node>().spec().pod_cidr();
        if (!cidr.empty()) own(cidr, key);
      }
    }
  }

  std::map<std::string, Object> live_;
  std::set<std::string> uids_;
  std::map<std::string, int> wanted_;  // ReplicaSet's uid: the most it ever wanted
  uint64_t last_ = 0;
  std::string at_;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> BrokenInvariants(const MemoryDisk& disk) {
  if (disk.compacted_revision != 0) return {"the history was compacted"};
  Replay replay;
  for (const auto& [number, row] : disk.rows) replay.Apply(row);
  return replay.Take();
}

std::map<std::string, int> WritesSince(const MemoryDisk& disk, uint64_t revision) {
  std::map<std::string, int> writes;
  for (auto it = disk.rows.lower_bound(RowOf(revision + 1, 0)); it != disk.rows.end(); ++it) {
    ++writes[std::string(it->second.object.kind().plural)];
  }
  return writes;
}

uint64_t LastRevision(const MemoryDisk& disk) {
  return disk.rows.empty() ? 0 : RevisionOf(disk.rows.rbegin()->first);
}

}  // namespace kubemu
