#ifndef KUBEMU_NODE_KUBELET_LOG_RELAY_H_
#define KUBEMU_NODE_KUBELET_LOG_RELAY_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "messages/component.h"
#include "messages/proto/control.pb.h"
#include "node/kubelet/pod_containers.h"

namespace kubemu {

class PodWorker;

// Container logs on their way from the engine to the API server. Chooses the container, says why
// there is no log, and passes the rest on.
class LogRelay {
 public:
  static constexpr size_t kReadersMax = 1024;

  explicit LogRelay(const std::string& node) : engine_(node + "/engine") {}

  // A LogRequest; `pod` is null if there is no such pod on this node.
  void OnRequest(const Message& message, const PodWorker* pod, Env& env);
  // A LogResponse of the engine.
  void OnResponse(const Message& message, Env& env);

 private:
  struct Reader {
    std::string from;
    uint64_t request;
  };
  void Cancel(const std::string& from, uint64_t request, Env& env);

  const std::string engine_;
  uint64_t next_ = 1;
  std::map<uint64_t, Reader> readers_;  // by our request number
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_LOG_RELAY_H_
