#ifndef KUBEMU_MESSAGES_RUNTIME_RUNTIME_HOST_H_
#define KUBEMU_MESSAGES_RUNTIME_RUNTIME_HOST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "messages/component.h"
#include "messages/message.h"

namespace kubemu {

// What the doors and the bus of a process need of the runtime that they belong to. All of it is
// called, and calls, on the process's one thread.
class RuntimeHost {
 public:
  virtual ~RuntimeHost() = default;

  virtual const std::string& process() const = 0;
  virtual uint64_t epoch() const = 0;

  // What a door made of outside input; handed over in this turn.
  virtual void Inject(Outbox& from_door) = 0;
  template <class T>
  void Inject(std::string_view from, std::string to, T body, Trace cause = {}) {
    Outbox outbox(from, cause);
    outbox.Send(std::move(to), std::move(body));
    Inject(outbox);
  }

  // A message from another process.
  virtual void Deliver(Message message) = 0;
  // A message that did not leave; `reason` stands in the journal.
  virtual void Lost(const Message& message, std::string_view reason) = 0;
  // Tells every part that a peer's session began or was lost.
  virtual void LinkUp(const std::string& peer, uint64_t epoch) = 0;
  virtual void LinkDown(const std::string& peer, uint64_t epoch, const std::string& reason) = 0;
  // The process cannot go on (its name is taken): it ends with exit code 1 after this turn.
  virtual void Fatal(std::string why) = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_RUNTIME_HOST_H_
