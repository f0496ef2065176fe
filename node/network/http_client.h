#ifndef KUBEMU_NODE_NETWORK_HTTP_CLIENT_H_
#define KUBEMU_NODE_NETWORK_HTTP_CLIENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "messages/component.h"
#include "messages/flow/flow_end.h"
#include "messages/flow/http_response.h"
#include "node/network/net_pod.h"

namespace kubemu {

// How a request that a container made ended.
struct FetchResult {
  uint64_t tag = 0;  // as given to Start
  int status = 0;    // of HTTP; 0: there was no answer
  std::string body;
  std::string error;  // why there was none: "connection refused"
  Ipv4 address = {};  // who was asked; none: the name was not found
};

// The HTTP requests that the containers of this node have in flight: one connection each.
class HttpClients {
 public:
  static constexpr size_t kInFlightMax = 8192;
  static constexpr Duration kTimeout = 10s;

  // `node`: whose "<node>/iptables" takes what leaves a pod. A pod's own address and 127.0.0.0/8
  // never leave it.
  explicit HttpClients(std::string node) : iptables_(std::move(node) + "/iptables") {}

  // `destination`: the address of target.host.
  void Start(uint64_t tag, const std::string& container, NetPod& pod, const FetchTarget& target,
             Ipv4 destination, Env& env);

  // True if the message belongs to a connection opened here.
  bool Receive(const Message& message, Env& env);
  void Tick(Env& env);
  Time NextWake() const;

  // Ends what a container (or, with "", the whole pod) has in flight; no results.
  void Abandon(const std::string& address, const std::string& container, Env& env);

  // What ended since the last call.
  std::vector<FetchResult> TakeFinished() { return std::exchange(finished_, {}); }

 private:
  struct Fetch {
    uint64_t tag;
    std::string container;
    std::string request;
    Time deadline;
    Trace trace;
    Ipv4 destination;
    FlowEnd end;
    HttpResponseReader reader;
    bool sent = false;
  };
  void OnData(Fetch& fetch, const bus::FlowData& data, Env& env);
  void Finish(uint64_t flow, int status, std::string body, std::string error);

  const std::string iptables_;
  uint64_t next_flow_ = 1;
  std::map<uint64_t, Fetch> fetches_;  // by flow; deadlines grow with it
  std::vector<FetchResult> finished_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_NETWORK_HTTP_CLIENT_H_
