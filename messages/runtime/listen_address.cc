#include "messages/runtime/listen_address.h"

#include <string>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

using boost::asio::ip::tcp;

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

}  // namespace

absl::StatusOr<std::unique_ptr<tcp::acceptor>> ListenOn(SocketAddress address, bool insecure,
                                                        boost::asio::io_context& io) {
  if (!insecure && !address.ip.IsLoopback()) {
    return absl::PermissionDeniedError(
        StrCat(address.ToString(), " is not a loopback address (127.0.0.0/8); without keys only ",
               "those are listened on, --insecure lifts that"));
  }
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

SocketAddress ToSocketAddress(const tcp::endpoint& endpoint) {
  if (!endpoint.address().is_v4()) return {};
  return SocketAddress{Ipv4(endpoint.address().to_v4().to_uint()), endpoint.port()};
}

}  // namespace kubemu
