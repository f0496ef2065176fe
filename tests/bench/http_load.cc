#include "tests/bench/http_load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "messages/core/ip.h"

namespace kubemu {
namespace {

constexpr int kSilenceMaxMs = 30'000;

WallTime WallNow() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return WallTime(std::chrono::duration_cast<Duration>(now));
}

int Connect(const std::string& text) {
  const auto address = SocketAddress::Parse(text);
  if (!address.ok()) FailLoad(std::string(address.status().message()));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(address->port);
  to.sin_addr.s_addr = htonl(address->ip.bits());
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    FailLoad("cannot connect to " + text + ": " + std::strerror(errno));
  }
  return fd;
}

// One connection: at most one request in flight.
class Client {
 public:
  explicit Client(const std::string& address) : fd_(Connect(address)) {}
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  int fd() const { return fd_; }
  size_t number() const { return number_; }

  // Requests are small and one at a time, so that the socket's buffer takes all of it.
  void Send(size_t number, std::string_view text) {
    number_ = number;
    in_.clear();
    while (!text.empty()) {
      const ssize_t sent = send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0) FailLoad(std::string("cannot send: ") + std::strerror(errno));
      text.remove_prefix(static_cast<size_t>(sent));
    }
  }

  // True: the whole answer is there.
  bool Receive() {
    std::array<char, 65536> buffer;
    const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
    if (got <= 0) FailLoad("the server closed a connection");
    in_.append(buffer.data(), static_cast<size_t>(got));
    const size_t head = in_.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    const size_t field = std::min(in_.find("Content-Length: "), in_.find("content-length: "));
    if (field > head) FailLoad("an answer without Content-Length: " + in_.substr(0, head));
    return in_.size() >= head + 4 + std::strtoull(in_.c_str() + field + 16, nullptr, 10);
  }
  int Status() const { return std::atoi(in_.c_str() + std::strlen("HTTP/1.1 ")); }
  std::string Body() const { return in_.substr(in_.find("\r\n\r\n") + 4); }

 private:
  const int fd_;
  size_t number_ = 0;
  std::string in_;
};

}  // namespace

void FailLoad(const std::string& why) {
  std::fprintf(stderr, "kubemu-bench: %s\n", why.c_str());
  std::exit(1);
}

std::vector<LoadAnswer> RunHttpLoad(const std::string& address, int clients, size_t count,
                                    const std::function<std::string(size_t)>& request) {
  std::vector<LoadAnswer> answers(count);
  std::vector<std::unique_ptr<Client>> all;
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  size_t next = 0;
  const auto send_next = [&](Client& client) {
    answers[next].sent = WallNow();
    client.Send(next, request(next));
    ++next;
  };
  for (int i = 0; i < clients && next < count; ++i) {
    all.push_back(std::make_unique<Client>(address));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = all.back().get();
    epoll_ctl(poll, EPOLL_CTL_ADD, all.back()->fd(), &event);
    send_next(*all.back());
  }
  for (size_t done = 0; done < count;) {
    std::array<epoll_event, 64> events;
    const int ready =
        epoll_wait(poll, events.data(), static_cast<int>(events.size()), kSilenceMaxMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) FailLoad("no answer for 30 s");
    for (int i = 0; i < ready; ++i) {
      auto& client = *static_cast<Client*>(events[static_cast<size_t>(i)].data.ptr);
      if (!client.Receive()) continue;
      LoadAnswer& answer = answers[client.number()];
      answer.answered = WallNow();
      answer.status = client.Status();
      ++done;
      if (next < count) send_next(client);
    }
  }
  close(poll);
  return answers;
}

std::string HttpOnce(const std::string& address, const std::string& request) {
  Client client(address);
  client.Send(0, request);
  while (!client.Receive()) {
  }
  return client.Body();
}

double Percentile(std::vector<double>* values, double share) {
  std::sort(values->begin(), values->end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values->size())));
  return (*values)[rank == 0 ? 0 : rank - 1];
}

}  // namespace kubemu
