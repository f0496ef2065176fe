#ifndef KUBEMU_NODE_ENGINE_SANDBOXES_H_
#define KUBEMU_NODE_ENGINE_SANDBOXES_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "messages/core/ip.h"
#include "messages/core/time.h"
#include "messages/trace.h"
#include "node/engine/program.h"
#include "node/network/log_buffer.h"

namespace kubemu {

// One emulated container: a few kilobytes, most of them its log.
struct Container {
  enum class State { kStarting, kRunning, kExited };

  uint64_t id = 0;      // within the engine
  std::string sandbox;  // pod uid
  std::string name;
  uint32_t attempt = 0;
  std::string container_id;  // 64 hexadecimal digits
  ContainerProgram program;
  State state = State::kStarting;
  size_t next_step = 0;
  int status = 0;         // of the last command
  bool fetching = false;  // waits for the answer to its own request
  bool draining = false;  // has got SIGTERM and ends when its connections have
  Time step_at = kNever;  // when it starts, or goes on after a sleep
  Time kill_at = kNever;  // when SIGKILL follows an ignored SIGTERM
  WallTime started{};
  WallTime finished{};
  int exit_code = 0;
  LogBuffer log;
  Trace trace;  // of what started it

  Time wake() const { return std::min(step_at, kill_at); }
};

// A pod as the engine knows it.
struct Sandbox {
  std::string uid;
  std::string ns;
  std::string name;
  std::string address;  // "<node>/pod/<namespace>/<name>"
  std::string hostname;
  Ipv4 ip;
  bool host_network = false;
  bool ready = true;  // false: stopped; kept for the logs of its containers
  std::vector<uint64_t> containers;
};

// The engine's sandboxes and containers, and which of them has to be woken next.
class Sandboxes {
 public:
  static constexpr size_t kSandboxesMax = 4096;
  static constexpr size_t kContainersMax = 128;  // of one sandbox

  // All sandboxes, by pod uid.
  std::map<std::string, Sandbox>& all() { return sandboxes_; }
  Sandbox* Find(const std::string& uid);
  // The one that was made last of that namespace and name; null if there is none.
  Sandbox* FindByName(const std::string& ns, const std::string& name);

  // Adds a container to its sandbox (which must be there) and gives it its id.
  Container& Add(Container container);
  Container* Get(uint64_t id);
  Container* Find(const Sandbox& sandbox, const std::string& name, uint32_t attempt);
  // The newest attempt, or with `skip` 1 the one before it; null if there is none.
  Container* Newest(const Sandbox& sandbox, const std::string& name, size_t skip = 0);
  void Remove(uint64_t id);
  // Forgets the sandbox and its containers.
  void RemoveSandbox(const std::string& uid);

  // Sets step_at and kill_at, and keeps them in the order of waking.
  void SetTimes(Container& container, Time step_at, Time kill_at);
  // A container that is due, taken off the queue until SetTimes; null if none is.
  Container* TakeDue(Time now);
  Time NextWake() const { return wakes_.empty() ? kNever : wakes_.begin()->first; }

 private:
  uint64_t next_id_ = 1;
  std::map<std::string, Sandbox> sandboxes_;
  std::map<uint64_t, Container> containers_;
  std::set<std::pair<Time, uint64_t>> wakes_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_ENGINE_SANDBOXES_H_
