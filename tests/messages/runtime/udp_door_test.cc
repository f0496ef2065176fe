#include "messages/runtime/udp_door.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "messages/core/ip.h"
#include "messages/core/strings.h"
#include "messages/proto/flow.pb.h"
#include "tests/messages/runtime/toy.h"

namespace kubemu {
namespace {

using testing::HasSubstr;

sockaddr_in ToSockaddr(SocketAddress address) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_addr.s_addr = htonl(address.ip.bits());
  result.sin_port = htons(address.port);
  return result;
}

// A UDP client: one socket, bound to an address of this machine.
class UdpClient {
 public:
  explicit UdpClient(Ipv4 ip = Ipv4(127, 0, 0, 1)) : fd_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    const sockaddr_in any = ToSockaddr({ip, 0});
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    const timeval limit{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~UdpClient() { ::close(fd_); }
  UdpClient(const UdpClient&) = delete;
  UdpClient& operator=(const UdpClient&) = delete;

  SocketAddress address() const {
    sockaddr_in own{};
    socklen_t size = sizeof own;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size);
    return {Ipv4(ntohl(own.sin_addr.s_addr)), ntohs(own.sin_port)};
  }
  void Send(SocketAddress to, const std::string& bytes) {
    const sockaddr_in address = ToSockaddr(to);
    EXPECT_EQ(::sendto(fd_, bytes.data(), bytes.size(), 0,
                       reinterpret_cast<const sockaddr*>(&address), sizeof address),
              static_cast<ssize_t>(bytes.size()));
  }
  // The next datagram and who sent it; "" after 10 s.
  std::string Read(SocketAddress* from) {
    std::string bytes(UdpDoor::kDatagramBytesMax, '\0');
    sockaddr_in sender{};
    socklen_t size = sizeof sender;
    const ssize_t got =
        ::recvfrom(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&sender), &size);
    *from = {Ipv4(ntohl(sender.sin_addr.s_addr)), ntohs(sender.sin_port)};
    bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return bytes;
  }

 private:
  int fd_;
};

// A UDP port of this machine that is free now.
uint16_t FreeUdpPort() {
  return UdpClient().address().port;
}

// Asks for the listeners it is given and sends every datagram back to its sender; "away" is sent to
// TEST-NET-3 instead, "close" ends the first listener.
class DatagramEcho : public Component {
 public:
  DatagramEcho(Sightings* seen, std::vector<SocketAddress> addresses)
      : seen_(seen), addresses_(std::move(addresses)) {}

  void Receive(const Message& message, Env& env) override {
    if (message.kind == bus::DATAGRAM) {
      const auto& datagram = message.As<bus::Datagram>();
      bus::Datagram answer;
      answer.set_protocol(bus::UDP);
      answer.set_source_ip(datagram.destination_ip());
      answer.set_source_port(datagram.destination_port());
      answer.set_destination_ip(datagram.source_ip());
      answer.set_destination_port(datagram.source_port());
      answer.set_data(datagram.data());
      if (datagram.data() == "away") answer.set_destination_ip(Ipv4(203, 0, 113, 1).bits());
      if (datagram.data() == "close") {
        bus::Unlisten unlisten;
        unlisten.set_ip(addresses_[0].ip.bits());
        unlisten.set_port(addresses_[0].port);
        unlisten.set_protocol(bus::UDP);
        env.outbox.Send("lb/door", unlisten);
      }
      env.outbox.Send(message.from, answer);
    }
    seen_->Add(message);
  }
  void Tick(Env& env) override {
    asked_ = true;
    for (const SocketAddress& address : addresses_) {
      bus::Listen listen;
      listen.set_ip(address.ip.bits());
      listen.set_port(address.port);
      listen.set_protocol(bus::UDP);
      env.outbox.Send("lb/door", listen);
    }
  }
  Time NextWake() const override { return asked_ ? kNever : Time{}; }

 private:
  Sightings* const seen_;
  const std::vector<SocketAddress> addresses_;
  bool asked_ = false;
};

class UdpDoorTest : public testing::Test {
 protected:
  void StartWith(std::vector<SocketAddress> addresses) {
    const size_t count = addresses.size();
    part_ = std::make_unique<DatagramEcho>(&seen_, std::move(addresses));
    ProcessRuntime::Options options;
    options.process = "lb";
    process_ = std::make_unique<ToyProcess>(options, "lb/echo", part_.get());
    ASSERT_TRUE(process_->Start().ok());
    ASSERT_TRUE(seen_.WaitForCount(bus::LISTEN_RESULT, count));
  }
  std::string ListenError(size_t which) {
    const auto results = seen_.Of(bus::LISTEN_RESULT);
    EXPECT_EQ(results[which].As<bus::ListenResult>().protocol(), bus::UDP);
    return results[which].As<bus::ListenResult>().error();
  }

  const SocketAddress address_{Ipv4(127, 0, 0, 1), FreeUdpPort()};
  Sightings seen_;
  std::unique_ptr<DatagramEcho> part_;
  std::unique_ptr<ToyProcess> process_;
};

TEST_F(UdpDoorTest, DatagramsGoInAndBackWithTheClientsAddress) {
  StartWith({address_});
  EXPECT_EQ(ListenError(0), "");
  UdpClient one;
  UdpClient two(Ipv4(127, 0, 0, 2));
  one.Send(address_, "from one");
  two.Send(address_, "from two");
  SocketAddress from;
  EXPECT_EQ(one.Read(&from), "from one");
  EXPECT_EQ(from, address_);
  EXPECT_EQ(two.Read(&from), "from two");
  const auto datagrams = seen_.Of(bus::DATAGRAM);
  ASSERT_EQ(datagrams.size(), 2u);
  EXPECT_EQ(datagrams[0].from, StrCat("internet/", one.address().ToString()));
  EXPECT_NE(datagrams[0].trace.trace_id, datagrams[1].trace.trace_id);
}

TEST_F(UdpDoorTest, EmptyAndLargestDatagramsPass) {
  StartWith({address_});
  UdpClient client;
  SocketAddress from;
  client.Send(address_, "");
  EXPECT_EQ(client.Read(&from), "");
  EXPECT_EQ(from, address_);
  const std::string large(UdpDoor::kDatagramBytesMax, 'x');
  client.Send(address_, large);
  EXPECT_EQ(client.Read(&from), large);
}

TEST_F(UdpDoorTest, OnlyLoopbackIsListenedOnAndSentTo) {
  StartWith({address_, {Ipv4(0, 0, 0, 0), address_.port}});
  EXPECT_EQ(ListenError(0), "");
  EXPECT_THAT(ListenError(1), HasSubstr("is not a loopback address"));
  UdpClient client;
  client.Send(address_, "away");  // its answer is lost in the door, not sent
  client.Send(address_, "here");
  SocketAddress from;
  EXPECT_EQ(client.Read(&from), "here");
}

TEST_F(UdpDoorTest, ABusyAddressIsAnErrorAndAFreedOneCanBeTaken) {
  auto holder = std::make_unique<UdpClient>();
  StartWith({address_, holder->address()});
  EXPECT_THAT(ListenError(1), HasSubstr("in use"));
  UdpClient client;
  client.Send(address_, "close");
  ASSERT_TRUE(seen_.WaitForCount(bus::DATAGRAM, 1));
  // Bound by somebody else now: the door has let go of it.
  bool bound = false;
  for (int i = 0; i < 1'000'000 && !bound; ++i) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    const sockaddr_in address = ToSockaddr(address_);
    bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
  }
  EXPECT_TRUE(bound);
}

}  // namespace
}  // namespace kubemu
