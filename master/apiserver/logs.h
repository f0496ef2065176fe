#ifndef KUBEMU_MASTER_APISERVER_LOGS_H_
#define KUBEMU_MASTER_APISERVER_LOGS_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "master/apiserver/cache.h"
#include "master/apiserver/http/route.h"
#include "messages/component.h"
#include "messages/proto/control.pb.h"

namespace kubemu {

// GET .../pods/<name>/log: asks the kubelet of the pod's node and passes on what it answers, as a
// stream while the log is followed.
class Logs {
 public:
  static constexpr size_t kStreamsMax = 1000;
  // Until the kubelet's first answer; a followed log then lasts as long as it likes.
  static constexpr Duration kTimeout = 10s;

  // `client` is where the request came from.
  void Start(const std::string& client, const bus::HttpRequest& request, const HttpTarget& target,
             const ResourcePath& path, const Cache& cache, Env& env);
  // `kubelet` is who answers: another node's is not heard.
  void Receive(const std::string& kubelet, const bus::LogResponse& response, Env& env);
  // The client went away.
  void Cancel(const std::string& client, uint64_t request, Env& env);
  // The node went away: its logs end.
  void NodeLost(const std::string& node, Env& env);

  void Tick(Env& env);
  Time NextWake() const;

 private:
  static constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();
  struct Stream {
    std::string client;
    uint64_t request = 0;
    std::string node;
    int64_t bytes_left = kUnlimited;  // ?limitBytes
    bool open = false;                // status and headers were sent
    Time deadline = kNever;
  };
  void Fail(const Stream& stream, const ApiStatus& status, Env& env);
  void Stop(uint64_t id, const Stream& stream, Env& env);

  uint64_t next_ = 1;
  std::map<uint64_t, Stream> streams_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_LOGS_H_
