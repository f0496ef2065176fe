#include "master/controllers/endpoint_slice_plan.h"

#include <algorithm>
#include <utility>

#include "messages/core/check.h"

namespace kubemu {
namespace {

using k8s::discovery::v1::Endpoint;
using k8s::discovery::v1::EndpointSlice;

using Endpoints = std::map<std::string, Endpoint>;

template <class Message>
bool Same(const Message& a, const Message& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

bool SameLabels(const EndpointSlice& a, const EndpointSlice& b) {
  return std::equal(a.metadata().labels().begin(), a.metadata().labels().end(),
                    b.metadata().labels().begin(), b.metadata().labels().end(),
                    [](const auto& x, const auto& y) { return Same(x, y); });
}

// One slice on its way to what it should be.
struct Draft {
  EndpointSlice slice;
  Object before;  // none: new
  bool changed = false;

  size_t size() const { return static_cast<size_t>(slice.endpoints_size()); }
};

class Planner {
 public:
  Planner(const EndpointSlice& like, size_t max) : like_(like), max_(max) {}

  void AddExisting(const Object& object) {
    drafts_[PortsKey(object.As<EndpointSlice>().ports())].push_back(
        Draft{object.As<EndpointSlice>(), object, false});
  }

  void Plan(const std::string& key, const EndpointGroup& group) {
    std::vector<Draft>& drafts = drafts_[key];
    Endpoints rest = group.endpoints;
    for (Draft& draft : drafts) Keep(draft, rest);
    for (Draft& draft : drafts) {
      if (draft.changed) Fill(draft, rest);
    }
    while (!rest.empty()) Fill(RoomFor(rest.size(), drafts, group), rest);
  }

  // Those of other ports have nothing left to hold.
  void DropOthers(const std::map<std::string, EndpointGroup>& groups) {
    for (auto& [key, drafts] : drafts_) {
      if (groups.contains(key)) continue;
      for (Draft& draft : drafts) {
        if (draft.size() > 0) draft.changed = true;
        draft.slice.clear_endpoints();
      }
    }
  }

  EndpointSlicePlan Finish() {
    EndpointSlicePlan plan;
    size_t kept = 0;
    for (auto& [key, drafts] : drafts_) {
      for (Draft& draft : drafts) kept += Sort(draft, plan);
    }
    if (kept == 0) KeepOneEmpty(plan);
    while (!plan.create.empty() && !plan.remove.empty()) UseAgain(plan);
    return plan;
  }

 private:
  // What of the slice is still wanted stays where it is.
  void Keep(Draft& draft, Endpoints& rest) {
    auto* endpoints = draft.slice.mutable_endpoints();
    int kept = 0;
    for (int i = 0; i < endpoints->size(); ++i) {
      const Endpoint& old = endpoints->Get(i);
      const auto wanted = old.addresses().empty() ? rest.end() : rest.find(old.addresses(0));
      if (wanted == rest.end()) {
        draft.changed = true;
        continue;
      }
      if (!Same(old, wanted->second)) {
        *endpoints->Mutable(i) = std::move(wanted->second);
        draft.changed = true;
      }
      endpoints->SwapElements(i, kept++);
      rest.erase(wanted);
    }
    endpoints->DeleteSubrange(kept, endpoints->size() - kept);
    if (!SameLabels(draft.slice, like_)) {
      *draft.slice.mutable_metadata()->mutable_labels() = like_.metadata().labels();
      draft.changed = true;
    }
  }

  void Fill(Draft& draft, Endpoints& rest) {
    while (!rest.empty() && draft.size() < max_) {
      *draft.slice.add_endpoints() = std::move(rest.begin()->second);
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
    drafts.push_back(Draft{like_, Object(), true});
    for (const auto& port : group.ports) *drafts.back().slice.add_ports() = port;
    return drafts.back();
  }

  // Puts a draft where it belongs; returns how many slices remain because of it.
  static size_t Sort(Draft& draft, EndpointSlicePlan& plan) {
    if (draft.size() == 0) {
      if (draft.before) plan.remove.push_back(draft.before);
      return 0;
    }
    if (!draft.before) {
      plan.create.push_back(std::move(draft.slice));
    } else if (draft.changed) {
      plan.update.push_back(std::move(draft.slice));
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

EndpointSlicePlan PlanEndpointSlices(const std::map<std::string, EndpointGroup>& groups,
                                     const std::map<std::string, Object>& existing,
                                     const EndpointSlice& like, size_t max) {
  KUBEMU_CHECK(max > 0);
  Planner planner(like, max);
  for (const auto& [key, slice] : existing) planner.AddExisting(slice);
  for (const auto& [key, group] : groups) planner.Plan(key, group);
  planner.DropOthers(groups);
  return planner.Finish();
}

}  // namespace kubemu
