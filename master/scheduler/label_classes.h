#ifndef KUBEMU_MASTER_SCHEDULER_LABEL_CLASSES_H_
#define KUBEMU_MASTER_SCHEDULER_LABEL_CLASSES_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/api/selector.h"

namespace k8s::meta::v1 {
class ObjectMeta;
}

namespace kubemu {

using Labels = std::vector<std::pair<std::string, std::string>>;  // sorted by key

Labels SortedLabels(const k8s::meta::v1::ObjectMeta& meta);
// nullptr: no such label.
const std::string* FindLabel(const Labels& labels, std::string_view key);

// Pods that no selector can tell apart (same namespace, labels, and whether they are being
// deleted) share one small number. Spreading and affinity then ask a selector once per class and
// add up counts, instead of looking at every pod for every pod they place.
class LabelClasses {
 public:
  struct Class {
    std::string ns;
    Labels labels;
    bool terminating = false;
  };

  // The class's number, which stays valid until it was released as often as it was acquired.
  // `labels` must be sorted.
  uint32_t Acquire(const std::string& ns, const Labels& labels, bool terminating);
  void Release(uint32_t id);

  const Class& Get(uint32_t id) const { return slots_[id].value; }
  // Numbers are below this.
  uint32_t limit() const { return static_cast<uint32_t>(slots_.size()); }
  size_t size() const { return ids_.size(); }

 private:
  struct Slot {
    Class value;
    std::string key;
    int64_t users = 0;
  };
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::map<std::string, uint32_t> ids_;
};

// Remembers a predicate's answer for each class while one pod is placed.
template <class Predicate>
class ClassMatches {
 public:
  ClassMatches(const LabelClasses& classes, Predicate predicate)
      : classes_(classes), predicate_(std::move(predicate)), known_(classes.limit(), kUnknown) {}

  bool operator()(uint32_t id) {
    if (known_[id] == kUnknown) known_[id] = predicate_(classes_.Get(id)) ? kYes : kNo;
    return known_[id] == kYes;
  }

 private:
  static constexpr int8_t kUnknown = -1;
  static constexpr int8_t kNo = 0;
  static constexpr int8_t kYes = 1;
  const LabelClasses& classes_;
  Predicate predicate_;
  std::vector<int8_t> known_;
};

// Does the selector select the class's labels?
bool Selects(const LabelSelector& selector, const Labels& labels);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_SCHEDULER_LABEL_CLASSES_H_
