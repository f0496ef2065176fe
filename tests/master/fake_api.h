#ifndef KUBEMU_TESTS_MASTER_FAKE_API_H_
#define KUBEMU_TESTS_MASTER_FAKE_API_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "messages/api/kinds.h"
#include "messages/component.h"
#include "messages/proto/api.pb.h"

namespace kubemu {

// One part alone, with its watches answered by hand: the test says which objects there are, and
// sees the calls that the part makes.
class OnePart {
 public:
  struct Call {
    bus::ApiRequest request;
    Object object;  // none if there is none
  };

  OnePart(std::string address, Component* part, uint64_t seed = 1)
      : address_(std::move(address)), part_(part), random_(seed) {}

  Time now{};

  // Ticks the part until it has nothing to do at the current time, answering its watches.
  void Settle() {
    for (int i = 0; i < 10'000 && part_->NextWake() <= now; ++i) {
      Step([&](Env& env) { part_->Tick(env); });
    }
  }
  void Advance(Duration duration) {
    const Time until = now + duration;
    while (part_->NextWake() <= until) {
      now = std::max(now, part_->NextWake());
      Settle();
    }
    now = until;
  }

  void Put(Object object) { Tell(std::move(object), bus::WatchEvent::MODIFIED); }
  void Delete(Object object) { Tell(std::move(object), bus::WatchEvent::DELETED); }

  // Answers a call.
  void Answer(const Call& call, uint32_t code, const std::string& reason = "",
              Object object = Object()) {
    bus::ApiResponse response;
    response.set_request(call.request.request());
    response.set_code(code);
    response.set_reason(reason);
    std::vector<Object> objects;
    if (object) objects.push_back(std::move(object));
    Receive(Wrap(response, std::move(objects)));
  }

  // The calls made since the last time, in order; those for Events apart.
  std::vector<Call> TakeCalls() { return std::exchange(calls_, {}); }
  std::vector<Object> TakeEvents() { return std::exchange(events_, {}); }

 private:
  struct Stream {
    uint64_t id = 0;
    uint64_t generation = 0;
    uint64_t sequence = 0;
  };

  template <class T>
  Message Wrap(T body, std::vector<Object> objects = {}) {
    Outbox outbox("master/apiserver", Trace{});
    outbox.Send(address_, std::move(body), std::move(objects));
    Message message = std::move(outbox.messages()[0]);
    message.id = next_id_++;
    message.trace.trace_id = 7;
    return message;
  }

  void Receive(Message message) {
    Step([&](Env& env) { part_->Receive(message, env); }, message.Context());
  }

  void Step(const std::function<void(Env&)>& step, Trace cause = {}) {
    Outbox outbox(address_, cause);
    Env env{now, WallTime(now.time_since_epoch() + 1'700'000'000s), random_, outbox};
    step(env);
    for (Message& message : outbox.messages()) Handle(message);
  }

  void Handle(const Message& message) {
    if (message.kind == bus::WATCH_REQUEST) {
      const auto& request = message.As<bus::WatchRequest>();
      streams_[request.kind()] = Stream{request.stream(), request.generation(), 0};
      bus::WatchEvent event;
      event.set_type(bus::WatchEvent::SYNCED);
      Send(request.kind(), std::move(event), {});
    } else if (message.kind == bus::API_REQUEST) {
      Call call{message.As<bus::ApiRequest>(), {}};
      if (!message.objects.empty()) call.object = message.objects[0];
      if (call.object && call.object.kind().kind == "Event") {
        events_.push_back(call.object);
      } else {
        calls_.push_back(std::move(call));
      }
    }
  }

  void Send(uint32_t kind, bus::WatchEvent event, std::vector<Object> objects) {
    Stream& stream = streams_[kind];
    event.set_stream(stream.id);
    event.set_generation(stream.generation);
    event.set_sequence(++stream.sequence);
    event.set_revision(++revision_);
    Receive(Wrap(std::move(event), std::move(objects)));
  }

  void Tell(Object object, bus::WatchEvent::Type type) {
    std::unique_ptr<google::protobuf::Message> copy(object.message().New());
    copy->CopyFrom(object.message());
    MutableMetaOf(copy.get())->set_resource_version(std::to_string(revision_ + 1));
    const uint32_t kind = static_cast<uint32_t>(object.kind().id);
    bus::WatchEvent event;
    event.set_type(type);
    Send(kind, std::move(event), {Object::Of(std::move(copy), Trace{7, next_id_})});
  }

  const std::string address_;
  Component* const part_;
  Random random_;
  uint64_t next_id_ = 1;
  uint64_t revision_ = 0;
  std::map<uint32_t, Stream> streams_;  // by kind
  std::vector<Call> calls_;
  std::vector<Object> events_;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MASTER_FAKE_API_H_
