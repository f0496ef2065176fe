#include "master/scheduler/label_classes.h"

#include <algorithm>

#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

Labels SortedLabels(const k8s::meta::v1::ObjectMeta& meta) {
  Labels labels;
  for (const auto& label : meta.labels()) labels.emplace_back(label.key(), label.value());
  std::sort(labels.begin(), labels.end());
  return labels;
}

const std::string* FindLabel(const Labels& labels, std::string_view key) {
  for (const auto& [name, value] : labels) {
    if (name == key) return &value;
  }
  return nullptr;
}

uint32_t LabelClasses::Acquire(const std::string& ns, const Labels& labels, bool terminating) {
  std::string key = StrCat(ns, terminating ? "!" : ";");
  for (const auto& [name, value] : labels) StrAppend(&key, name, "=", value, ",");
  const auto [at, is_new] = ids_.try_emplace(key, 0);
  if (is_new) {
    if (free_.empty()) {
      at->second = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      at->second = free_.back();
      free_.pop_back();
    }
    slots_[at->second] = Slot{Class{ns, labels, terminating}, std::move(key), 0};
  }
  ++slots_[at->second].users;
  return at->second;
}

void LabelClasses::Release(uint32_t id) {
  KUBEMU_CHECK(id < slots_.size() && slots_[id].users > 0);
  if (--slots_[id].users > 0) return;
  ids_.erase(slots_[id].key);
  slots_[id] = Slot{};
  free_.push_back(id);
}

bool Selects(const LabelSelector& selector, const Labels& labels) {
  return selector.Matches([&labels](std::string_view key) { return FindLabel(labels, key); });
}

}  // namespace kubemu
