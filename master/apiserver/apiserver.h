#ifndef KUBEMU_MASTER_APISERVER_APISERVER_H_
#define KUBEMU_MASTER_APISERVER_APISERVER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "master/apiserver/cache.h"
#include "master/apiserver/caller.h"
#include "master/apiserver/event_expiry.h"
#include "master/apiserver/logs.h"
#include "master/apiserver/service_addresses.h"
#include "master/apiserver/watches.h"
#include "master/apiserver/writes.h"
#include "messages/component.h"
#include "messages/core/deadline.h"
#include "messages/proto/http.pb.h"

namespace kubemu {

class OpenApi;

// The API server, at "master/apiserver": the one part that everyone else talks to, and the only one
// that talks to the store ("master/store").
//
// One contract, two faces: messages (ApiRequest, WatchRequest, WatchCredit, WatchCancel) for the
// parts of kubemu, and HTTP for kubectl (HttpRequest, HttpCancel, from an HTTP door under
// "client/..."). Both become an ApiCall, and everything from there on is the same.
//
// Reads and watches are answered from a cache of all objects that the store's events keep; a write
// is decided from the cache, stored only if the object has not changed meanwhile, and answered when
// its event is in the cache. Until the cache is complete HTTP is answered with 503, and what comes
// on the bus waits.
class ApiServer : public Component {
 public:
  struct Options {
    ServiceAddresses::Options addresses;
    // Where the HTTP door listens: shown in discovery and as the endpoint of default/kubernetes.
    std::string ip = "127.0.0.1";
    uint16_t port = 6443;
    bool cluster_dns = false;  // coredns and kube-dns are made at the start if they are missing
  };

  static constexpr Duration kCompactInterval = 300s;  // kube-apiserver's --etcd-compaction-interval
  static constexpr Duration kHttpBookmarkInterval = 60s;
  static constexpr Duration kStartRetryInterval = 1s;
  // Requests on the bus that wait for the cache; later ones are answered with 503.
  static constexpr size_t kEarlyMax = 10'000;

  explicit ApiServer(Options options);
  ~ApiServer() override;

  void Receive(const Message& message, Env& env) override;
  void Tick(Env& env) override;
  Time NextWake() const override;

  bool ready() const { return ready_; }
  const Cache& cache() const { return cache_; }
  size_t watches() const { return watches_.size(); }

 private:
  void OnStoreEvent(const Message& message, Env& env);
  void Advance(Env& env);  // of starting: bootstrap, then ready
  void BecomeReady(Env& env);

  void OnRequest(const Message& message, Env& env);
  void OnApiRequest(const Message& message, Env& env);
  void OnWatchRequest(const Message& message, Env& env);
  void OnHttpRequest(const Message& message, Env& env);
  void OnHttpResource(const Message& message, const HttpTarget& target, const ResourcePath& path,
                      Env& env);
  void StartHttpWatch(const Message& message, const HttpCall& http, Env& env);
  void OnLink(const Message& message, Env& env);

  void Run(ApiCall call, Caller caller, Env& env);
  void ExpireEvents(Env& env);

  const Options options_;
  Cache cache_;
  ServiceAddresses addresses_;
  Watches watches_;
  Writes writes_;
  Logs logs_;
  EventExpiry events_;
  std::unique_ptr<OpenApi> open_api_;  // made when it is first asked for
  std::deque<Message> early_;
  std::map<std::string, uint64_t> epochs_;  // of the processes that are linked
  bool ready_ = false;
  Deadline start_;
  Deadline compact_;
  uint64_t compact_revision_ = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_APISERVER_H_
