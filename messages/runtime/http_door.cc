#include "messages/runtime/http_door.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>
#include <vector>

#include "messages/core/strings.h"
#include "messages/runtime/http_connection.h"
#include "messages/runtime/listen_address.h"

namespace kubemu {

namespace asio = boost::asio;

struct HttpDoor::Acceptor {
  Acceptor(std::unique_ptr<asio::ip::tcp::acceptor> listening, asio::io_context& io)
      : socket(std::move(listening)), timer(io), retry(io) {}
  std::unique_ptr<asio::ip::tcp::acceptor> socket;
  asio::steady_timer timer;
  asio::steady_timer retry;
};

absl::StatusOr<std::unique_ptr<HttpDoor>> HttpDoor::Listen(SocketAddress address, bool insecure,
                                                           std::string handler,
                                                           std::chrono::milliseconds write_timeout,
                                                           RuntimeHost* host,
                                                           asio::io_context& io) {
  auto socket = ListenOn(address, insecure, io);
  if (!socket.ok()) return socket.status();
  auto acceptor = std::make_unique<Acceptor>(*std::move(socket), io);
  std::unique_ptr<HttpDoor> door(
      new HttpDoor(std::move(handler), write_timeout, host, std::move(acceptor)));
  door->Accept();
  return door;
}

HttpDoor::HttpDoor(std::string handler, std::chrono::milliseconds write_timeout, RuntimeHost* host,
                   std::unique_ptr<Acceptor> acceptor)
    : handler_(std::move(handler)),
      write_timeout_(write_timeout),
      host_(host),
      acceptor_(std::move(acceptor)),
      address_(ToSocketAddress(acceptor_->socket->local_endpoint())) {}

HttpDoor::~HttpDoor() {
  while (!connections_.empty()) {
    const std::shared_ptr<HttpConnection> connection = connections_.begin()->second;
    connection->Close();
  }
}

void HttpDoor::Accept() {
  acceptor_->socket->async_accept(
      [this](const boost::system::error_code& error, asio::ip::tcp::socket socket) {
        if (error == asio::error::operation_aborted) return;
        if (error) {
          // Out of descriptors: existing connections end some time.
          log_.Warn(StrCat("cannot accept on ", address_.ToString(), ": ", error.message()));
          acceptor_->retry.expires_after(std::chrono::milliseconds(100));
          acceptor_->retry.async_wait([this](const boost::system::error_code& aborted) {
            if (!aborted) Accept();
          });
          return;
        }
        if (connections_.size() >= kHttpConnectionsMax) {
          log_.Warn(StrCat("limit: no more than ", kHttpConnectionsMax, " HTTP connections on ",
                           address_.ToString()));
        } else {
          const uint64_t number = next_connection_++;
          auto connection = std::make_shared<HttpConnection>(this, number, std::move(socket));
          connections_[number] = connection;
          connection->Start();
          Sweep();
        }
        Accept();
      });
}

// Looks at every connection once in a while, as long as there are any.
void HttpDoor::Sweep() {
  if (sweeping_ || connections_.empty()) return;
  sweeping_ = true;
  acceptor_->timer.expires_after(kSweepInterval);
  acceptor_->timer.async_wait([this](const boost::system::error_code& aborted) {
    if (aborted) return;
    sweeping_ = false;
    const RealTime now = RealNow();
    std::vector<std::shared_ptr<HttpConnection>> all;  // Check may take one out of the table
    for (const auto& [number, connection] : connections_) all.push_back(connection);
    for (const auto& connection : all) connection->Check(now);
    Sweep();
  });
}

uint64_t HttpDoor::Register(HttpConnection* connection) {
  requests_[next_request_] = connection;
  return next_request_++;
}

void HttpDoor::Receive(const Message& message) {
  if (message.kind != bus::HTTP_RESPONSE) {
    return host_->Lost(message, "the HTTP door takes only HttpResponse");
  }
  const auto& response = message.As<bus::HttpResponse>();
  const auto it = requests_.find(response.request());
  if (it == requests_.end()) return;
  const std::shared_ptr<HttpConnection> connection = it->second->shared_from_this();
  connection->Respond(response);
}

}  // namespace kubemu
