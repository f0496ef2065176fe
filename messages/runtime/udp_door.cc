#include "messages/runtime/udp_door.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/ip/udp.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/runtime/listen_address.h"

namespace kubemu {

using boost::asio::ip::udp;
using boost::system::error_code;

struct UdpDoor::Listener {
  SocketAddress address;
  std::string part;  // who asked
  std::unique_ptr<udp::socket> socket;
};

UdpDoor::UdpDoor(RuntimeHost* host, boost::asio::io_context& io, bool insecure)
    : host_(host), io_(io), insecure_(insecure) {}

UdpDoor::~UdpDoor() = default;

bool UdpDoor::Takes(const Message& message) {
  if (message.kind == bus::LISTEN) return message.As<bus::Listen>().protocol() == bus::UDP;
  if (message.kind == bus::UNLISTEN) return message.As<bus::Unlisten>().protocol() == bus::UDP;
  return message.kind == bus::DATAGRAM;
}

void UdpDoor::Receive(const Message& message) {
  if (message.kind == bus::LISTEN) return Listen(message);
  if (message.kind == bus::DATAGRAM) return Send(message);
  const auto& unlisten = message.As<bus::Unlisten>();
  listeners_.erase(SocketAddress{Ipv4(unlisten.ip()), static_cast<uint16_t>(unlisten.port())});
}

void UdpDoor::Listen(const Message& message) {
  const auto& listen = message.As<bus::Listen>();
  bus::ListenResult result;
  result.set_ip(listen.ip());
  result.set_port(listen.port());
  result.set_protocol(bus::UDP);
  const SocketAddress address{Ipv4(listen.ip()), static_cast<uint16_t>(listen.port())};
  const auto it = listeners_.find(address);
  if (listen.port() == 0 || listen.port() > 65535) {
    result.set_error(StrCat("port ", listen.port(), " is not between 1 and 65535"));
  } else if (it != listeners_.end() && it->second->part != message.from) {
    result.set_error(StrCat(address.ToString(), " is listened on for ", it->second->part));
  } else if (it == listeners_.end() && listeners_.size() >= kListenersMax) {
    result.set_error(StrCat("limit: no more than ", kListenersMax, " UDP ports"));
  } else if (it == listeners_.end()) {
    auto socket = BindUdp(address, insecure_, io_);
    if (socket.ok()) {
      auto listener = std::make_unique<Listener>();
      listener->address = address;
      listener->part = message.from;
      listener->socket = *std::move(socket);
      error_code ignored;
      listener->socket->set_option(
          boost::asio::socket_base::receive_buffer_size(kReceiveBufferBytes), ignored);
      WaitReadable(*listener);
      listeners_[address] = std::move(listener);
    } else {
      result.set_error(std::string(socket.status().message()));
    }
  }
  if (!result.error().empty()) log_.Warn(StrCat(result.error(), " (for ", message.from, ")"));
  host_->Inject(host_->process() + "/door", message.from, std::move(result), message.Context());
}

void UdpDoor::WaitReadable(Listener& listener) {
  listener.socket->async_wait(udp::socket::wait_read,
                              [this, address = listener.address](const error_code& error) {
                                if (error) return;
                                // Or a listener that took its place: woken for nothing.
                                const auto it = listeners_.find(address);
                                if (it != listeners_.end()) Read(*it->second);
                              });
}

void UdpDoor::Read(Listener& listener) {
  scratch_.resize(kDatagramBytesMax);
  for (int i = 0; i < kDatagramsPerEventMax; ++i) {
    sockaddr_in from{};
    socklen_t from_size = sizeof from;
    const ssize_t got =
        ::recvfrom(listener.socket->native_handle(), scratch_.data(), scratch_.size(), MSG_DONTWAIT,
                   reinterpret_cast<sockaddr*>(&from), &from_size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      if (errno != EAGAIN) {
        log_.Warn(
            StrCat("cannot read on ", listener.address.ToString(), ": ", std::strerror(errno)));
      }
      break;
    }
    const SocketAddress client{Ipv4(ntohl(from.sin_addr.s_addr)), ntohs(from.sin_port)};
    bus::Datagram datagram;
    datagram.set_protocol(bus::UDP);
    datagram.set_source_ip(client.ip.bits());
    datagram.set_source_port(client.port);
    datagram.set_destination_ip(listener.address.ip.bits());
    datagram.set_destination_port(listener.address.port);
    datagram.set_data(scratch_.data(), static_cast<size_t>(got));
    host_->Inject(StrCat("internet/", client.ToString()), listener.part, std::move(datagram));
  }
  WaitReadable(listener);
}

void UdpDoor::Send(const Message& message) {
  const auto& datagram = message.As<bus::Datagram>();
  const SocketAddress source{Ipv4(datagram.source_ip()),
                             static_cast<uint16_t>(datagram.source_port())};
  const SocketAddress client{Ipv4(datagram.destination_ip()),
                             static_cast<uint16_t>(datagram.destination_port())};
  const auto it = listeners_.find(source);
  if (it == listeners_.end() || it->second->part != message.from) {
    return host_->Lost(message, StrCat("the UDP door does not listen on ", source.ToString(),
                                       " for ", message.from));
  }
  if (!insecure_ && !client.ip.IsLoopback()) {
    return host_->Lost(message, StrCat(client.ToString(), " is not a loopback address"));
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(client.ip.bits());
  to.sin_port = htons(client.port);
  ssize_t sent = 0;
  do {
    sent = ::sendto(it->second->socket->native_handle(), datagram.data().data(),
                    datagram.data().size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&to), sizeof to);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) host_->Lost(message, StrCat("UDP: ", std::strerror(errno)));
}

}  // namespace kubemu
