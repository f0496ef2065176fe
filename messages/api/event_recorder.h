#ifndef KUBEMU_MESSAGES_API_EVENT_RECORDER_H_
#define KUBEMU_MESSAGES_API_EVENT_RECORDER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "messages/component.h"

namespace k8s::core::v1 {
class ObjectReference;
}

namespace kubemu {

// Writes core/v1 Events for one part. An event that repeats (same object, type, reason, message)
// raises the count of the first one, as client-go's event correlator does. Fire and forget: an
// event that cannot be written is dropped, as in Kubernetes.
class EventRecorder {
 public:
  // Repeats are recognised among the last kCorrelatedMax different events.
  static constexpr size_t kCorrelatedMax = 4096;

  // `component` and `host` stand in Event.source: ("kubelet", "node-3"), ("default-scheduler", "").
  EventRecorder(std::string component, std::string host)
      : component_(std::move(component)), host_(std::move(host)) {}

  // `type` is "Normal" or "Warning". Carries env.outbox's current cause.
  void Record(const k8s::core::v1::ObjectReference& about, std::string_view type,
              std::string_view reason, std::string message, Env& env);

  size_t correlated() const { return known_.size(); }

 private:
  struct Known {
    std::string name;
    std::string ns;
    WallTime first;
    int32_t count = 0;
    uint64_t last_use = 0;
  };
  void Forget();

  const std::string component_;
  const std::string host_;
  uint64_t uses_ = 0;
  std::map<std::string, Known> known_;
};

// A reference to an object, as Events carry it.
k8s::core::v1::ObjectReference ReferenceTo(const Object& object);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_EVENT_RECORDER_H_
