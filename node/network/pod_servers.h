#ifndef KUBEMU_NODE_NETWORK_POD_SERVERS_H_
#define KUBEMU_NODE_NETWORK_POD_SERVERS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "messages/component.h"
#include "messages/core/deadline.h"
#include "messages/flow/flow_end.h"
#include "messages/flow/http_request_parser.h"
#include "messages/flow/proxy_header.h"
#include "node/dns/cluster_dns.h"
#include "node/network/http_client.h"
#include "node/network/net_pod.h"

namespace kubemu {

// The connections to the servers of this node's pods: HTTP/1.1 with keep-alive and pipelining
// (requests of one connection are answered one after the other), DNS over TCP, and plain echo.
class PodServers {
 public:
  static constexpr size_t kConnectionsMax = 16384;
  // An HTTP connection without a request is closed after so long (nginx: keepalive_timeout).
  static constexpr Duration kIdleMax = 75s;
  static constexpr Duration kSweepInterval = 15s;
  // A connection that has not brought a request yet gets so long for it once its server is to end
  // (Go's http.Server.Shutdown).
  static constexpr Duration kFreshGrace = 5s;

  // Answers DNS; not owned. Null while no container listens with kDns.
  void SetDns(ClusterDns* dns) { dns_ = dns; }

  // A FlowOpen to a pod. `pod` is null if there is none of that address.
  void Open(const Message& message, NetPod* pod, Env& env);
  // FlowData, FlowCredit or FlowClose from the side that opened the connection.
  void Receive(const Message& message, Env& env);
  void Tick(Env& env);
  Time NextWake() const;

  // Ends the connections of one container in good order: what is asked is answered, with
  // "Connection: close"; what is idle is closed when it has been so for `idle` from now.
  // REQUIRES: its listeners are closed.
  void Drain(const std::string& address, const std::string& container, Duration idle, Env& env);

  // The container has ended, or with "" the whole pod. A process that ends leaves its idle
  // connections to the kernel, which says good-bye (FIN); what is being worked on, and everything
  // if it was `killed`, is reset.
  void Close(const std::string& address, const std::string& container, bool killed, Env& env);

  // A request that an answer waits for: to be started, and its result given to OnFetched.
  struct Wanted {
    uint64_t connection;
    NetPod* pod;
    const FetchTarget* target;
    std::string container;
    Trace trace;
  };
  std::vector<Wanted> TakeWanted() { return std::exchange(wanted_, {}); }
  void OnFetched(uint64_t connection, const FetchResult& result, Env& env);

  size_t size() const { return connections_.size(); }

 private:
  struct Connection {
    FlowEnd end;
    NetPod* pod;
    Listener* listener;  // null: its process is gone, only the client's FIN is missing
    SocketAddress client;
    std::optional<ProxyHeaderReader> proxy;  // set: its header has not come yet
    HttpRequestParser parser;
    HttpRequestHead head;
    bool busy = false;      // an answer is being worked on; `timer` or a call ends that
    bool answered = false;  // at least one request was
    bool held = true;       // counted in listener->connections
    Time timer = kNever;    // of the answer, or if it is idle: when it is closed
    size_t next_call = 0;
    bool call_failed = false;
    std::string call_text;
    Trace trace;  // of the request that is answered
    Time last_active{};
    size_t echo_pending = 0;     // bytes taken that the client has no credit for yet
    std::string dns_input = {};  // what is there of the next DNS query
  };
  struct Key {
    std::string self;
    std::string peer;
    uint64_t flow;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const {
      return std::hash<std::string>()(key.self) ^ (key.flow * 0x9e3779b97f4a7c15);
    }
  };
  using Connections = std::map<uint64_t, Connection>;

  void OnData(Connections::iterator it, const Message& message, Env& env);
  bool TakeProxyHeader(Connection& connection, std::string* data, bool fin, Env& env);
  void Echo(Connection& connection, std::string_view data, bool fin, Env& env);
  void PumpDns(Connection& connection, Env& env);
  void Pump(uint64_t id, Connection& connection, Env& env);
  void Handle(uint64_t id, Connection& connection, Env& env);
  void Proceed(uint64_t id, Connection& connection, Env& env);
  void Answer(Connection& connection, Env& env);
  void AnswerGood(Connection& connection, Env& env);
  void SendAnswer(Connection& connection, int status, std::string_view body, Env& env);
  void WriteLog(Connection& connection, int status, size_t bytes, Env& env);
  void Sweep(Env& env);
  // An HTTP connection on which nothing happens.
  static bool Idle(const Connection& connection);
  void Release(Connection& connection);
  void ClearTimer(uint64_t id, Connection& connection);
  void EraseIfDone(Connections::iterator it);
  void Erase(Connections::iterator it);
  void SetTimer(uint64_t id, Connection& connection, Time at);

  ClusterDns* dns_ = nullptr;
  uint64_t next_ = 1;
  Connections connections_;
  std::unordered_map<Key, uint64_t, KeyHash> index_;  // looked up, never iterated
  std::set<std::pair<Time, uint64_t>> timers_;
  std::vector<Wanted> wanted_;
  Deadline sweep_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_NETWORK_POD_SERVERS_H_
