#ifndef KUBEMU_MESSAGES_COMPONENT_H_
#define KUBEMU_MESSAGES_COMPONENT_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/core/random.h"
#include "messages/core/time.h"
#include "messages/message.h"

namespace kubemu {

// The only way a message leaves a part. Filled during one step; the runtime stamps, journals and
// carries away what is in it afterwards.
class Outbox {
 public:
  // `from`: the address of the part that is stepped; `cause`: what it is stepped for.
  Outbox(std::string_view from, Trace cause) : from_(from), cause_(cause) {}

  // Sends a body of a type from the table of message kinds.
  template <class T>
  void Send(std::string to, T body, std::vector<Object> objects = {}) {
    SendAs(std::string(from_), std::move(to), std::move(body), std::move(objects));
  }
  // The same from another address of the part (a pod's, a client's).
  template <class T>
  void SendAs(std::string from, std::string to, T body, std::vector<Object> objects = {}) {
    Push(std::move(from), std::move(to), MessageKindOf<T>(),
         std::make_shared<const T>(std::move(body)), std::move(objects));
  }

  // What is sent from now on in this step was caused by `cause` instead of by the message that is
  // handled (an object's last write, the trace kept in a work queue). Trace{} begins a new trace.
  void Because(Trace cause) { cause_ = cause; }
  const Trace& cause() const { return cause_; }

  std::vector<Message>& messages() { return messages_; }

 private:
  void Push(std::string from, std::string to, bus::MessageKind kind,
            std::shared_ptr<const google::protobuf::Message> body, std::vector<Object> objects);

  std::string_view from_;
  Trace cause_;
  std::vector<Message> messages_;
};

// What one part sees of the world during one step. Filled in by the runtime that drives it; never
// kept beyond the step.
struct Env {
  Time now;        // monotonic, read once per step; decides everything
  WallTime wall;   // for timestamps that people read; decides nothing
  Random& random;  // this part's own seeded stream
  Outbox& outbox;  // the only way anything leaves
};

// A deterministic state machine: one part of kubemu. It never blocks, reads no clock, touches no
// socket, starts no thread. Its inputs are its constructor's arguments and these three methods'.
class Component {
 public:
  virtual ~Component() = default;

  // Handles one message that was addressed to this part. A message it does not expect, or one
  // that is late or doubled, changes nothing.
  virtual void Receive(const Message& message, Env& env) = 0;

  // Does every duty that is due at env.now; harmless if called early. Afterwards NextWake() is
  // later than env.now.
  virtual void Tick(Env& env) = 0;

  // When Tick has something to do; kNever: only a message can wake it. Time{} (the beginning)
  // asks for a first Tick at once.
  virtual Time NextWake() const = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_COMPONENT_H_
