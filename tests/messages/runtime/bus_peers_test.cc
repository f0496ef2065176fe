// Links between processes that are not the master's, and what forged frames can do to one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "messages/core/strings.h"
#include "messages/journal/journal.h"
#include "messages/runtime/bus_links.h"
#include "messages/runtime/zmq_endpoint.h"
#include "tests/messages/runtime/toy.h"

namespace kubemu {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

ProcessRuntime::Options OptionsOf(const std::string& process, uint64_t epoch = 1) {
  ProcessRuntime::Options options;
  options.process = process;
  options.epoch = epoch;
  return options;
}

// Tells its own bus where node-2 listens and sends a Ping there in the same step, as iptables does
// for the first connection to another node.
class Caller : public Component {
 public:
  Caller(Sightings* seen, std::string endpoint) : seen_(seen), endpoint_(std::move(endpoint)) {}
  void Receive(const Message& message, Env&) override { seen_->Add(message); }
  void Tick(Env& env) override {
    wake_ = kNever;
    bus::PeerEndpoint peer;
    peer.set_process("node-2");
    peer.set_endpoint(endpoint_);
    if (!endpoint_.empty()) env.outbox.Send("node-1/bus", peer);
    bus::Ping ping;
    ping.set_number(1);
    env.outbox.Send("node-2/pong", ping);
    env.outbox.Send("node-1/a", ping);  // to itself: tells the test that this step is done
  }
  Time NextWake() const override { return wake_; }

 private:
  Sightings* const seen_;
  const std::string endpoint_;
  Time wake_{};
};

class BusPeersTest : public testing::Test {
 protected:
  BusPeersTest() : journal_(fs::temp_directory_path() / StrCat("kubemu-bus-", ::getpid())) {
    fs::remove_all(journal_);
  }
  ~BusPeersTest() override { fs::remove_all(journal_); }

  // Of the process that was stopped.
  std::vector<bus::JournalRecord> Lost() {
    std::vector<bus::JournalRecord> records;
    for (const auto& entry : fs::recursive_directory_iterator(journal_)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string bytes(std::istreambuf_iterator<char>(in), {});
      std::string error;
      ReadJournal(bytes, &records, &error);
      EXPECT_EQ(error, "");
    }
    std::erase_if(records, [](const auto& r) { return r.event() != bus::JournalRecord::LOST; });
    return records;
  }

  const fs::path journal_;
  Sightings at_caller_;
  Sightings at_ponger_;
  Ponger ponger_{&at_ponger_};
};

TEST_F(BusPeersTest, TheFirstMessageToAPeerWaitsForItsConnection) {
  ToyProcess ponger(OptionsOf("node-2"), "node-2/pong", &ponger_);
  ASSERT_TRUE(ponger.Start().ok());
  Caller part(&at_caller_, ponger.addresses().endpoint);
  ToyProcess caller(OptionsOf("node-1"), "node-1/a", &part);
  ASSERT_TRUE(caller.Start().ok());
  ASSERT_TRUE(at_caller_.WaitForCount(bus::PONG, 1));
  EXPECT_THAT(at_caller_.Of(bus::LINK_UP), SizeIs(1));
  EXPECT_THAT(at_ponger_.Of(bus::LINK_UP), SizeIs(1));
}

TEST_F(BusPeersTest, AMessageToAProcessThatNobodyKnowsIsLostWithAReason) {
  Caller part(&at_caller_, "");
  ProcessRuntime::Options options = OptionsOf("node-1");
  options.journal_directory = journal_.string();
  ToyProcess caller(options, "node-1/a", &part);
  ASSERT_TRUE(caller.Start().ok());
  ASSERT_TRUE(at_caller_.WaitForCount(bus::PING, 1));
  caller.Stop();
  ASSERT_THAT(Lost(), SizeIs(1));
  EXPECT_EQ(Lost()[0].reason(), "no route to process node-2");
}

TEST_F(BusPeersTest, ThePeersEndIsToldToTheOther) {
  auto ponger = std::make_unique<ToyProcess>(OptionsOf("node-2"), "node-2/pong", &ponger_);
  ASSERT_TRUE(ponger->Start().ok());
  Caller part(&at_caller_, ponger->addresses().endpoint);
  ToyProcess caller(OptionsOf("node-1"), "node-1/a", &part);
  ASSERT_TRUE(caller.Start().ok());
  ASSERT_TRUE(at_caller_.WaitForCount(bus::PONG, 1));
  ponger.reset();
  ASSERT_TRUE(at_caller_.WaitForCount(bus::LINK_DOWN, 1));
  EXPECT_EQ(at_caller_.Of(bus::LINK_DOWN)[0].As<bus::LinkDown>().process(), "node-2");
}

// A sender of frames that are not what BusLinks would send.
class Forger : public ZmqEndpoint::Handler {
 public:
  explicit Forger(const std::string& endpoint) {
    auto bound = ZmqEndpoint::Bind("tcp://127.0.0.1:0", false, io_);
    socket_ = *std::move(bound);
    dealer_ = *socket_->Connect(endpoint, "forger");
    while (!connected_) Step();
  }
  void Send(const google::protobuf::MessageLite& frame) {
    EXPECT_EQ(socket_->Send(LinkId{dealer_, ""}, frame), ZmqEndpoint::SendResult::kSent);
  }
  // The next frame that comes back.
  bus::Frame Answer() {
    while (frames_.empty()) Step();
    bus::Frame frame = frames_.front();
    frames_.erase(frames_.begin());
    return frame;
  }
  static bus::Frame FrameOf(uint64_t sequence, const std::string& process, uint64_t epoch) {
    bus::Frame frame;
    frame.set_process(process);
    frame.set_epoch(epoch);
    frame.set_sequence(sequence);
    return frame;
  }
  static bus::Frame HelloOf(const std::string& process, uint64_t epoch, uint32_t version) {
    bus::Frame frame = FrameOf(1, process, epoch);
    bus::Hello hello;
    hello.set_process(process);
    hello.set_epoch(epoch);
    hello.set_protocol_version(version);
    bus::Envelope* envelope = frame.add_messages();
    envelope->set_kind(bus::HELLO);
    envelope->set_body(hello.SerializeAsString());
    return frame;
  }
  static bus::Frame PingOf(uint64_t sequence, const std::string& from, uint64_t number) {
    bus::Frame frame = FrameOf(sequence, "node-2", 5);
    bus::Ping ping;
    ping.set_number(number);
    bus::Envelope* envelope = frame.add_messages();
    envelope->set_from(from);
    envelope->set_to("master/pong");
    envelope->set_kind(bus::PING);
    envelope->set_body(ping.SerializeAsString());
    return frame;
  }

  void OnFrame(const LinkId&, std::string_view bytes) override {
    frames_.emplace_back();
    EXPECT_TRUE(frames_.back().ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  }
  void OnConnected(uint64_t) override { connected_ = true; }
  void OnDisconnected(uint64_t) override { ADD_FAILURE() << "the connection was closed"; }
  void OnRouterDisconnect() override {}

 private:
  void Step() {
    if (!socket_->Receive(100, *this)) io_.run_one_for(std::chrono::milliseconds(10));
  }

  boost::asio::io_context io_;
  std::unique_ptr<ZmqEndpoint> socket_;
  uint64_t dealer_ = 0;
  bool connected_ = false;
  std::vector<bus::Frame> frames_;
};

class ForgedFramesTest : public testing::Test {
 protected:
  ForgedFramesTest() {
    EXPECT_TRUE(master_.Start().ok());
    forger_ = std::make_unique<Forger>(master_.addresses().endpoint);
  }
  std::vector<uint64_t> Numbers() {
    std::vector<uint64_t> numbers;
    for (const Message& message : seen_.Of(bus::PING)) {
      numbers.push_back(message.As<bus::Ping>().number());
    }
    return numbers;
  }
  // After this, all that was sent before has been handled.
  void SendLast(uint64_t sequence) {
    forger_->Send(Forger::PingOf(sequence, "node-2/x", 99));
    ASSERT_TRUE(seen_.WaitFor([](const auto& messages) {
      return !messages.empty() && messages.back().kind == bus::PING &&
             messages.back().template As<bus::Ping>().number() == 99;
    }));
  }
  bus::Hello Answer() {
    const bus::Frame frame = forger_->Answer();
    bus::Hello hello;
    EXPECT_EQ(frame.messages(0).kind(), bus::HELLO);
    EXPECT_TRUE(hello.ParseFromString(frame.messages(0).body()));
    return hello;
  }

  Sightings seen_;
  Ponger part_{&seen_};
  ToyProcess master_{OptionsOf("master", 9), "master/pong", &part_};
  std::unique_ptr<Forger> forger_;
};

TEST_F(ForgedFramesTest, NothingCountsBeforeAHello) {
  forger_->Send(Forger::PingOf(1, "node-2/x", 1));
  forger_->Send(Forger::HelloOf("node-2", 5, BusLinks::kProtocolVersion));
  EXPECT_EQ(Answer().process(), "master");
  SendLast(2);
  EXPECT_THAT(Numbers(), testing::ElementsAre(99));
}

TEST_F(ForgedFramesTest, AnotherProtocolVersionIsRefusedWithAnAnswer) {
  forger_->Send(Forger::HelloOf("node-2", 5, BusLinks::kProtocolVersion + 1));
  EXPECT_THAT(Answer().refused(), HasSubstr("protocol version 2 of node-2 is not 1"));
  EXPECT_THAT(seen_.Of(bus::LINK_UP), IsEmpty());
}

TEST_F(ForgedFramesTest, TheNameOfTheProcessItselfIsTaken) {
  forger_->Send(Forger::HelloOf("master", 5, BusLinks::kProtocolVersion));
  EXPECT_THAT(Answer().refused(), HasSubstr("master is already taken"));
}

TEST_F(ForgedFramesTest, NobodyMaySpeakInTheNameOfAnother) {
  forger_->Send(Forger::HelloOf("node-2", 5, BusLinks::kProtocolVersion));
  Answer();
  forger_->Send(Forger::PingOf(2, "node-3/x", 1));
  forger_->Send(Forger::PingOf(3, "master/pong", 2));
  bus::Frame unknown_kind = Forger::PingOf(4, "node-2/x", 3);
  unknown_kind.mutable_messages(0)->set_kind(static_cast<bus::MessageKind>(12345));
  forger_->Send(unknown_kind);
  bus::Frame broken_body = Forger::PingOf(5, "node-2/x", 4);
  broken_body.mutable_messages(0)->set_body("\xff\xff\xff");
  forger_->Send(broken_body);
  bus::Frame broken_object = Forger::PingOf(6, "node-2/x", 5);
  broken_object.mutable_messages(0)->add_objects()->set_kind(77777);
  forger_->Send(broken_object);
  SendLast(7);
  EXPECT_THAT(Numbers(), testing::ElementsAre(99));
  EXPECT_THAT(seen_.Of(bus::LINK_DOWN), IsEmpty());
}

TEST_F(ForgedFramesTest, FramesOfAnotherEpochOrDoubledOnesHaveNoEffect) {
  forger_->Send(Forger::HelloOf("node-2", 5, BusLinks::kProtocolVersion));
  Answer();
  bus::Frame old = Forger::PingOf(2, "node-2/x", 1);
  old.set_epoch(4);
  forger_->Send(old);
  forger_->Send(Forger::PingOf(2, "node-2/x", 2));
  forger_->Send(Forger::PingOf(2, "node-2/x", 2));
  SendLast(3);
  EXPECT_THAT(Numbers(), testing::ElementsAre(2, 99));
}

TEST_F(ForgedFramesTest, AMissingFrameIsALinkThatWasDownForAMoment) {
  forger_->Send(Forger::HelloOf("node-2", 5, BusLinks::kProtocolVersion));
  Answer();
  forger_->Send(Forger::PingOf(2, "node-2/x", 1));
  SendLast(5);
  EXPECT_THAT(Numbers(), testing::ElementsAre(1, 99));
  ASSERT_THAT(seen_.Of(bus::LINK_DOWN), SizeIs(1));
  EXPECT_EQ(seen_.Of(bus::LINK_DOWN)[0].As<bus::LinkDown>().reason(), "2 frames were lost");
  EXPECT_THAT(seen_.Of(bus::LINK_UP), SizeIs(2));
}

TEST_F(ForgedFramesTest, AnotherMessageThanAFrameIsDropped) {
  bus::JournalRecord record;
  record.set_from(std::string(1000, 'x'));
  record.set_wall_ns(-1);
  forger_->Send(record);
  forger_->Send(Forger::HelloOf("node-2", 5, BusLinks::kProtocolVersion));
  EXPECT_EQ(Answer().refused(), "");
}

}  // namespace
}  // namespace kubemu
