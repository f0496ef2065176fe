#ifndef KUBEMU_TESTS_MASTER_SMALL_WORLD_H_
#define KUBEMU_TESTS_MASTER_SMALL_WORLD_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "messages/component.h"
#include "messages/object.h"
#include "messages/proto/api.pb.h"

namespace kubemu {

// A few parts around a table of objects that answers their calls and watches as the API server
// does, in virtual time: enough to see controllers work together, and every single write.
// Pods become Ready kStartTime after they are made (or bound, with a scheduler), and are gone
// kStopTime after they were deleted, unless the test says otherwise.
class SmallWorld {
 public:
  static constexpr Duration kStartTime = 2s;
  static constexpr Duration kStopTime = 1s;

  explicit SmallWorld(uint64_t seed = 1) : random_(seed) {}

  void AddPart(const std::string& address, Component* part);
  void Run(Duration duration);
  // Until `done`, at most `limit`. Returns whether it is done.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

  // As a user would. Apply creates, or replaces all but the status.
  void Apply(Object object);
  void Delete(const Kind& kind, const std::string& key) { Remove(kind, key, false); }
  // As the kubelet would.
  void SetStatus(Object object) { WriteStatus(object); }

  const std::map<std::string, Object>& objects(const Kind& kind) { return objects_[&kind]; }
  // None if there is no such object.
  Object Find(const Kind& kind, const std::string& key);
  std::vector<std::string> EventMessages(const std::string& reason) const;

  Time now() const { return now_; }
  WallTime wall() const { return WallTime(now_.time_since_epoch() + 1'700'000'000s); }
  int writes(const Kind& kind) const;

  // Called after each write.
  std::function<void()> after_write = [] {};
  // Of a call that is to fail: its code and reason; {0, ""}: it is handled.
  std::function<std::pair<uint32_t, std::string>(const bus::ApiRequest&)> refuse =
      [](const bus::ApiRequest&) { return std::pair<uint32_t, std::string>(0, ""); };
  // Is the answer to a call lost?
  std::function<bool()> loses_answer = [] { return false; };
  // Does this pod become Ready?
  std::function<bool(const Object&)> becomes_ready = [](const Object&) { return true; };
  // Do pods wait for a node?
  bool needs_node = false;

 private:
  struct Part {
    Component* component;
    Random random;
  };
  struct Watcher {
    std::string address;
    bus::WatchRequest request;
    uint64_t sequence = 0;
  };
  void Step(const std::string& address, const Message* message);
  bool Turn();
  void Handle(const Message& message);
  void Watch(const Message& message);
  void Call(const Message& message);
  bus::ApiResponse Do(const bus::ApiRequest& request, const Object& object, Object* written);
  Object Create(const Object& object);
  Object Replace(const Object& object);
  Object Write(std::unique_ptr<google::protobuf::Message> object);
  Object WriteStatus(const Object& object);
  Object Remove(const Kind& kind, const std::string& key, bool at_once);
  void Tell(const Kind& kind, const Object& object, bus::WatchEvent::Type type);
  void SendEvent(Watcher& watcher, bus::WatchEvent::Type type, std::vector<Object> objects);
  void DoPodDuties();
  void DoPodDuty(const std::string& key);
  Time NextWake() const;

  Random random_;
  Time now_{};
  uint64_t revision_ = 0;
  uint64_t next_id_ = 1;
  std::map<std::string, Part> parts_;
  std::map<const Kind*, std::map<std::string, Object>> objects_;
  std::map<const Kind*, int> writes_;
  std::vector<Watcher> watchers_;
  std::deque<Message> queue_;
  std::multimap<Time, std::string> pod_duties_;  // key of a pod to look at
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MASTER_SMALL_WORLD_H_
