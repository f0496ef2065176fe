#ifndef KUBEMU_TESTS_NODE_IPTABLES_PART_HARNESS_H_
#define KUBEMU_TESTS_NODE_IPTABLES_PART_HARNESS_H_

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "messages/component.h"

namespace kubemu {

// Parts on a bus without processes: what they send to each other is delivered at once and in order,
// what they send to others is kept for the test to look at.
class PartHarness {
 public:
  void Add(const std::string& address, Component* part) { parts_[address] = part; }

  // Delivers a message and all that follows from it at the same moment.
  template <class T>
  void Send(std::string from, std::string to, T body, std::vector<Object> objects = {},
            Trace trace = {}) {
    Outbox outbox(from, trace);
    outbox.Send(std::move(to), std::move(body), std::move(objects));
    Take(outbox);
    Settle();
  }

  // Lets time pass, with every tick that becomes due.
  void Pass(Duration duration) {
    const Time end = now + duration;
    for (;;) {
      Settle();
      Time wake = kNever;
      for (const auto& [address, part] : parts_) wake = std::min(wake, part->NextWake());
      if (wake > end) break;
      now = std::max(now, wake);
    }
    now = end;
  }

  // What was sent to others and is a T, oldest first; taken away.
  template <class T>
  std::vector<std::pair<Message, T>> Take() {
    std::vector<std::pair<Message, T>> taken;
    std::erase_if(outside_, [&](const Message& message) {
      if (message.kind != MessageKindOf<T>()) return false;
      taken.emplace_back(message, message.template As<T>());
      return true;
    });
    return taken;
  }
  const std::deque<Message>& outside() const { return outside_; }

  Time now{};

 private:
  void Take(Outbox& outbox) {
    for (Message& message : outbox.messages()) {
      message.id = ++last_id_;
      if (message.trace.trace_id == 0) message.trace.trace_id = message.id;
      queue_.push_back(std::move(message));
    }
  }

  void Settle() {
    for (bool busy = true; busy;) {
      busy = !queue_.empty();
      while (!queue_.empty()) {
        const Message message = std::move(queue_.front());
        queue_.pop_front();
        const auto part = parts_.find(message.to);
        if (part == parts_.end()) {
          outside_.push_back(message);
          continue;
        }
        Outbox outbox(part->first, message.Context());
        Env env{now, WallTime{}, random_, outbox};
        part->second->Receive(message, env);
        Take(outbox);
      }
      for (const auto& [address, part] : parts_) {
        if (part->NextWake() > now) continue;
        Outbox outbox(address, Trace{});
        Env env{now, WallTime{}, random_, outbox};
        part->Tick(env);
        Take(outbox);
        busy = true;
      }
    }
  }

  Random random_{11};
  uint64_t last_id_ = 0;
  std::map<std::string, Component*> parts_;
  std::deque<Message> queue_;
  std::deque<Message> outside_;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_NODE_IPTABLES_PART_HARNESS_H_
