#include "master/controllers/pod_tally.h"

#include <algorithm>
#include <vector>

#include "master/controllers/pod_facts.h"
#include "messages/api/labels.h"
#include "messages/api/object_selectors.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Pod;

// Younger than this when first seen: it has become ready just now (timestamps are whole seconds).
constexpr Duration kJustReady = 2s;

}  // namespace

void PodTally::Recount(const k8s::apps::v1::ReplicaSet& set,
                       const std::map<std::string, Object>& pods, Time now, WallTime wall) {
  selector_ = ToLabelSelector(set.spec().selector()).value_or(LabelSelector::Nothing());
  template_labels_.clear();
  for (const auto& label : set.spec().template_().metadata().labels()) {
    template_labels_[label.key()] = label.value();
  }
  min_ready_ = std::chrono::seconds(set.spec().min_ready_seconds());
  std::erase_if(strangers_, [&](const std::string& key) { return !pods.contains(key); });
  std::vector<std::string> gone;
  for (const auto& [key, facts] : pods_) {
    if (!pods.contains(key)) gone.push_back(key);
  }
  for (const std::string& key : gone) Remove(key);
  for (const auto& [key, pod] : pods) Put(pod, now, wall);
}

bool PodTally::HasTemplateLabels(const Object& pod) const {
  return std::all_of(template_labels_.begin(), template_labels_.end(), [&](const auto& label) {
    const std::string* value = FindEntry(pod.meta().labels(), label.first);
    return value != nullptr && *value == label.second;
  });
}

void PodTally::Put(const Object& object, Time now, WallTime wall) {
  const Pod& pod = object.As<Pod>();
  const std::string& key = object.key();
  Facts& facts = pods_[key];
  Count(key, facts, -1);
  const Facts last = std::exchange(facts, Facts{});
  const bool is_same = last.uid == object.meta().uid();
  const bool selected = selector_.MatchesLabels(object.meta().labels());
  if (selected || object.meta().has_deletion_timestamp()) {
    strangers_.erase(key);
  } else {
    strangers_.insert(key);
  }
  facts.uid = object.meta().uid();
  facts.deleted = is_same && last.deleted;
  facts.active = selected && !facts.deleted && IsPodActive(pod);
  if (!facts.active) return;
  facts.labeled = HasTemplateLabels(object);
  facts.ready = IsPodReady(pod);
  if (facts.ready) {
    facts.transition = ReadySince(pod);
    const Duration age = wall.time_since_epoch() - std::chrono::seconds(facts.transition);
    facts.ready_since = is_same && last.ready && last.transition == facts.transition
                            ? last.ready_since
                            : (age > kJustReady ? now - age : now);
    facts.available_at = facts.ready_since + min_ready_;
    facts.available = facts.available_at <= now;
  }
  Count(key, facts, 1);
}

void PodTally::Count(const std::string& key, const Facts& facts, int sign) {
  counts_.active += facts.active ? sign : 0;
  counts_.labeled += facts.labeled ? sign : 0;
  counts_.ready += facts.ready ? sign : 0;
  counts_.available += facts.available ? sign : 0;
  if (!facts.ready || facts.available) return;
  if (sign > 0) {
    maturing_.emplace(facts.available_at, key);
  } else {
    maturing_.erase({facts.available_at, key});
  }
}

void PodTally::Remove(const std::string& key) {
  const auto at = pods_.find(key);
  if (at == pods_.end()) return;
  Count(key, at->second, -1);
  pods_.erase(at);
  strangers_.erase(key);
}

void PodTally::MarkDeleted(const std::string& key, const std::string& uid) {
  const auto at = pods_.find(key);
  if (at == pods_.end() || at->second.uid != uid) return;
  Count(key, at->second, -1);
  at->second = Facts{};
  at->second.uid = uid;
  at->second.deleted = true;
}

void PodTally::Mature(Time now) {
  while (!maturing_.empty() && maturing_.begin()->first <= now) {
    pods_[maturing_.begin()->second].available = true;
    ++counts_.available;
    maturing_.erase(maturing_.begin());
  }
}

bool PodTally::IsActive(const std::string& key) const {
  const auto at = pods_.find(key);
  return at != pods_.end() && at->second.active;
}

}  // namespace kubemu
