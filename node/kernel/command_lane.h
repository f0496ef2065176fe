#ifndef KUBEMU_NODE_KERNEL_COMMAND_LANE_H_
#define KUBEMU_NODE_KERNEL_COMMAND_LANE_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "messages/component.h"
#include "messages/core/deadline.h"
#include "messages/proto/control.pb.h"

namespace kubemu {

// Programs that are run at "<process>/door" one after the other, in the order they were asked for:
// what a later one needs, an earlier one has done. Every command has one result; one of which
// nothing is heard has failed.
class CommandLane {
 public:
  static constexpr size_t kQueuedMax = 16384;
  static constexpr Duration kTimeout = 20s;        // then the door ends the program
  static constexpr Duration kAnswerTimeout = 25s;  // then its answer was lost
  static constexpr uint64_t kLanes = 4;            // of one part

  struct Result {
    uint64_t tag = 0;
    std::string output;
    std::string error;  // "" if it went well
  };

  // `lane` < kLanes tells the part's lanes apart in the numbers of commands.
  CommandLane(std::string door, uint64_t lane) : door_(std::move(door)), lane_(lane) {}

  // True if the answer belongs to a command of that lane.
  static bool Owns(uint64_t lane, const bus::CommandDone& done) {
    return done.number() % kLanes == lane;
  }

  // `tag` comes back with the result. False if kQueuedMax are waiting: nothing will be done.
  bool Run(uint64_t tag, std::vector<std::string> words, std::string input, std::string network,
           Env& env);
  // None for an answer that is late or doubled.
  std::optional<Result> Receive(const bus::CommandDone& done, Env& env);
  // A command of which nothing was heard in time.
  std::optional<Result> Tick(Env& env);
  Time NextWake() const { return answer_.at(); }
  bool idle() const { return queue_.empty(); }

 private:
  struct Command {
    uint64_t tag;
    bus::RunCommand run;
    Trace trace;
  };
  void Start(Env& env);
  Result Finish(Env& env);

  const std::string door_;
  const uint64_t lane_;
  uint64_t count_ = 0;
  std::deque<Command> queue_;  // the first one is under way
  Deadline answer_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KERNEL_COMMAND_LANE_H_
