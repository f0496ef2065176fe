#include "messages/runtime/zmq_endpoint.h"

#include <google/protobuf/message_lite.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "messages/core/ip.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr int kHandshakeMs = 3000;
constexpr int kReconnectMs = 100;
constexpr int kReconnectMaxMs = 2000;
constexpr int kConnectTimeoutMs = 2000;
constexpr int kUnacknowledgedMaxMs = 10000;  // then TCP gives the connection up
constexpr int kBacklog = 4096;               // 2,000 forked nodes register at once
constexpr int kSocketsMax = 16384;
constexpr std::string_view kScheme = "tcp://";

void SetCommonOptions(zmq::socket_t& socket) {
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::sndhwm, ZmqEndpoint::kFramesQueuedMax);
  socket.set(zmq::sockopt::rcvhwm, ZmqEndpoint::kFramesQueuedMax);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<int64_t>(ZmqEndpoint::kFrameBytesLimit));
  socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
  socket.set(zmq::sockopt::tcp_maxrt, kUnacknowledgedMaxMs);
  socket.set(zmq::sockopt::immediate, true);
}

}  // namespace

struct ZmqEndpoint::Sockets {
  zmq::context_t context{1};
  std::shared_ptr<Watched> router;
  std::shared_ptr<Watched> router_monitor;
  bool check_router = true;
  std::set<uint64_t> check;  // DEALERs that may have something
  // DEALERs that were closed while their news was handled; destroyed at the next Receive.
  std::vector<std::unique_ptr<Dealer>> closed;
  uint64_t next_monitor = 1;

  void Monitor(Watched& socket, std::shared_ptr<Watched>* monitor, boost::asio::io_context& io);
};

// A ZeroMQ socket's descriptor becomes readable once for any number of news, so after it did, and
// after every use of the socket, all news must be taken before the next wait.
struct ZmqEndpoint::Watched : std::enable_shared_from_this<ZmqEndpoint::Watched> {
  Watched(zmq::context_t& context, zmq::socket_type type, boost::asio::io_context& io)
      : socket(context, type), descriptor(io) {}
  ~Watched() {
    if (descriptor.is_open()) descriptor.release();  // ZeroMQ owns and closes it
  }

  template <class Callback>
  void Watch(Callback callback) {
    if (waiting) return;
    if (!descriptor.is_open()) descriptor.assign(socket.get(zmq::sockopt::fd));
    waiting = true;
    descriptor.async_wait(
        boost::asio::posix::descriptor_base::wait_read,
        [weak = weak_from_this(), callback](const boost::system::error_code& error) {
          const auto self = weak.lock();
          if (self == nullptr || error == boost::asio::error::operation_aborted) return;
          self->waiting = false;
          callback();
        });
  }

  // False: nothing waits.
  bool Take(zmq::message_t* message) {
    while (zmq_msg_recv(message->handle(), socket.handle(), ZMQ_DONTWAIT) < 0) {
      if (zmq_errno() != EINTR) return false;
    }
    return true;
  }
  // False: errno says why.
  bool Put(zmq::message_t* message, int flags) {
    while (zmq_msg_send(message->handle(), socket.handle(), flags | ZMQ_DONTWAIT) < 0) {
      if (zmq_errno() != EINTR) return false;
    }
    return true;
  }
  bool TakeEvents() {
    bool any = false;
    for (zmq::message_t part; Take(&part);) any = true;
    return any;
  }

  zmq::socket_t socket;
  boost::asio::posix::stream_descriptor descriptor;
  bool waiting = false;
};

struct ZmqEndpoint::Dealer {
  uint64_t number = 0;
  std::shared_ptr<Watched> socket;
  std::shared_ptr<Watched> monitor;
  bool connected = false;

  ~Dealer() { zmq_socket_monitor(socket->socket.handle(), nullptr, 0); }
};

// The only event asked for is the end of a connection, so that any message of the monitor says so.
void ZmqEndpoint::Sockets::Monitor(Watched& socket, std::shared_ptr<Watched>* monitor,
                                   boost::asio::io_context& io) {
  const std::string address = StrCat("inproc://monitor-", next_monitor++);
  if (zmq_socket_monitor(socket.socket.handle(), address.c_str(), ZMQ_EVENT_DISCONNECTED) != 0) {
    throw zmq::error_t();
  }
  *monitor = std::make_shared<Watched>(context, zmq::socket_type::pair, io);
  (*monitor)->socket.set(zmq::sockopt::linger, 0);
  (*monitor)->socket.connect(address);
}

ZmqEndpoint::ZmqEndpoint(boost::asio::io_context& io, bool insecure)
    : io_(io), insecure_(insecure) {}

ZmqEndpoint::~ZmqEndpoint() {
  if (sockets_ != nullptr && sockets_->router != nullptr) {
    zmq_socket_monitor(sockets_->router->socket.handle(), nullptr, 0);
  }
  dealers_.clear();
}

absl::Status ZmqEndpoint::CheckEndpoint(const std::string& endpoint, bool insecure) {
  if (!endpoint.starts_with(kScheme)) {
    return absl::InvalidArgumentError(
        StrCat("endpoint \"", endpoint, "\" is not of the form tcp://127.0.0.1:7100"));
  }
  const auto address = SocketAddress::Parse(std::string_view(endpoint).substr(kScheme.size()));
  if (!address.ok()) {
    return absl::InvalidArgumentError(
        StrCat("endpoint \"", endpoint, "\" is not of the form ",
               "tcp://127.0.0.1:7100: ", std::string(address.status().message())));
  }
  if (!insecure && !address->ip.IsLoopback()) {
    return absl::PermissionDeniedError(
        StrCat("endpoint \"", endpoint, "\" is not a loopback address (127.0.0.0/8); without keys ",
               "only those are used, --insecure lifts that"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ZmqEndpoint>> ZmqEndpoint::Bind(const std::string& endpoint,
                                                               bool insecure,
                                                               boost::asio::io_context& io) {
  if (absl::Status status = CheckEndpoint(endpoint, insecure); !status.ok()) return status;
  try {
    std::unique_ptr<ZmqEndpoint> self(new ZmqEndpoint(io, insecure));
    self->sockets_ = std::make_unique<Sockets>();
    Sockets& sockets = *self->sockets_;
    zmq_ctx_set(sockets.context.handle(), ZMQ_MAX_SOCKETS, kSocketsMax);
    sockets.router = std::make_shared<Watched>(sockets.context, zmq::socket_type::router, io);
    zmq::socket_t& router = sockets.router->socket;
    SetCommonOptions(router);
    router.set(zmq::sockopt::router_mandatory, true);
    router.set(zmq::sockopt::backlog, kBacklog);
    sockets.Monitor(*sockets.router, &sockets.router_monitor, io);
    router.bind(endpoint.ends_with(":0") ? endpoint.substr(0, endpoint.size() - 1) + "*"
                                         : endpoint);
    self->endpoint_ = router.get(zmq::sockopt::last_endpoint);
    return self;
  } catch (const zmq::error_t& error) {
    std::string hint = error.what();
    if (error.num() == EADDRINUSE) {
      hint = "the address is in use by another process; give another port, or 0 for any";
    } else if (error.num() == EADDRNOTAVAIL) {
      hint = "this machine has no such address";
    }
    return absl::UnavailableError(StrCat("cannot listen on ", endpoint, ": ", hint));
  }
}

absl::StatusOr<uint64_t> ZmqEndpoint::Connect(const std::string& endpoint,
                                              const std::string& routing_id) {
  if (absl::Status status = CheckEndpoint(endpoint, insecure_); !status.ok()) return status;
  try {
    auto dealer = std::make_unique<Dealer>();
    dealer->number = next_dealer_++;
    dealer->socket = std::make_shared<Watched>(sockets_->context, zmq::socket_type::dealer, io_);
    zmq::socket_t& socket = dealer->socket->socket;
    SetCommonOptions(socket);
    socket.set(zmq::sockopt::routing_id, routing_id);
    socket.set(zmq::sockopt::reconnect_ivl, kReconnectMs);
    socket.set(zmq::sockopt::reconnect_ivl_max, kReconnectMaxMs);
    socket.set(zmq::sockopt::connect_timeout, kConnectTimeoutMs);
    sockets_->Monitor(*dealer->socket, &dealer->monitor, io_);
    socket.connect(endpoint);
    const uint64_t number = dealer->number;
    sockets_->check.insert(number);
    dealers_.emplace(number, std::move(dealer));
    return number;
  } catch (const zmq::error_t& error) {
    return absl::UnavailableError(StrCat("cannot connect to ", endpoint, ": ", error.what()));
  }
}

void ZmqEndpoint::Disconnect(uint64_t dealer) {
  const auto it = dealers_.find(dealer);
  if (it == dealers_.end()) return;
  sockets_->closed.push_back(std::move(it->second));
  sockets_->check.erase(dealer);
  dealers_.erase(it);
}

ZmqEndpoint::SendResult ZmqEndpoint::SendBytes(const LinkId& link, zmq::message_t* payload) {
  Watched* socket = sockets_->router.get();
  if (link.dealer != 0) {
    const auto it = dealers_.find(link.dealer);
    if (it == dealers_.end() || !it->second->connected) return SendResult::kUnreachable;
    socket = it->second->socket.get();
    sockets_->check.insert(link.dealer);
  } else {
    sockets_->check_router = true;
    zmq::message_t id(link.routing_id.data(), link.routing_id.size());
    if (!socket->Put(&id, ZMQ_SNDMORE)) {
      return zmq_errno() == EAGAIN ? SendResult::kFull : SendResult::kUnreachable;
    }
  }
  if (socket->Put(payload, 0)) return SendResult::kSent;
  return zmq_errno() == EAGAIN ? SendResult::kFull : SendResult::kUnreachable;
}

ZmqEndpoint::SendResult ZmqEndpoint::Send(const LinkId& link,
                                          const google::protobuf::MessageLite& frame) {
  zmq::message_t payload(frame.ByteSizeLong());
  frame.SerializeWithCachedSizesToArray(static_cast<uint8_t*>(payload.data()));
  return SendBytes(link, &payload);
}

ZmqEndpoint::SendResult ZmqEndpoint::Probe(const LinkId& link) {
  // Asking for the events makes ZeroMQ take notice of connections that have just ended.
  if (link.dealer == 0) (void)sockets_->router->socket.get(zmq::sockopt::events);
  zmq::message_t empty;
  return SendBytes(link, &empty);
}

bool ZmqEndpoint::ReceiveFrom(Watched& watched, uint64_t dealer, size_t* budget, Handler& handler) {
  zmq::message_t part;
  while (*budget > 0) {
    LinkId link;
    link.dealer = dealer;
    if (dealer == 0) {
      if (!watched.Take(&part)) return false;
      link.routing_id.assign(part.data<char>(), part.size());
      if (!part.more()) continue;
    }
    if (!watched.Take(&part)) return false;
    --*budget;
    const bool single = !part.more();
    if (single && part.size() > 0) {
      handler.OnFrame(link, std::string_view(part.data<char>(), part.size()));
    }
    for (bool more = !single; more && watched.Take(&part);) more = part.more();
    if (dealer != 0 && !dealers_.contains(dealer)) return false;  // closed by the handler
  }
  return true;
}

bool ZmqEndpoint::ReceiveFromDealer(Dealer& dealer, size_t* budget, Handler& handler) {
  const uint64_t number = dealer.number;
  if (ReceiveFrom(*dealer.socket, number, budget, handler)) return true;
  if (!dealers_.contains(number)) return false;
  if (!dealer.connected && (dealer.socket->socket.get(zmq::sockopt::events) & ZMQ_POLLOUT) != 0) {
    dealer.connected = true;
    sockets_->check.insert(number);  // looked at again before the next wait
    handler.OnConnected(number);
    return false;
  }
  if (dealer.monitor->TakeEvents()) {
    handler.OnDisconnected(number);
    return false;
  }
  const auto again = [this, number] { sockets_->check.insert(number); };
  dealer.socket->Watch(again);
  dealer.monitor->Watch(again);
  return false;
}

bool ZmqEndpoint::Receive(size_t frames_max, Handler& handler) {
  Sockets& sockets = *sockets_;
  sockets.closed.clear();
  size_t budget = frames_max;
  while (!sockets.check.empty()) {
    const uint64_t number = *sockets.check.begin();
    sockets.check.erase(number);  // first: the handler may use the socket again
    const auto it = dealers_.find(number);
    if (it != dealers_.end() && ReceiveFromDealer(*it->second, &budget, handler)) {
      sockets.check.insert(number);
      return true;
    }
  }
  if (!sockets.check_router) return false;
  if (ReceiveFrom(*sockets.router, 0, &budget, handler)) return true;
  sockets.check_router = false;
  if (sockets.router_monitor->TakeEvents()) handler.OnRouterDisconnect();
  const auto again = [&sockets] { sockets.check_router = true; };
  sockets.router->Watch(again);
  sockets.router_monitor->Watch(again);
  return sockets.check_router || !sockets.check.empty();
}

}  // namespace kubemu
