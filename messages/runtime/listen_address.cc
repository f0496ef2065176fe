#include "messages/runtime/listen_address.h"

#include <string>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

using boost::asio::ip::tcp;
using boost::asio::ip::udp;

absl::Status CannotListen(SocketAddress address, const boost::system::error_code& error) {
  std::string hint = error.message();
  if (error == boost::asio::error::address_in_use) {
    hint = "the address is in use by another process; give another port, or 0 for any";
  } else if (error == boost::system::errc::address_not_available) {
    hint = "this machine has no such address";
  } else if (error == boost::asio::error::access_denied) {
    hint = "not permitted (ports below 1024 need privileges)";
  }
  return absl::UnavailableError(StrCat("cannot listen on ", address.ToString(), ": ", hint));
}

absl::Status CheckLoopback(SocketAddress address, bool insecure) {
  if (insecure || address.ip.IsLoopback()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      StrCat(address.ToString(), " is not a loopback address (127.0.0.0/8); without keys only ",
             "those are listened on, --insecure lifts that"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<tcp::acceptor>> ListenOn(SocketAddress address, bool insecure,
                                                        boost::asio::io_context& io) {
  if (absl::Status status = CheckLoopback(address, insecure); !status.ok()) return status;
  const tcp::endpoint endpoint(boost::asio::ip::address_v4(address.ip.bits()), address.port);
  auto acceptor = std::make_unique<tcp::acceptor>(io);
  boost::system::error_code error;
  acceptor->open(tcp::v4(), error);
  if (!error) acceptor->set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(boost::asio::socket_base::max_listen_connections, error);
  if (error) return CannotListen(address, error);
  return acceptor;
}

absl::StatusOr<std::unique_ptr<udp::socket>> BindUdp(SocketAddress address, bool insecure,
                                                     boost::asio::io_context& io) {
  if (absl::Status status = CheckLoopback(address, insecure); !status.ok()) return status;
  auto socket = std::make_unique<udp::socket>(io);
  boost::system::error_code error;
  socket->open(udp::v4(), error);
  if (!error) socket->non_blocking(true, error);
  const udp::endpoint endpoint(boost::asio::ip::address_v4(address.ip.bits()), address.port);
  if (!error) socket->bind(endpoint, error);
  if (error) return CannotListen(address, error);
  return socket;
}

SocketAddress ToSocketAddress(const tcp::endpoint& endpoint) {
  if (!endpoint.address().is_v4()) return {};
  return SocketAddress{Ipv4(endpoint.address().to_v4().to_uint()), endpoint.port()};
}

}  // namespace kubemu
