#ifndef KUBEMU_TESTS_MASTER_CONTROLLERS_API_HARNESS_H_
#define KUBEMU_TESTS_MASTER_CONTROLLERS_API_HARNESS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "messages/component.h"
#include "messages/core/random.h"
#include "messages/proto/api.pb.h"

namespace kubemu {

// One controller and, on the other side of its messages, the bus contract of the API server played
// by hand: objects with revisions, watches without selectors (objects of other selectors are not
// put in), create, update, delete, list and get. Patches are kept for the test to look at.
class ApiHarness {
 public:
  explicit ApiHarness(Component* controller) : controller_(controller) {}

  // What a user or another part does. The object gets a uid if it has none.
  void Put(const Object& object);
  template <class T>
  void Put(T object) {
    Put(Object::From(std::move(object)));
  }
  void Remove(const Kind& kind, const std::string& key);

  // None if there is no such object.
  Object Find(const Kind& kind, const std::string& key) const;
  std::vector<Object> All(const Kind& kind) const;

  // Steps the controller until nothing is to be done at this time.
  void Settle();
  // Lets time pass, wake by wake.
  void Advance(Duration duration);

  Time now() const { return now_; }
  // What was asked, newest last, as "CREATE pods default/a", "UPDATE nodes n/status"; without
  // events. Cleared by the call.
  std::vector<std::string> TakeLog();
  // Reasons and messages of recorded events. Cleared by the call.
  std::vector<std::string> TakeEvents();
  const std::vector<bus::ApiRequest>& patches() const { return patches_; }

  // A request for which this answers a code other than 0 is refused with it and has no effect.
  std::function<int(const bus::ApiRequest&)> refuse;
  // False: watch events wait until the next Settle with true (a cache that lags behind).
  bool deliver_events = true;

 private:
  struct Stream {
    uint64_t generation = 0;
    uint64_t sequence = 0;
    const Kind* kind = nullptr;
  };
  void Handle(const Message& message);
  void HandleRequest(const Message& message);
  bus::ApiResponse Execute(const bus::ApiRequest& request, const Message& message,
                           std::vector<Object>* answer);
  void List(const bus::ApiRequest& request, std::vector<Object>* answer) const;
  bus::ApiResponse Write(const bus::ApiRequest& request, const Object& object,
                         std::vector<Object>* answer);
  Object Stored(const Object& object, uint64_t revision, const Object& before);
  void Emit(const Kind& kind, bus::WatchEvent::Type type, const Object& object);
  void SendEvent(uint64_t stream, bus::WatchEvent::Type type, const Object& object);
  template <class T>
  void Send(T body, std::vector<Object> objects);
  bool StepOnce();

  Component* const controller_;
  Random random_{3};
  Time now_{1000s};
  uint64_t revision_ = 1;
  uint64_t uids_ = 0;
  uint64_t names_ = 0;
  std::map<int, std::map<std::string, Object>> objects_;  // by kind id
  std::map<uint64_t, Stream> streams_;
  std::deque<Message> events_;
  std::deque<Message> answers_;
  std::vector<std::string> log_;
  std::vector<std::string> recorded_;
  std::vector<bus::ApiRequest> patches_;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MASTER_CONTROLLERS_API_HARNESS_H_
