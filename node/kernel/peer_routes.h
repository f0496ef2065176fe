#ifndef KUBEMU_NODE_KERNEL_PEER_ROUTES_H_
#define KUBEMU_NODE_KERNEL_PEER_ROUTES_H_

#include <cstdint>
#include <map>
#include <string>

#include "messages/component.h"
#include "messages/core/deadline.h"
#include "messages/proto/node.pb.h"
#include "node/kernel/command_lane.h"

namespace kubemu {

// The node's own part of the kernel's network: forwarding switched on, and a route to the pods of
// every other node by way of that node's address. The routes bear a protocol number of their own,
// so that those of an earlier run are found and nobody else's are touched. What fails is tried
// again, later and later.
class PeerRoutes {
 public:
  static constexpr Duration kRetryMin = 500ms;
  static constexpr Duration kRetryMax = 30s;
  static constexpr size_t kRoutesMax = 16384;

  PeerRoutes(std::string door, uint64_t lane) : lane_(std::move(door), lane) {}

  void SetNetwork(const bus::NodeNetwork& network, Env& env);
  void Receive(const bus::CommandDone& done, Env& env);
  void Tick(Env& env);
  Time NextWake() const;

 private:
  enum Step : uint64_t { kSwitches = 1, kRoutes = 2 };

  void Sync(Env& env);
  std::string Batch();
  void OnResult(const CommandLane::Result& result, Env& env);

  CommandLane lane_;
  bool begun_ = false;                         // a network has been set
  bool switched_ = false;                      // forwarding is on
  bool flushed_ = false;                       // an earlier run's routes are gone
  std::map<std::string, std::string> wanted_;  // pod network: the rest of "ip route replace"
  // What the kernel has; an empty text: nobody knows, it was part of a batch that failed.
  std::map<std::string, std::string> installed_;
  std::map<std::string, std::string> sent_;  // `wanted_` when the batch was made
  Duration back_off_ = kRetryMin;
  Deadline retry_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KERNEL_PEER_ROUTES_H_
