#ifndef KUBEMU_MASTER_CONTROLLERS_POD_TALLY_H_
#define KUBEMU_MASTER_CONTROLLERS_POD_TALLY_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "messages/api/selector.h"
#include "messages/core/time.h"
#include "messages/object.h"

namespace k8s::apps::v1 {
class ReplicaSet;
}

namespace kubemu {

// The pods of one ReplicaSet in numbers, kept pod by pod: whoever has thousands of pods does not
// look at all of them because one has changed.
class PodTally {
 public:
  struct Counts {
    int active = 0;  // selected, neither finished nor being deleted
    // Of these:
    int labeled = 0;  // with all labels of the template
    int ready = 0;
    int available = 0;  // ready for minReadySeconds
  };

  // Counts anew for this version of the ReplicaSet. `pods`: all that it owns, by key.
  void Recount(const k8s::apps::v1::ReplicaSet& set, const std::map<std::string, Object>& pods,
               Time now, WallTime wall);
  // A pod that it owns is new or has changed.
  void Put(const Object& pod, Time now, WallTime wall);
  // It is gone, or owned by somebody else.
  void Remove(const std::string& key);
  // The API server has accepted its deletion; it no longer counts, whatever the cache still says.
  void MarkDeleted(const std::string& key, const std::string& uid);
  // Counts those as available that have become so by now.
  void Mature(Time now);

  const Counts& counts() const { return counts_; }
  bool IsActive(const std::string& key) const;
  // When the next ready pod becomes available; kNever: none is waiting for that.
  Time NextAvailable() const { return maturing_.empty() ? kNever : maturing_.begin()->first; }
  // Keys of owned pods that the selector does not select.
  const std::set<std::string>& strangers() const { return strangers_; }

 private:
  struct Facts {
    std::string uid;
    bool deleted = false;
    bool active = false;
    bool labeled = false;
    bool ready = false;
    bool available = false;
    int64_t transition = 0;  // when condition Ready last changed, in seconds of the wall clock
    Time ready_since{};
    Time available_at{};
  };
  void Count(const std::string& key, const Facts& facts, int sign);
  bool HasTemplateLabels(const Object& pod) const;

  LabelSelector selector_;
  std::map<std::string, std::string> template_labels_;
  Duration min_ready_{};
  std::map<std::string, Facts> pods_;
  std::set<std::string> strangers_;
  std::set<std::pair<Time, std::string>> maturing_;
  Counts counts_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_POD_TALLY_H_
