#ifndef KUBEMU_MESSAGES_RUNTIME_TCP_DOOR_H_
#define KUBEMU_MESSAGES_RUNTIME_TCP_DOOR_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "messages/core/ip.h"
#include "messages/proto/flow.pb.h"
#include "messages/runtime/clock.h"
#include "messages/runtime/network_spaces.h"
#include "messages/runtime/rate_limited_log.h"
#include "messages/runtime/runtime_host.h"

namespace boost::asio {
class io_context;
}

namespace kubemu {

// The TCP door of a process: parts ask it ("<process>/door") to listen on real addresses; each
// connection becomes a flow from "internet/<ip:port>" to the part that asked. Bytes go both ways as
// FlowData, never more than the other side gave credit for, so that a slow reader slows the sender
// and nothing is queued without bound. A flow that ends badly is a reset connection, and the other
// way round. A flow that a part opens to the door becomes a connection to its destination.
// Listening and connecting may be done in one of the process's network namespaces.
class TcpDoor {
 public:
  static constexpr size_t kConnectionsMax = 16384;
  static constexpr uint32_t kFlowWindowMax = 256 * 1024;  // bytes on their way to one client
  static constexpr size_t kReadBytesMax = 64 * 1024;      // in one FlowData
  static constexpr int kAcceptsPerEventMax = 64;
  static constexpr std::chrono::seconds kEstablishTimeout{10};

  // None of the pointers is owned. Without `insecure` only loopback addresses are listened on and
  // connected to.
  TcpDoor(RuntimeHost* host, boost::asio::io_context& io, bool insecure,
          const NetworkSpaces* spaces);
  ~TcpDoor();
  TcpDoor(const TcpDoor&) = delete;
  TcpDoor& operator=(const TcpDoor&) = delete;

  // Listen, Unlisten and FlowOpen; FlowData, FlowCredit and FlowClose of its connections. What
  // belongs to a connection that is over is ignored.
  void Receive(const Message& message);

  size_t connections() const { return flows_.size(); }

 private:
  struct Listener;
  struct Flow;
  struct Timer;
  struct Place {
    std::string network;  // "": the process's own
    SocketAddress address;
    auto operator<=>(const Place&) const = default;
  };

  void Listen(const Message& message);
  void AcceptMore(Listener& listener);
  void Accept(Listener& listener);
  void Open(const Listener& listener, std::unique_ptr<Flow> accepted);
  void AwaitEstablished(uint64_t number);
  void ExpireUnestablished();

  // Connections that parts ask for (tcp_dial.cc).
  void Dial(const Message& message);
  void Connect(uint64_t number, Flow& flow, SocketAddress destination);
  void OnConnected(uint64_t number, Flow& flow);

  // These may end the flow: `flow` is not used after them.
  void WaitReadable(uint64_t number, Flow& flow);
  void WaitWritable(uint64_t number, Flow& flow);
  void Read(uint64_t number, Flow& flow);
  void TakeData(uint64_t number, Flow& flow, const Message& message);
  void Write(uint64_t number, Flow& flow, std::string_view fresh, Trace cause);
  void TakeClose(uint64_t number, Flow& flow, const bus::FlowClose& close);
  void EndIfFinished(uint64_t number, Flow& flow);
  // Resets the connection and tells the part why.
  void Break(uint64_t number, Flow& flow, bus::FlowClose::Reason reason, std::string detail);
  void ResetSocket(uint64_t number, Flow& flow);
  void Erase(uint64_t number, Flow& flow);

  RuntimeHost* const host_;
  boost::asio::io_context& io_;
  const bool insecure_;
  const NetworkSpaces* const spaces_;
  std::unique_ptr<Timer> expire_;
  std::map<Place, std::unique_ptr<Listener>> listeners_;
  std::unordered_map<uint64_t, std::unique_ptr<Flow>> flows_;     // looked up, never iterated
  std::map<std::pair<std::string, uint64_t>, uint64_t> dialled_;  // part and its flow: ours
  uint64_t next_flow_ = 1;
  std::deque<std::pair<RealTime, uint64_t>> unestablished_;  // by deadline
  bool expiring_ = false;
  std::vector<char> scratch_;
  RateLimitedLog log_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_TCP_DOOR_H_
