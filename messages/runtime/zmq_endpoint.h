#ifndef KUBEMU_MESSAGES_RUNTIME_ZMQ_ENDPOINT_H_
#define KUBEMU_MESSAGES_RUNTIME_ZMQ_ENDPOINT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace boost::asio {
class io_context;
}
namespace google::protobuf {
class MessageLite;
}
namespace zmq {
class message_t;
}

namespace kubemu {

// Names one ZeroMQ connection of this process: one of our DEALERs (`dealer` is its number), or a
// remote DEALER at our ROUTER (`dealer` is 0, `routing_id` is what it calls itself).
struct LinkId {
  uint64_t dealer = 0;
  std::string routing_id;
  auto operator<=>(const LinkId&) const = default;
};

// The ZeroMQ sockets of one process: a bound ROUTER and DEALERs on demand. Carries opaque frames;
// who is behind a link is the business of BusLinks. The only file that knows ZeroMQ.
//
// Options (docs/PROTOCOL.md says why): ROUTER_MANDATORY, IMMEDIATE, LINGER 0, finite high-water
// marks, MAXMSGSIZE, BACKLOG 4096, short handshakes, reconnects that back off, and no heartbeats (a
// stopped process still answers those).
class ZmqEndpoint {
 public:
  static constexpr size_t kFrameBytesLimit = 16 << 20;  // a larger one ends the connection
  static constexpr int kFramesQueuedMax = 1000;         // high-water mark, per link and direction

  enum class SendResult { kSent, kUnreachable, kFull };

  // Called from Receive.
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void OnFrame(const LinkId& link, std::string_view bytes) = 0;
    // The DEALER is connected and takes frames now.
    virtual void OnConnected(uint64_t dealer) = 0;
    virtual void OnDisconnected(uint64_t dealer) = 0;
    // Some connection of the ROUTER ended; which one shows when it is sent to.
    virtual void OnRouterDisconnect() = 0;
  };

  // Binds the ROUTER to `endpoint`, "tcp://127.0.0.1:7100" (port 0: any). Errors: InvalidArgument
  // (not such an endpoint), PermissionDenied (not loopback and not `insecure`), Unavailable (the
  // address is taken or not ours); each says which address and what to do.
  static absl::StatusOr<std::unique_ptr<ZmqEndpoint>> Bind(const std::string& endpoint,
                                                           bool insecure,
                                                           boost::asio::io_context& io);
  ~ZmqEndpoint();
  ZmqEndpoint(const ZmqEndpoint&) = delete;
  ZmqEndpoint& operator=(const ZmqEndpoint&) = delete;

  // The bound endpoint, with the port that was picked.
  const std::string& endpoint() const { return endpoint_; }

  // Begins to connect a new DEALER; returns its number, never 0.
  absl::StatusOr<uint64_t> Connect(const std::string& endpoint, const std::string& routing_id);
  void Disconnect(uint64_t dealer);

  // Queues one frame on the link, or says why not. Never blocks.
  SendResult Send(const LinkId& link, const google::protobuf::MessageLite& frame);
  // Sends an empty frame, so that a dead link shows (kUnreachable).
  SendResult Probe(const LinkId& link);

  // Hands at most `frames_max` waiting frames, and all other news, to the handler. True: more wait.
  bool Receive(size_t frames_max, Handler& handler);

  // "tcp://<IPv4>:<port>", loopback unless `insecure`.
  static absl::Status CheckEndpoint(const std::string& endpoint, bool insecure);

 private:
  struct Sockets;  // context and ROUTER
  struct Watched;  // a socket whose descriptor the io_context watches
  struct Dealer;

  explicit ZmqEndpoint(boost::asio::io_context& io, bool insecure);
  bool ReceiveFrom(Watched& socket, uint64_t dealer, size_t* budget, Handler& handler);
  bool ReceiveFromDealer(Dealer& dealer, size_t* budget, Handler& handler);
  SendResult SendBytes(const LinkId& link, zmq::message_t* payload);

  boost::asio::io_context& io_;
  const bool insecure_;
  std::string endpoint_;
  std::unique_ptr<Sockets> sockets_;
  std::map<uint64_t, std::unique_ptr<Dealer>> dealers_;
  uint64_t next_dealer_ = 1;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_ZMQ_ENDPOINT_H_
