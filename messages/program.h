#ifndef KUBEMU_MESSAGES_PROGRAM_H_
#define KUBEMU_MESSAGES_PROGRAM_H_

#include <string>

#include "absl/status/status.h"

namespace kubemu {

class Process;

// The parts of one program (kubemu-master, kubemu-node, kubemu-lb, a simulated client), owned by
// value. main.cc gives it to the process runtime, a simulation gives it to the simulator.
class Program {
 public:
  virtual ~Program() = default;

  // Adds the parts under their addresses. The program outlives the process.
  virtual void AddTo(Process& process) = 0;

  // Makes durable what this turn wrote. Called after every turn, before its messages leave; if it
  // fails, they do not leave and the process ends.
  virtual absl::Status Commit() { return absl::OkStatus(); }

  // A line for whoever runs the process, of something that no API object can tell; "": nothing.
  // Each is given once. Asked for after every turn; a process writes it to its log, at a limited
  // rate.
  virtual std::string TakeComplaint() { return ""; }
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_PROGRAM_H_
