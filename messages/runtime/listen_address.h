#ifndef KUBEMU_MESSAGES_RUNTIME_LISTEN_ADDRESS_H_
#define KUBEMU_MESSAGES_RUNTIME_LISTEN_ADDRESS_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <memory>

#include "absl/status/statusor.h"
#include "messages/core/ip.h"

namespace kubemu {

// A listening TCP socket. Errors: PermissionDenied (not loopback and not `insecure`), Unavailable
// (the address is in use, or not this machine's); each says which address and what to do.
absl::StatusOr<std::unique_ptr<boost::asio::ip::tcp::acceptor>> ListenOn(
    SocketAddress address, bool insecure, boost::asio::io_context& io);

// The same for UDP: a socket that is bound.
absl::StatusOr<std::unique_ptr<boost::asio::ip::udp::socket>> BindUdp(SocketAddress address,
                                                                      bool insecure,
                                                                      boost::asio::io_context& io);

SocketAddress ToSocketAddress(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_LISTEN_ADDRESS_H_
