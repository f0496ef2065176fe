#ifndef KUBEMU_TESTS_MESSAGES_RUNTIME_RAW_CLIENT_H_
#define KUBEMU_TESTS_MESSAGES_RUNTIME_RAW_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "messages/core/ip.h"

namespace kubemu {

// A TCP client of a test, with blocking calls that give up after 10 s.
class RawClient {
 public:
  // `address`: "127.0.0.1:1234". Not connected: ok() is false.
  explicit RawClient(std::string_view address) {
    const auto parsed = SocketAddress::Parse(address);
    if (!parsed.ok()) return;
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(parsed->ip.bits());
    to.sin_port = htons(parsed->port);
    ok_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~RawClient() { Close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool ok() const { return ok_; }

  // False if not all could be sent.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      if (!Wait(POLLOUT)) return false;
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void FinishSending() { ::shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  // Closes with RST.
  void Reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    Close();
  }

  // What comes until `end` is seen, the peer closes, or time is up.
  std::string ReadUntil(std::string_view end) {
    while (received_.find(end) == std::string::npos && ReadSome()) {
    }
    const size_t at = received_.find(end);
    return Take(at == std::string::npos ? received_.size() : at + end.size());
  }
  std::string ReadBytes(size_t count) {
    while (received_.size() < count && ReadSome()) {
    }
    return Take(std::min(count, received_.size()));
  }
  // Until the peer closes.
  std::string ReadAll() {
    while (ReadSome()) {
    }
    return Take(received_.size());
  }
  bool was_reset() const { return was_reset_; }
  bool finished() const { return finished_; }

 private:
  std::string Take(size_t count) {
    std::string taken = received_.substr(0, count);
    received_.erase(0, count);
    return taken;
  }
  bool Wait(short events) {
    pollfd poll{fd_, events, 0};
    return ::poll(&poll, 1, 10000) == 1;
  }
  bool ReadSome() {
    if (fd_ < 0 || !Wait(POLLIN)) return false;
    char bytes[65536];
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got < 0) was_reset_ = errno == ECONNRESET;
    if (got == 0) finished_ = true;
    if (got > 0) received_.append(bytes, static_cast<size_t>(got));
    return got > 0;
  }

  int fd_ = -1;
  bool ok_ = false;
  bool was_reset_ = false;
  bool finished_ = false;
  std::string received_;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MESSAGES_RUNTIME_RAW_CLIENT_H_
