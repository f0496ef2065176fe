#include "master/scheduler/default_selectors.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "messages/api/object_selectors.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

const std::string& ControllerUid(const PodInfo& pod) {
  static const std::string kNone;
  for (const auto& owner : pod.pod().metadata().owner_references()) {
    if (owner.controller()) return owner.uid();
  }
  return kNone;
}

bool IsPartOf(const Labels& selector, const Labels& labels) {
  return std::all_of(selector.begin(), selector.end(), [&](const auto& wanted) {
    const std::string* value = FindLabel(labels, wanted.first);
    return value != nullptr && *value == wanted.second;
  });
}

}  // namespace

void DefaultSelectors::ServiceChanged(const std::string& key, const Object& after) {
  Labels selector;
  if (after) {
    for (const auto& label : after.As<k8s::core::v1::Service>().spec().selector()) {
      selector.emplace_back(label.key(), label.value());
    }
  }
  std::sort(selector.begin(), selector.end());
  const auto at = services_.find(key);
  if (at != services_.end() ? at->second == selector : selector.empty()) return;
  cache_.clear();
  if (selector.empty()) {
    services_.erase(key);
  } else {
    services_[key] = std::move(selector);
  }
}

void DefaultSelectors::ReplicaSetChanged(const Object& before, const Object& after) {
  if (after) {
    // A ReplicaSet's selector never changes.
    const auto [at, is_new] = owners_.try_emplace(after.meta().uid());
    if (!is_new) return;
    at->second = ToLabelSelector(after.As<k8s::apps::v1::ReplicaSet>().spec().selector())
                     .value_or(LabelSelector::Nothing());
  } else {
    owners_.erase(before.meta().uid());
  }
  cache_.clear();
}

std::optional<LabelSelector> DefaultSelectors::Build(const PodInfo& pod) const {
  std::map<std::string, std::string> labels;
  const std::string prefix = StrCat(pod.ns, "/");
  for (auto at = services_.lower_bound(prefix);
       at != services_.end() && at->first.compare(0, prefix.size(), prefix) == 0; ++at) {
    if (!IsPartOf(at->second, pod.labels)) continue;
    for (const auto& [key, value] : at->second) labels[key] = value;
  }
  std::vector<LabelRequirement> requirements;
  for (const auto& [key, value] : labels) {
    requirements.push_back(LabelRequirement{key, LabelRequirement::Operator::kIn, {value}});
  }
  const auto owner = owners_.find(ControllerUid(pod));
  if (owner != owners_.end()) {
    const auto& more = owner->second.requirements();
    requirements.insert(requirements.end(), more.begin(), more.end());
  }
  if (requirements.empty()) return std::nullopt;
  return LabelSelector(std::move(requirements));
}

const LabelSelector* DefaultSelectors::Find(const PodInfo& pod) {
  if (!pod.spread.empty()) return nullptr;
  std::string key = StrCat(pod.ns, ";", ControllerUid(pod), ";");
  for (const auto& [name, value] : pod.labels) StrAppend(&key, name, "=", value, ",");
  if (cache_.size() >= kCachedMax) cache_.clear();
  auto at = cache_.find(key);
  if (at == cache_.end()) at = cache_.emplace(std::move(key), Build(pod)).first;
  return at->second ? &*at->second : nullptr;
}

}  // namespace kubemu
