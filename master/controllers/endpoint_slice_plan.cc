#include "master/controllers/endpoint_slice_plan.h"

#include <algorithm>
#include <utility>

#include "messages/core/check.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::discovery::v1::Endpoint;
using k8s::discovery::v1::EndpointSlice;

using Wanted = std::map<std::string, WantedEndpoint>;

bool SameLabels(const EndpointSlice& a, const EndpointSlice& b) {
  return std::equal(
      a.metadata().labels().begin(), a.metadata().labels().end(), b.metadata().labels().begin(),
      b.metadata().labels().end(),
      [](const auto& x, const auto& y) { return x.key() == y.key() && x.value() == y.value(); });
}

// One slice on its way to what it should be. Nothing is copied before it is known to change.
struct Draft {
  Object before;                            // none: new
  const EndpointGroup* ports_of = nullptr;  // of a new one
  std::vector<int> kept;                    // endpoints of `before` that stay as they are
  std::vector<WantedEndpoint> written;      // changed and new ones
  bool changed = false;

  size_t size() const { return kept.size() + written.size(); }
  const EndpointSlice& old() const { return before.As<EndpointSlice>(); }
};

class Planner {
 public:
  Planner(const EndpointSlice& like, size_t max) : like_(like), max_(max) {}

  void AddExisting(const Object& object) {
    Draft draft;
    draft.before = object;
    drafts_[PortsKey(draft.old().ports())].push_back(std::move(draft));
  }

  void Plan(const std::string& key, const EndpointGroup& group) {
    std::vector<Draft>& drafts = drafts_[key];
    Wanted rest = group.endpoints;
    for (Draft& draft : drafts) Keep(draft, rest);
    for (Draft& draft : drafts) {
      if (draft.changed) Fill(draft, rest);
    }
    while (!rest.empty()) Fill(RoomFor(rest.size(), drafts, group), rest);
  }

  EndpointSlicePlan Finish() {
    EndpointSlicePlan plan;
    size_t kept = 0;
    for (auto& [key, drafts] : drafts_) {
      for (const Draft& draft : drafts) kept += Sort(draft, plan);
    }
    if (kept == 0) KeepOneEmpty(plan);
    while (!plan.create.empty() && !plan.remove.empty()) UseAgain(plan);
    return plan;
  }

 private:
  // What of the slice is still wanted stays where it is.
  void Keep(Draft& draft, Wanted& rest) const {
    const EndpointSlice& old = draft.old();
    for (int i = 0; i < old.endpoints_size(); ++i) {
      const Endpoint& endpoint = old.endpoints(i);
      const auto wanted =
          endpoint.addresses().empty() ? rest.end() : rest.find(endpoint.addresses(0));
      if (wanted == rest.end()) {
        draft.changed = true;
        continue;
      }
      if (wanted->second.Equals(endpoint)) {
        draft.kept.push_back(i);
      } else {
        draft.written.push_back(std::move(wanted->second));
        draft.changed = true;
      }
      rest.erase(wanted);
    }
    draft.changed |= !SameLabels(old, like_);
  }

  void Fill(Draft& draft, Wanted& rest) const {
    while (!rest.empty() && draft.size() < max_) {
      draft.written.push_back(std::move(rest.begin()->second));
      rest.erase(rest.begin());
      draft.changed = true;
    }
  }

  // The fullest slice that takes all `count`, or a new one.
  Draft& RoomFor(size_t count, std::vector<Draft>& drafts, const EndpointGroup& group) {
    Draft* best = nullptr;
    for (Draft& draft : drafts) {
      if (draft.size() + count > max_) continue;
      if (best == nullptr || draft.size() > best->size()) best = &draft;
    }
    if (best != nullptr) return *best;
    drafts.emplace_back().ports_of = &group;
    return drafts.back();
  }

  EndpointSlice Make(const Draft& draft) const {
    EndpointSlice slice = like_;
    if (draft.before) {
      const EndpointSlice& old = draft.old();
      *slice.mutable_metadata() = old.metadata();
      *slice.mutable_metadata()->mutable_labels() = like_.metadata().labels();
      *slice.mutable_ports() = old.ports();
      for (const int i : draft.kept) *slice.add_endpoints() = old.endpoints(i);
    } else {
      for (const auto& port : draft.ports_of->ports) *slice.add_ports() = port;
    }
    for (const WantedEndpoint& endpoint : draft.written) *slice.add_endpoints() = endpoint.Make();
    return slice;
  }

  // Puts a draft where it belongs; returns how many slices remain because of it.
  size_t Sort(const Draft& draft, EndpointSlicePlan& plan) const {
    if (draft.size() == 0) {
      if (draft.before) plan.remove.push_back(draft.before);
      return 0;
    }
    if (!draft.before) {
      plan.create.push_back(Make(draft));
    } else if (draft.changed) {
      plan.update.push_back(Make(draft));
    }
    return 1;
  }

  void KeepOneEmpty(EndpointSlicePlan& plan) {
    const auto is_it = [this](const Object& object) {
      const EndpointSlice& slice = object.As<EndpointSlice>();
      return slice.endpoints().empty() && slice.ports().empty() && SameLabels(slice, like_);
    };
    const auto it = std::find_if(plan.remove.begin(), plan.remove.end(), is_it);
    if (it != plan.remove.end()) {
      plan.remove.erase(it);
    } else {
      plan.create.push_back(like_);
    }
  }

  void UseAgain(EndpointSlicePlan& plan) const {
    EndpointSlice slice = std::move(plan.create.back());
    plan.create.pop_back();
    *slice.mutable_metadata() = plan.remove.back().meta();
    *slice.mutable_metadata()->mutable_labels() = like_.metadata().labels();
    plan.remove.pop_back();
    plan.update.push_back(std::move(slice));
  }

  const EndpointSlice& like_;
  const size_t max_;
  std::map<std::string, std::vector<Draft>> drafts_;  // by PortsKey
};

}  // namespace

const std::string& WantedEndpoint::address() const {
  return pod->As<k8s::core::v1::Pod>().status().pod_ip();
}

bool WantedEndpoint::Equals(const Endpoint& endpoint) const {
  const auto& conditions = endpoint.conditions();
  const auto& target = endpoint.target_ref();
  return endpoint.addresses_size() == 1 && endpoint.addresses(0) == address() &&
         conditions.ready() == ready && conditions.serving() == serving &&
         conditions.terminating() == terminating && endpoint.hostname() == hostname &&
         endpoint.zone() == zone &&
         endpoint.node_name() == pod->As<k8s::core::v1::Pod>().spec().node_name() &&
         target.uid() == pod->meta().uid() && target.name() == pod->meta().name() &&
         target.kind() == "Pod" && endpoint.hints().for_zones_size() == (hints_zone ? 1 : 0) &&
         (!hints_zone || endpoint.hints().for_zones(0).name() == zone);
}

Endpoint WantedEndpoint::Make() const {
  Endpoint endpoint;
  endpoint.add_addresses(address());
  endpoint.mutable_conditions()->set_ready(ready);
  endpoint.mutable_conditions()->set_serving(serving);
  endpoint.mutable_conditions()->set_terminating(terminating);
  if (!hostname.empty()) endpoint.set_hostname(hostname);
  auto* target = endpoint.mutable_target_ref();
  target->set_kind("Pod");
  target->set_namespace_(pod->meta().namespace_());
  target->set_name(pod->meta().name());
  target->set_uid(pod->meta().uid());
  const std::string& node = pod->As<k8s::core::v1::Pod>().spec().node_name();
  if (!node.empty()) endpoint.set_node_name(node);
  if (!zone.empty()) endpoint.set_zone(zone);
  if (hints_zone) endpoint.mutable_hints()->add_for_zones()->set_name(zone);
  return endpoint;
}

EndpointSlicePlan PlanEndpointSlices(const std::map<std::string, EndpointGroup>& groups,
                                     const std::map<std::string, Object>& existing,
                                     const EndpointSlice& like, size_t max) {
  KUBEMU_CHECK(max > 0);
  Planner planner(like, max);
  for (const auto& [key, slice] : existing) planner.AddExisting(slice);
  for (const auto& [key, group] : groups) planner.Plan(key, group);
  return planner.Finish();
}

}  // namespace kubemu
