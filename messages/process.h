#ifndef KUBEMU_MESSAGES_PROCESS_H_
#define KUBEMU_MESSAGES_PROCESS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "messages/component.h"
#include "messages/faults/fault_plan.h"
#include "messages/journal/journal.h"

namespace kubemu {

// The ids of one incarnation's messages: 64 bits, unique over all processes and incarnations of a
// cluster without anyone being asked. An id is the number of a block (44 bits) and a count in it
// (20 bits, from 1); a process that has used a block up, which takes a million messages, goes on in
// another one. Blocks are drawn at random, seeded by name and epoch only, so that the simulator
// gives the same ids each time.
//
// The odds that any two of n blocks are the same are n^2 / 2^45: 1 in 35 million for the 1,000
// processes of a cluster just started; 1 in 120,000 for 1,000 processes that were started five
// times each and whose journals are full (12 million messages each, so 17 blocks). Where it
// happens, `observe` and `trace` take two messages for one; the cluster itself compares ids only
// in the store, which hears one process, the API server's.
class MessageIds {
 public:
  static constexpr int kCountBits = 20;

  MessageIds(std::string_view process, uint64_t epoch);
  uint64_t Next();

 private:
  static constexpr uint64_t kCountMask = (uint64_t{1} << kCountBits) - 1;

  Random blocks_;
  uint64_t last_ = kCountMask;  // a block that is used up
};

// The parts of one process and the door around them: everything that both runtimes have in
// common. A runtime calls, turn by turn: Deliver and Inject for what came in, Turn, (commit),
// TakeOutgoing. No I/O, no clock.
class Process {
 public:
  // Steps in one turn; what is left is done in the next one, so that a storm inside a process
  // cannot keep it from its sockets.
  static constexpr int kTurnStepsMax = 20000;
  // Messages that wait for delivery inside the process. Past it, messages are lost and journalled.
  static constexpr size_t kQueueMax = 1'000'000;

  struct Options {
    std::string name;    // "master", "node-3", "lb"
    uint64_t epoch = 1;  // this incarnation; differs from every earlier one of that name
    uint64_t seed = 1;
  };

  // `journal` is not owned.
  Process(Options options, Journal* journal);

  const std::string& name() const { return options_.name; }
  uint64_t epoch() const { return options_.epoch; }
  FaultPlan& faults() { return faults_; }

  // Adds a part under its address ("master/scheduler"). Parts are stepped in the order of their
  // addresses. Not owned.
  void Add(const std::string& address, Component* component);
  // Adds a second address to a part, for itself or (ending in '/') for all addresses below it.
  void Alias(const std::string& address, Component* component);

  // A message from another process, stamped by its door.
  void Deliver(Message message, Time now, WallTime wall);

  // What a door of this process made of outside input: begins a trace unless `cause` has one.
  void Inject(Outbox& from_door, Time now, WallTime wall);
  template <class T>
  void Inject(std::string from, std::string to, T body, Time now, WallTime wall, Trace cause = {}) {
    Outbox outbox(from, cause);
    outbox.Send(std::move(to), std::move(body));
    Inject(outbox, now, wall);
  }

  // Sends a message to every part, from "<process>/bus" (LinkUp, LinkDown).
  template <class T>
  void Broadcast(const T& body, Time now, WallTime wall) {
    Outbox outbox(bus_address_, {});
    for (const auto& [address, part] : parts_) outbox.Send(address, body);
    Inject(outbox, now, wall);
  }

  // One loop turn: hands over all that waits and ticks the parts that are due.
  void Turn(Time now, WallTime wall);

  // When the next Turn has something to do if nothing comes in; `now` if messages wait.
  Time NextWake() const;

  // Messages for other processes, for doors ("client/...", "internet/...", "<process>/door") and
  // for the runtime itself ("<process>/bus"), in order. To be sent after the turn's commit.
  std::vector<Message> TakeOutgoing();

  // A message could not be sent (no such peer, a full queue): it is journalled as lost.
  void Lost(const Message& message, std::string_view reason, Time now, WallTime wall);

  uint64_t lamport() const { return lamport_; }

 private:
  struct Part {
    Component* component;
    std::string address;
    Random random;
  };

  void Step(Part& part, const Message* message, Time now, WallTime wall);
  void Stamp(Message* message);
  void Send(Message message, Time now, WallTime wall);
  void Route(Message message, Time now, WallTime wall);
  Part* Find(const std::string& address);

  const Options options_;
  const std::string bus_address_;
  const std::string door_address_;
  Journal* const journal_;
  FaultPlan faults_;
  Random random_;
  Random fault_random_;
  MessageIds ids_;
  uint64_t lamport_ = 0;
  std::map<std::string, Part, std::less<>> parts_;
  std::map<std::string, std::string, std::less<>> aliases_;  // address or prefix/ -> part
  std::deque<Message> queue_;
  std::vector<Message> outgoing_;
  std::multimap<Time, Message> delayed_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_PROCESS_H_
