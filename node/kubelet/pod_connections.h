#ifndef KUBEMU_NODE_KUBELET_POD_CONNECTIONS_H_
#define KUBEMU_NODE_KUBELET_POD_CONNECTIONS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/component.h"
#include "messages/core/ip.h"
#include "messages/flow/flow_end.h"
#include "messages/flow/http_response.h"
#include "messages/proto/node.pb.h"

namespace k8s::core::v1 {
class Container;
class HTTPGetAction;
}  // namespace k8s::core::v1
namespace k8s::intstr {
class IntOrString;
}

namespace kubemu {

// One thing that the kubelet does over the network for a pod.
struct PodRequest {
  enum class Kind {
    kHttp,
    kHttps,  // connects; no emulated server speaks TLS, and the answer says so
    kTcp,    // connects
    kGrpc,   // connects; no emulated server speaks HTTP/2, so that it waits in vain
  };
  Kind kind = Kind::kTcp;
  uint64_t number = 0;  // the result repeats it
  std::string pod_uid;  // for whom
  std::string host;     // an address; "localhost" is the node
  uint32_t port = 0;    // 0: could not be found out; `bad_port` says why
  std::string bad_port;
  std::string url;          // kHttp: as messages name it
  std::string text;         // kHttp: what is sent
  bool any_status = false;  // every answer is a good one (lifecycle hooks)
  Duration timeout{};
};

// An HTTP GET to `pod_ip` unless `get` names a host. `purpose` is "probe" or "lifecycle"
// (pkg/probe/http/request.go); number, pod and timeout are left to the caller.
PodRequest HttpGetRequest(const k8s::core::v1::HTTPGetAction& get,
                          const k8s::core::v1::Container& container, Ipv4 pod_ip,
                          std::string_view purpose);
// A connection to that port.
PodRequest ConnectRequest(PodRequest::Kind kind, const k8s::intstr::IntOrString& port,
                          const std::string& host, const k8s::core::v1::Container& container,
                          Ipv4 pod_ip);

// The connections of one kubelet: each is a flow through "<node>/iptables", as of any process of
// the node. What came of it is said in upstream's words (pkg/probe/http, pkg/probe/tcp,
// pkg/probe/grpc). Redirects are not followed: a 3xx is a good answer.
class PodConnections {
 public:
  static constexpr size_t kInFlightMax = 1024;

  // `address` is the node's own.
  PodConnections(const std::string& node, Ipv4 address)
      : self_(node + "/kubelet"), iptables_(node + "/iptables"), address_(address) {}

  void Start(PodRequest request, Env& env);

  // FlowData, FlowCredit and FlowClose.
  void Receive(const Message& message, Env& env);
  void Tick(Env& env);
  Time NextWake() const { return deadlines_.empty() ? kNever : deadlines_.begin()->first; }

  struct Result {
    std::string pod_uid;
    bus::ProbeResult result;
    Trace trace;
  };
  // What ended since the last call.
  std::vector<Result> TakeFinished() { return std::exchange(finished_, {}); }

  size_t in_flight() const { return connections_.size(); }

 private:
  struct Connection {
    PodRequest request;
    SocketAddress to;
    Time deadline;
    Trace trace;
    FlowEnd end;
    HttpResponseReader reader;
    std::string first;  // the first bytes of the answer
    bool established = false;
  };
  using Connections = std::map<uint64_t, Connection>;  // by flow

  void OnCredit(Connections::iterator it, uint32_t bytes, Env& env);
  void OnData(Connections::iterator it, const bus::FlowData& data, Env& env);
  void OnClose(Connections::iterator it, bus::FlowClose::Reason reason);
  void OnTimeout(Connections::iterator it, Env& env);
  void FinishHttp(Connections::iterator it);
  void Finish(Connections::iterator it, bool success, std::string message);
  void Report(const PodRequest& request, bool success, std::string message, Trace trace);

  const std::string self_;
  const std::string iptables_;
  const Ipv4 address_;
  uint64_t next_flow_ = 1;
  Connections connections_;
  std::set<std::pair<Time, uint64_t>> deadlines_;
  std::vector<Result> finished_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_POD_CONNECTIONS_H_
