#ifndef KUBEMU_LAB_SIMULATOR_SIMULATOR_H_
#define KUBEMU_LAB_SIMULATOR_SIMULATOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "messages/core/ip.h"
#include "messages/core/random.h"
#include "messages/core/time.h"
#include "messages/journal/journal.h"
#include "messages/process.h"
#include "messages/program.h"

namespace kubemu {

// A whole cluster in one thread and in virtual time. It drives the same programs as the process
// runtime does: same seed, same binary, same run, to the byte.
//
// Between two processes messages arrive in order after a delay drawn from [latency_min,
// latency_max]. A killed process is destroyed with all it held; what its Program's factory keeps
// outside (the store's memory) survives, as a disk would. A paused one is not stepped; time goes
// on.
class Simulator {
 public:
  struct Options {
    uint64_t seed = 1;
    Duration latency_min = 50us;
    Duration latency_max = 250us;
    Duration link_down_after = 10ms;  // until the peers of a killed process notice
    bool keep_journal = true;         // false: only its hash is kept
  };

  // Makes a process's program anew; called at each start.
  using Factory = std::function<std::unique_ptr<Program>()>;

  explicit Simulator(Options options);
  ~Simulator();

  Time now() const { return now_; }
  WallTime wall() const;
  Random& random() { return random_; }

  // REQUIRES: no process of that name was added before.
  void Add(const std::string& name, Factory factory);
  void Kill(const std::string& name);
  void Start(const std::string& name);
  void Pause(const std::string& name);
  void Resume(const std::string& name);
  // A part of the process was given something to do from outside (not by a message).
  void Wake(const std::string& name);
  bool IsRunning(const std::string& name) const;
  // nullptr if it is not running.
  Program* program(const std::string& name) const;

  // Cuts or mends the path between two processes, both ways: messages are lost.
  void Cut(const std::string& a, const std::string& b);
  void Mend(const std::string& a, const std::string& b);
  FaultPlan& faults(const std::string& name);

  // Runs for `duration` of virtual time.
  void Run(Duration duration);
  // Runs until `done` is true (tried after every step), at most `limit`. Returns whether it is.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

  // Who listens on a real address in this world ("node-2/iptables" on 127.1.0.2:30080); "" if
  // nobody does. Simulated internet clients ask here.
  std::string ListenerOn(SocketAddress address) const;

  // All processes' journals (empty if they are not kept), by process name.
  std::map<std::string, std::vector<bus::JournalRecord>> Journals() const;
  // Over every journal byte of every process, in order of their names.
  uint64_t JournalHash() const;
  uint64_t steps() const { return steps_; }

 private:
  struct SimProcess;
  struct Delivery {
    std::string to;
    Message message;
    std::string sender;
    uint64_t sender_epoch = 0;
    uint64_t receiver_epoch = 0;  // what was sent to a dead incarnation died with it
    // What the bus itself tells a process, instead of a message:
    bool link_up = false;
    bool link_down = false;
  };
  using Key = std::pair<Time, uint64_t>;

  bool Step(Time limit);
  void StepProcess(SimProcess& process);
  void Send(SimProcess& from, Message message);
  void HandleDoor(SimProcess& from, const Message& message);
  void Schedule(SimProcess& process);
  void Notify(const std::string& to, const std::string& about, bool up, Duration after);
  void Deliver(SimProcess& process, Delivery delivery);
  Duration Latency();
  SimProcess& Get(const std::string& name) const;

  const Options options_;
  Random random_;
  Time now_{};
  uint64_t next_sequence_ = 1;
  uint64_t steps_ = 0;
  std::map<std::string, std::unique_ptr<SimProcess>> processes_;
  std::map<Key, Delivery> deliveries_;
  std::map<Key, std::string> wakes_;                           // process to step
  std::map<std::pair<std::string, std::string>, Time> links_;  // last arrival, sender to receiver
  std::set<std::pair<std::string, std::string>> cuts_;
  std::set<std::pair<std::string, std::string>> sessions_;  // (a, b) with a < b
  std::map<SocketAddress, std::string> listeners_;          // TCP
  std::map<SocketAddress, std::string> udp_listeners_;      // only so that one address has one
};

}  // namespace kubemu

#endif  // KUBEMU_LAB_SIMULATOR_SIMULATOR_H_
