#include "tests/node/iptables/kernel_traffic.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

sockaddr_in ToSockaddr(SocketAddress address) {
  sockaddr_in raw{};
  raw.sin_family = AF_INET;
  raw.sin_addr.s_addr = htonl(address.ip.bits());
  raw.sin_port = htons(address.port);
  return raw;
}
SocketAddress FromSockaddr(const sockaddr_in& raw) {
  return {Ipv4(ntohl(raw.sin_addr.s_addr)), ntohs(raw.sin_port)};
}

bool BindTo(int fd, SocketAddress address) {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in raw = ToSockaddr(address);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&raw), sizeof raw) == 0;
}

std::string WhoIs(SocketAddress self, SocketAddress peer) {
  return StrCat(self.ToString(), " ", peer.ToString(), "\n");
}

std::string ReadText(int fd) {
  std::array<char, 256> buffer;
  const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
  return size > 0 ? std::string(buffer.data(), static_cast<size_t>(size)) : "";
}

bool ParseWho(const std::string& text, SocketAddress* self, SocketAddress* peer) {
  const size_t space = text.find(' ');
  const size_t end = text.find('\n');
  if (space == std::string::npos || end == std::string::npos) return false;
  const auto one = SocketAddress::Parse(text.substr(0, space));
  const auto two = SocketAddress::Parse(text.substr(space + 1, end - space - 1));
  if (!one.ok() || !two.ok()) return false;
  *self = *one;
  *peer = *two;
  return true;
}

// Whether the error came as ICMP (and not as a TCP reset).
bool CameAsIcmp(int fd) {
  std::array<char, 512> control;
  std::array<char, 64> data;
  iovec vec{data.data(), data.size()};
  msghdr message{};
  message.msg_iov = &vec;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return false;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR) continue;
    sock_extended_err error;
    std::memcpy(&error, CMSG_DATA(c), sizeof error);
    if (error.ee_origin == SO_EE_ORIGIN_ICMP) return true;
  }
  return false;
}

}  // namespace

KernelTraffic::KernelTraffic(KernelNet* net, uint16_t port) : net_(net) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (net == nullptr) return;
  for (int i = 0; i < KernelNet::kPodCount; ++i) {
    const SocketAddress self{KernelNet::Pod(i), port};
    const int tcp = net->Socket(KernelNet::kPods, SOCK_STREAM);
    EXPECT_TRUE(BindTo(tcp, self));
    EXPECT_EQ(::listen(tcp, 1024), 0);
    Watch(tcp, EPOLLIN, {Kind::kListener});
    const int udp = net->Socket(KernelNet::kPods, SOCK_DGRAM);
    EXPECT_TRUE(BindTo(udp, self));
    Watch(udp, EPOLLIN, {Kind::kUdpServer});
  }
}

KernelTraffic::~KernelTraffic() {
  for (const auto& [fd, watched] : watched_) ::close(fd);
  ::close(epoll_);
}

void KernelTraffic::Watch(int fd, uint32_t events, Watched watched) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  watched_[fd] = watched;
}

void KernelTraffic::Close(int fd) {
  watched_.erase(fd);
  // No TIME_WAIT: thousands of them would only use up memory.
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

void KernelTraffic::Run(std::vector<Probe>* probes) {
  size_t next = 0;
  while (next < probes->size()) {
    const size_t first = next;
    for (; next < probes->size() && next - first < kAtOnceMax; ++next) Begin(&(*probes)[next]);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kAnswerMs);
    while (expected_ > 0 && std::chrono::steady_clock::now() < end) Step(50);
    while (Step(kSilenceMs)) {
    }
    for (size_t i = first; i < next; ++i) {
      Probe& probe = (*probes)[i];
      const auto it = watched_.find(probe.fd);
      if (it != watched_.end() && it->second.probe == &probe && !probe.keep) {
        Finish(probe.fd, &probe, Probe::Result::kNothing);
      }
    }
    expected_ = 0;
  }
}

void KernelTraffic::Begin(Probe* probe) {
  const bool tcp = probe->protocol == iptables::Protocol::kTcp;
  const int fd = net_->Socket(probe->place, tcp ? SOCK_STREAM : SOCK_DGRAM);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  uint16_t& port = next_port_.try_emplace(probe->source, kFirstPort).first->second;
  probe->source_port = port++;
  probe->fd = fd;
  EXPECT_TRUE(BindTo(fd, {probe->source, probe->source_port})) << std::strerror(errno);
  if (!probe->silence_expected) ++expected_;
  Watch(fd, EPOLLIN | EPOLLOUT | EPOLLET, {Kind::kProbe, probe});
  const sockaddr_in to = ToSockaddr(probe->destination);
  const int code = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  if (code != 0 && errno != EINPROGRESS) {
    probe->error = errno;
    return Finish(fd, probe, Probe::Result::kFailed);
  }
  if (!tcp && ::send(fd, "?", 1, MSG_NOSIGNAL) != 1) {
    probe->error = errno;
    Finish(fd, probe, Probe::Result::kFailed);
  }
}

void KernelTraffic::Finish(int fd, Probe* probe, Probe::Result result) {
  probe->result = result;
  if (!probe->silence_expected && expected_ > 0) --expected_;
  if (probe->keep && result == Probe::Result::kAnswered) {
    watched_[fd].probe = nullptr;
    return;
  }
  probe->fd = -1;
  Close(fd);
}

bool KernelTraffic::Step(int ms) {
  std::array<epoll_event, 256> events;
  const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), ms);
  for (int i = 0; i < count; ++i) {
    const int fd = events[static_cast<size_t>(i)].data.fd;
    const auto it = watched_.find(fd);
    if (it == watched_.end()) continue;
    switch (it->second.kind) {
      case Kind::kListener:
        OnListener(fd);
        break;
      case Kind::kServed:
        OnServed(fd);
        break;
      case Kind::kUdpServer:
        OnUdpServer(fd);
        break;
      case Kind::kProbe:
        if (it->second.probe != nullptr) {
          OnProbe(fd, it->second.probe, events[static_cast<size_t>(i)].events);
        }
        break;
    }
  }
  return count > 0;
}

void KernelTraffic::OnListener(int fd) {
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  const int served =
      ::accept4(fd, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (served < 0) return;
  sockaddr_in self{};
  size = sizeof self;
  ::getsockname(served, reinterpret_cast<sockaddr*>(&self), &size);
  const std::string text = WhoIs(FromSockaddr(self), FromSockaddr(peer));
  ::send(served, text.data(), text.size(), MSG_NOSIGNAL);
  Watch(served, EPOLLIN, {Kind::kServed});
}

void KernelTraffic::OnServed(int fd) {
  if (ReadText(fd).empty()) return Close(fd);
  sockaddr_in self{};
  sockaddr_in peer{};
  socklen_t size = sizeof self;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&self), &size);
  ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size);
  const std::string text = WhoIs(FromSockaddr(self), FromSockaddr(peer));
  ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

void KernelTraffic::OnUdpServer(int fd) {
  char data = 0;
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  if (::recvfrom(fd, &data, 1, 0, reinterpret_cast<sockaddr*>(&peer), &size) < 0) return;
  sockaddr_in self{};
  socklen_t self_size = sizeof self;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&self), &self_size);
  const std::string text = WhoIs(FromSockaddr(self), FromSockaddr(peer));
  ::sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&peer), size);
}

void KernelTraffic::OnProbe(int fd, Probe* probe, uint32_t events) {
  if ((events & EPOLLIN) != 0) {
    const std::string text = ReadText(fd);
    if (ParseWho(text, &probe->endpoint, &probe->seen)) {
      return Finish(fd, probe, Probe::Result::kAnswered);
    }
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  const bool icmp = (events & EPOLLERR) != 0 && CameAsIcmp(fd);
  if (error == 0 && !icmp) return;
  probe->error = error;
  if (icmp) return Finish(fd, probe, Probe::Result::kRejected);
  Finish(fd, probe, error == ECONNREFUSED ? Probe::Result::kReset : Probe::Result::kFailed);
}

SocketAddress KernelTraffic::AskAgain(const Probe& probe) {
  ReadText(probe.fd);
  ::send(probe.fd, "?", 1, MSG_NOSIGNAL);
  SocketAddress self{};
  SocketAddress peer{};
  for (int i = 0; i < 100; ++i) {
    Step(20);
    if (ParseWho(ReadText(probe.fd), &self, &peer)) return self;
  }
  return {};
}

}  // namespace kubemu
