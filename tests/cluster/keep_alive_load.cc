#include "tests/cluster/keep_alive_load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

namespace kubemu {
namespace {

using Clock = KeepAliveLoad::Clock;

constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: load\r\n\r\n";

// Length of the whole answer, or 0 while it is not there.
size_t AnswerLength(const std::string& in) {
  const size_t end = in.find("\r\n\r\n");
  if (end == std::string::npos) return 0;
  const size_t at = in.find("Content-Length: ");
  if (at == std::string::npos || at > end) return 0;
  const size_t length = end + 4 + std::stoul(in.substr(at + 16));
  return in.size() >= length ? length : 0;
}

std::string NodeOf(const std::string& answer) {
  const size_t at = answer.find("\nnode: ");
  return at == std::string::npos ? "" : answer.substr(at + 7, answer.find('\n', at + 7) - at - 7);
}

}  // namespace

class KeepAliveLoad::Loop {
 public:
  Loop(const std::string& ip, uint16_t port, int connections, std::chrono::milliseconds pause)
      : pause_(pause), connections_(static_cast<size_t>(connections)) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(port);
    inet_pton(AF_INET, ip.c_str(), &address_.sin_addr);
    thread_ = std::thread([this] { Run(); });
  }
  ~Loop() { Stop(); }

  Report Now() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return report_;
  }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Connection {
    enum class State { kClosed, kConnecting, kResting, kWaiting };
    int fd = -1;
    State state = State::kClosed;
    Clock::time_point next{};  // when it goes on, or gives up
    std::string in;
    uint64_t answers = 0;  // on this connection
    std::string node;
  };

  void Run() {
    // They do not all begin at once: a listen queue is finite.
    size_t number = 0;
    for (Connection& connection : connections_) {
      connection.next = Clock::now() + std::chrono::milliseconds(2 * number++);
    }
    std::vector<pollfd> fds(connections_.size());
    while (!stop_) {
      for (size_t i = 0; i < connections_.size(); ++i) {
        Step(connections_[i]);
        const bool connecting = connections_[i].state == Connection::State::kConnecting;
        fds[i] = {connections_[i].fd, static_cast<short>(connecting ? POLLOUT : POLLIN), 0};
      }
      if (poll(fds.data(), fds.size(), 2) <= 0) continue;
      for (size_t i = 0; i < connections_.size(); ++i) {
        if (fds[i].revents != 0) Ready(connections_[i]);
      }
    }
    for (Connection& connection : connections_) Close(connection);
  }

  // What is due by the clock.
  void Step(Connection& connection) {
    if (Clock::now() < connection.next) return;
    switch (connection.state) {
      case Connection::State::kClosed:
        return Open(connection);
      case Connection::State::kResting:
        return Ask(connection);
      case Connection::State::kConnecting:
        return Fail(connection, "no connection in 5 s");
      case Connection::State::kWaiting:
        return Fail(connection, "no answer in 5 s");
    }
  }

  void Open(Connection& connection) {
    connection.in.clear();
    connection.answers = 0;
    connection.node.clear();
    connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int one = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connection.state = Connection::State::kConnecting;
    connection.next = Clock::now() + KeepAliveLoad::kSilenceMax;
    const auto* address = reinterpret_cast<const sockaddr*>(&address_);
    if (connect(connection.fd, address, sizeof address_) != 0 && errno != EINPROGRESS) {
      Fail(connection, std::string("connect: ") + std::strerror(errno));
    }
  }

  void Ask(Connection& connection) {
    connection.state = Connection::State::kWaiting;
    connection.next = Clock::now() + KeepAliveLoad::kSilenceMax;
    if (send(connection.fd, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(kRequest.size())) {
      Ended(connection, std::strerror(errno));
    }
  }

  void Ready(Connection& connection) {
    if (connection.state == Connection::State::kConnecting) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return Fail(connection, std::string("connect: ") + std::strerror(error));
      return Ask(connection);
    }
    char buffer[16 * 1024];
    const ssize_t got = recv(connection.fd, buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return Ended(connection, got == 0 ? "end of file" : std::strerror(errno));
    connection.in.append(buffer, static_cast<size_t>(got));
    const size_t length = AnswerLength(connection.in);
    if (length > 0) Answered(connection, connection.in.substr(0, length));
  }

  void Answered(Connection& connection, const std::string& answer) {
    connection.in.clear();
    ++connection.answers;
    connection.node = NodeOf(answer);
    if (!answer.starts_with("HTTP/1.1 200 ")) {
      return Fail(connection, answer.substr(0, answer.find('\r')));
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++report_.answered;
      ++report_.by_node[connection.node];
      if (answer.find("\r\nConnection: close") != std::string::npos) ++report_.reopened;
    }
    if (answer.find("\r\nConnection: close") != std::string::npos) Close(connection);
    connection.state = connection.fd < 0 ? Connection::State::kClosed : Connection::State::kResting;
    connection.next = Clock::now() + pause_;
  }

  // The server has closed, or reset, the connection.
  void Ended(Connection& connection, const char* how) {
    if (connection.state != Connection::State::kResting &&
        (connection.answers == 0 || !connection.in.empty())) {
      return Fail(connection,
                  std::string(connection.in.empty() ? "no answer: " : "cut off: ") + how);
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++report_.reopened;
      if (connection.state == Connection::State::kWaiting) ++report_.retried;
    }
    Close(connection);
  }

  void Fail(Connection& connection, const std::string& why) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (report_.failures.size() < kFailuresMax) {
        report_.failures.push_back({Clock::now(), why, connection.node});
      }
    }
    Close(connection);
    connection.next = Clock::now() + pause_;
  }

  void Close(Connection& connection) {
    if (connection.fd >= 0) close(connection.fd);
    connection.fd = -1;
    connection.state = Connection::State::kClosed;
    connection.next = Clock::now();
  }

  const std::chrono::milliseconds pause_;
  sockaddr_in address_{};
  std::vector<Connection> connections_;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  Report report_;
  std::thread thread_;
};

KeepAliveLoad::KeepAliveLoad(const std::string& ip, uint16_t port, int connections,
                             std::chrono::milliseconds pause)
    : loop_(std::make_unique<Loop>(ip, port, connections, pause)) {}

KeepAliveLoad::~KeepAliveLoad() = default;

KeepAliveLoad::Report KeepAliveLoad::Now() const {
  return loop_->Now();
}

KeepAliveLoad::Report KeepAliveLoad::Stop() {
  loop_->Stop();
  return loop_->Now();
}

std::string KeepAliveLoad::Report::ToString() const {
  std::string text = std::to_string(answered) + " answered, " + std::to_string(reopened) +
                     " connections reopened (" + std::to_string(retried) +
                     " with a request under way), " + std::to_string(failures.size()) + " failed";
  for (const auto& [node, count] : by_node) text += "; " + node + ": " + std::to_string(count);
  for (size_t i = 0; i < failures.size() && i < 10; ++i) {
    text += "\n  " + failures[i].why + " (node " + failures[i].node + ")";
  }
  return text;
}

}  // namespace kubemu
