#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "messages/core/ip.h"
#include "messages/core/strings.h"
#include "messages/proto/flow.pb.h"
#include "messages/runtime/tcp_door.h"
#include "tests/messages/runtime/raw_client.h"
#include "tests/messages/runtime/toy.h"

namespace kubemu {
namespace {

using testing::HasSubstr;

// Listens on one address and echoes every connection's bytes as far as the client gives credit.
// A line "reset" resets the connection, "done" closes it, "refuse" never gets credit to send more.
class EchoPart : public Component {
 public:
  EchoPart(Sightings* seen, SocketAddress address, uint32_t window)
      : seen_(seen), address_(address), window_(window) {}

  void Receive(const Message& message, Env& env) override {
    seen_->Add(message);
    if (message.kind == bus::FLOW_OPEN) return Open(message, env);
    if (message.kind == bus::FLOW_CREDIT) {
      const auto& credit = message.As<bus::FlowCredit>();
      Flow& flow = flows_[credit.flow()];
      flow.credit += credit.bytes();
      return Send(credit.flow(), flow, env);
    }
    if (message.kind != bus::FLOW_DATA) return;
    const auto& data = message.As<bus::FlowData>();
    Flow& flow = flows_[data.flow()];
    EXPECT_EQ(data.offset(), flow.received);
    flow.received += data.data().size();
    flow.fin = data.fin();
    if (data.data() == "reset\n") return Close(data.flow(), bus::FlowClose::RESET, env);
    if (data.data() == "done\n") return Close(data.flow(), bus::FlowClose::DONE, env);
    flow.unsent += data.data();
    Send(data.flow(), flow, env);
  }
  void Tick(Env& env) override {
    asked_ = true;
    bus::Listen listen;
    listen.set_ip(address_.ip.bits());
    listen.set_port(address_.port);
    env.outbox.Send("lb/door", listen);
  }
  Time NextWake() const override { return asked_ ? kNever : Time{}; }

 private:
  struct Flow {
    std::string peer;
    uint64_t credit = 0;
    uint64_t received = 0;
    uint64_t sent = 0;
    std::string unsent;
    bool fin = false;
  };

  void Open(const Message& message, Env& env) {
    const auto& open = message.As<bus::FlowOpen>();
    Flow& flow = flows_[open.flow()];
    flow.peer = message.from;
    flow.credit = open.credit();
    Grant(open.flow(), flow, window_, env);
  }
  void Grant(uint64_t number, const Flow& flow, uint32_t bytes, Env& env) {
    bus::FlowCredit credit;
    credit.set_flow(number);
    credit.set_reply(true);
    credit.set_bytes(bytes);
    env.outbox.Send(flow.peer, credit);
  }
  void Send(uint64_t number, Flow& flow, Env& env) {
    const size_t size = std::min<size_t>(flow.credit, flow.unsent.size());
    const bool fin = flow.fin && size == flow.unsent.size();
    if (size == 0 && !fin) return;
    bus::FlowData data;
    data.set_flow(number);
    data.set_reply(true);
    data.set_offset(flow.sent);
    data.set_data(flow.unsent.substr(0, size));
    data.set_fin(fin);
    flow.unsent.erase(0, size);
    flow.sent += size;
    flow.credit -= size;
    env.outbox.Send(flow.peer, data);
    if (size > 0) Grant(number, flow, static_cast<uint32_t>(size), env);
  }
  void Close(uint64_t number, bus::FlowClose::Reason reason, Env& env) {
    bus::FlowClose close;
    close.set_flow(number);
    close.set_reply(true);
    close.set_reason(reason);
    env.outbox.Send(flows_[number].peer, close);
  }

  Sightings* const seen_;
  const SocketAddress address_;
  const uint32_t window_;
  bool asked_ = false;
  std::map<uint64_t, Flow> flows_;
};

// A port of this machine that nobody listens on.
uint16_t FreePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

class TcpDoorTest : public testing::Test {
 protected:
  void SetUp() override {
    ProcessRuntime::Options options;
    options.process = "lb";
    process_ = std::make_unique<ToyProcess>(options, "lb/echo", &part_);
    ASSERT_TRUE(process_->Start().ok());
    ASSERT_TRUE(seen_.WaitForCount(bus::LISTEN_RESULT, 1));
    ASSERT_EQ(seen_.Of(bus::LISTEN_RESULT)[0].As<bus::ListenResult>().error(), "");
  }
  bus::FlowClose::Reason CloseReason() {
    EXPECT_TRUE(seen_.WaitForCount(bus::FLOW_CLOSE, 1));
    return seen_.Of(bus::FLOW_CLOSE)[0].As<bus::FlowClose>().reason();
  }

  const SocketAddress address_{Ipv4(127, 0, 0, 1), FreePort()};
  Sightings seen_;
  EchoPart part_{&seen_, address_, 16 * 1024};
  std::unique_ptr<ToyProcess> process_;
};

TEST_F(TcpDoorTest, EchoesWithTheClientsAddressInTheFlow) {
  RawClient client(address_.ToString());
  ASSERT_TRUE(client.Send("hello"));
  EXPECT_EQ(client.ReadBytes(5), "hello");
  const auto opens = seen_.Of(bus::FLOW_OPEN);
  ASSERT_EQ(opens.size(), 1u);
  const auto& open = opens[0].As<bus::FlowOpen>();
  EXPECT_EQ(open.destination_port(), address_.port);
  EXPECT_EQ(opens[0].from, StrCat("internet/127.0.0.1:", open.source_port()));
  EXPECT_EQ(seen_.Of(bus::FLOW_DATA)[0].trace.trace_id, opens[0].trace.trace_id);
}

TEST_F(TcpDoorTest, AHalfClosedConnectionIsAnsweredToItsEnd) {
  RawClient client(address_.ToString());
  client.Send("last words");
  client.FinishSending();
  EXPECT_EQ(client.ReadAll(), "last words");
  EXPECT_TRUE(client.finished());
  EXPECT_FALSE(client.was_reset());
}

TEST_F(TcpDoorTest, NeverMoreIsOnItsWayThanThereIsCreditFor) {
  RawClient client(address_.ToString());
  const std::string bytes(4 << 20, 'x');
  std::thread sender([&] { client.Send(bytes); });
  // Nothing is read before the part cannot send any more: its credit is used up.
  ASSERT_TRUE(seen_.WaitFor([](const std::vector<Message>& messages) {
    uint64_t taken = 0;
    for (const Message& message : messages) {
      if (message.kind == bus::FLOW_DATA) taken += message.As<bus::FlowData>().data().size();
    }
    return taken > TcpDoor::kFlowWindowMax;
  }));
  EXPECT_EQ(client.ReadBytes(bytes.size()), bytes);
  sender.join();
  for (const Message& message : seen_.Of(bus::FLOW_DATA)) {
    EXPECT_LE(message.As<bus::FlowData>().data().size(), 16u * 1024);
  }
}

TEST_F(TcpDoorTest, AResetOfTheClientReachesThePart) {
  RawClient client(address_.ToString());
  client.Send("x");
  client.ReadBytes(1);
  client.Reset();
  EXPECT_EQ(CloseReason(), bus::FlowClose::RESET);
}

TEST_F(TcpDoorTest, AResetOfThePartReachesTheClient) {
  RawClient client(address_.ToString());
  client.Send("reset\n");
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_TRUE(client.was_reset());
}

TEST_F(TcpDoorTest, AFlowThatIsDoneIsAClosedConnection) {
  RawClient client(address_.ToString());
  client.Send("done\n");
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_TRUE(client.finished());
}

TEST_F(TcpDoorTest, ABusyAddressIsAnErrorInTheListenResult) {
  Sightings seen;
  EchoPart other(&seen, address_, 1024);
  ProcessRuntime::Options options;
  options.process = "lb";
  ToyProcess second(options, "lb/echo", &other);
  ASSERT_TRUE(second.Start().ok());
  ASSERT_TRUE(seen.WaitForCount(bus::LISTEN_RESULT, 1));
  const std::string error = seen.Of(bus::LISTEN_RESULT)[0].As<bus::ListenResult>().error();
  EXPECT_THAT(error, HasSubstr(address_.ToString()));
  EXPECT_THAT(error, HasSubstr("in use"));
}

}  // namespace
}  // namespace kubemu
