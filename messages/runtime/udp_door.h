#ifndef KUBEMU_MESSAGES_RUNTIME_UDP_DOOR_H_
#define KUBEMU_MESSAGES_RUNTIME_UDP_DOOR_H_

#include <map>
#include <memory>
#include <vector>

#include "messages/core/ip.h"
#include "messages/message.h"
#include "messages/runtime/rate_limited_log.h"
#include "messages/runtime/runtime_host.h"

namespace boost::asio {
class io_context;
}

namespace kubemu {

// The UDP door of a process: parts ask it ("<process>/door") to listen on real addresses; each
// datagram becomes a Datagram from "internet/<ip:port>" to the part that asked, and each Datagram
// to such an address leaves from the socket that its source names. As UDP does, it keeps nothing
// and promises nothing: what the kernel's buffers do not take is lost, and stands so in the
// journal.
class UdpDoor {
 public:
  static constexpr size_t kListenersMax = 4096;
  static constexpr int kDatagramsPerEventMax = 64;        // of one socket, before others get a turn
  static constexpr size_t kDatagramBytesMax = 65'507;     // the most that UDP over IPv4 carries
  static constexpr int kReceiveBufferBytes = 256 * 1024;  // asked of the kernel, for one socket

  // `host` and `io` are not owned. Without `insecure` only loopback addresses are listened on and
  // sent to.
  UdpDoor(RuntimeHost* host, boost::asio::io_context& io, bool insecure);
  ~UdpDoor();
  UdpDoor(const UdpDoor&) = delete;
  UdpDoor& operator=(const UdpDoor&) = delete;

  // True for what belongs here and not to the TCP door: Datagram, and Listen and Unlisten of UDP.
  static bool Takes(const Message& message);
  // REQUIRES: Takes(message).
  void Receive(const Message& message);

 private:
  struct Listener;

  void Listen(const Message& message);
  void Send(const Message& message);
  void WaitReadable(Listener& listener);
  void Read(Listener& listener);

  RuntimeHost* const host_;
  boost::asio::io_context& io_;
  const bool insecure_;
  std::map<SocketAddress, std::unique_ptr<Listener>> listeners_;
  std::vector<char> scratch_;  // empty until the first datagram: most nodes never read one
  RateLimitedLog log_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_UDP_DOOR_H_
