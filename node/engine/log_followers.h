#ifndef KUBEMU_NODE_ENGINE_LOG_FOLLOWERS_H_
#define KUBEMU_NODE_ENGINE_LOG_FOLLOWERS_H_

#include <cstdint>
#include <map>
#include <string>

#include "messages/component.h"
#include "messages/proto/control.pb.h"
#include "node/engine/sandboxes.h"

namespace kubemu {

// Answers LogRequests from the containers' logs: once, or again and again (`follow`) as lines are
// written, until the container has ended or the reader cancels.
class LogFollowers {
 public:
  static constexpr size_t kFollowersMax = 1024;

  void Receive(const Message& message, Sandboxes& sandboxes, Env& env);
  // Sends new lines to those who follow. To be called after every step in which a container may
  // have written or ended.
  void Pump(Sandboxes& sandboxes, Env& env);

 private:
  struct Follower {
    uint64_t container;
    uint64_t next_line;
    bool timestamps;
    Trace trace;
  };
  std::map<std::pair<std::string, uint64_t>, Follower> followers_;  // by (who asked, request)
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_ENGINE_LOG_FOLLOWERS_H_
