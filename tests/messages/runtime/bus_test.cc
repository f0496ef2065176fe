#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "messages/core/ip.h"
#include "messages/core/strings.h"
#include "tests/messages/runtime/toy.h"

namespace kubemu {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

ProcessRuntime::Options MasterOptions(uint64_t epoch = 1) {
  ProcessRuntime::Options options;
  options.process = "master";
  options.epoch = epoch;
  return options;
}

ProcessRuntime::Options NodeOptions(const std::string& name, const ToyProcess& master,
                                    uint64_t epoch = 1) {
  ProcessRuntime::Options options;
  options.process = name;
  options.epoch = epoch;
  options.master = master.addresses().endpoint;
  return options;
}

// Sends raw bytes to a TCP port and closes the connection.
void SendGarbage(const std::string& endpoint, const std::string& bytes) {
  const auto address = SocketAddress::Parse(std::string_view(endpoint).substr(6));
  ASSERT_TRUE(address.ok());
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(address->ip.bits());
  to.sin_port = htons(address->port);
  ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  (void)::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  ::close(fd);
}

class BusTest : public testing::Test {
 protected:
  Sightings at_master_;
  Sightings at_node_;
  Ponger ponger_{&at_master_};
  Pinger pinger_{&at_node_, "master/pong", 100};
};

TEST_F(BusTest, TwoProcessesPingAndPongOverZeroMq) {
  ToyProcess master(MasterOptions(), "master/pong", &ponger_);
  ASSERT_TRUE(master.Start().ok());
  ToyProcess node(NodeOptions("node-1", master), "node-1/ping", &pinger_);
  ASSERT_TRUE(node.Start().ok());

  ASSERT_TRUE(at_node_.WaitForCount(bus::PONG, 100));

  const auto pings = at_master_.Of(bus::PING);
  ASSERT_THAT(pings, SizeIs(100));
  uint64_t lamport = 0;
  for (size_t i = 0; i < pings.size(); ++i) {
    EXPECT_EQ(pings[i].As<bus::Ping>().number(), i + 1);
    EXPECT_EQ(pings[i].from, "node-1/ping");
    EXPECT_GT(pings[i].lamport, lamport);
    lamport = pings[i].lamport;
    EXPECT_EQ(pings[i].trace.trace_id, pings[0].trace.trace_id);  // one cause, one trace
  }
  ASSERT_THAT(at_master_.Of(bus::LINK_UP), SizeIs(1));
  EXPECT_EQ(at_master_.Of(bus::LINK_UP)[0].As<bus::LinkUp>().process(), "node-1");
}

TEST_F(BusTest, ANodeStartedBeforeItsMasterFindsItLater) {
  std::string endpoint;
  {
    ToyProcess reserve(MasterOptions(), "master/pong", &ponger_);
    ASSERT_TRUE(reserve.Start().ok());
    endpoint = reserve.addresses().endpoint;
  }
  ProcessRuntime::Options options;
  options.process = "node-1";
  options.master = endpoint;
  ToyProcess node(options, "node-1/ping", &pinger_);
  ASSERT_TRUE(node.Start().ok());
  options = MasterOptions(2);
  options.endpoint = endpoint;
  ToyProcess master(options, "master/pong", &ponger_);
  ASSERT_TRUE(master.Start().ok());
  EXPECT_TRUE(at_node_.WaitForCount(bus::PONG, 100));
}

TEST_F(BusTest, ARestartedMasterIsANewEpochToItsNodes) {
  auto master = std::make_unique<ToyProcess>(MasterOptions(1), "master/pong", &ponger_);
  ASSERT_TRUE(master->Start().ok());
  ToyProcess node(NodeOptions("node-1", *master), "node-1/ping", &pinger_);
  ASSERT_TRUE(node.Start().ok());
  ASSERT_TRUE(at_node_.WaitForCount(bus::PONG, 100));
  ProcessRuntime::Options again = MasterOptions(2);
  again.endpoint = master->addresses().endpoint;

  master.reset();
  ASSERT_TRUE(at_node_.WaitForCount(bus::LINK_DOWN, 1));
  ToyProcess restarted(again, "master/pong", &ponger_);
  ASSERT_TRUE(restarted.Start().ok());

  ASSERT_TRUE(at_node_.WaitForCount(bus::PONG, 200));
  const auto ups = at_node_.Of(bus::LINK_UP);
  ASSERT_THAT(ups, SizeIs(2));
  EXPECT_EQ(ups[0].As<bus::LinkUp>().epoch(), 1u);
  EXPECT_EQ(ups[1].As<bus::LinkUp>().epoch(), 2u);
}

TEST_F(BusTest, ARestartedNodeIsTakenForTheNewOne) {
  ToyProcess master(MasterOptions(), "master/pong", &ponger_);
  ASSERT_TRUE(master.Start().ok());
  {
    ToyProcess node(NodeOptions("node-1", master, 1), "node-1/ping", &pinger_);
    ASSERT_TRUE(node.Start().ok());
    ASSERT_TRUE(at_node_.WaitForCount(bus::PONG, 100));
  }
  ToyProcess again(NodeOptions("node-1", master, 2), "node-1/ping", &pinger_);
  ASSERT_TRUE(again.Start().ok());
  ASSERT_TRUE(at_node_.WaitForCount(bus::PONG, 200));
  ASSERT_TRUE(at_master_.WaitForCount(bus::LINK_DOWN, 1));
  EXPECT_EQ(at_master_.Of(bus::LINK_UP).back().As<bus::LinkUp>().epoch(), 2u);
}

TEST_F(BusTest, ANameThatALiveProcessHoldsIsRefused) {
  ToyProcess master(MasterOptions(), "master/pong", &ponger_);
  ASSERT_TRUE(master.Start().ok());
  ToyProcess node(NodeOptions("node-2", master, 1), "node-2/ping", &pinger_);
  ASSERT_TRUE(node.Start().ok());
  ASSERT_TRUE(at_node_.WaitForCount(bus::PONG, 100));

  Sightings at_impostor;
  Pinger impostor_part(&at_impostor, "master/pong", 1);
  ToyProcess impostor(NodeOptions("node-2", master, 2), "node-2/ping", &impostor_part);
  ASSERT_TRUE(impostor.Start().ok());
  const absl::Status end = impostor.Join();

  EXPECT_FALSE(end.ok());
  EXPECT_THAT(std::string(end.message()), HasSubstr("process name node-2 is already taken"));
  EXPECT_THAT(at_impostor.Of(bus::LINK_UP), SizeIs(0));
  EXPECT_THAT(at_node_.Of(bus::LINK_DOWN), SizeIs(0));  // the holder noticed nothing
}

TEST_F(BusTest, GarbageOnThePortChangesNothing) {
  ToyProcess master(MasterOptions(), "master/pong", &ponger_);
  ASSERT_TRUE(master.Start().ok());
  const std::string& endpoint = master.addresses().endpoint;
  SendGarbage(endpoint, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  SendGarbage(endpoint, std::string(100000, '\xff'));
  SendGarbage(endpoint, std::string("\xff\0\0\0\0\0\0\0\x01\x7f\x03", 11));
  SendGarbage(endpoint, "");
  ToyProcess node(NodeOptions("node-1", master), "node-1/ping", &pinger_);
  ASSERT_TRUE(node.Start().ok());
  EXPECT_TRUE(at_node_.WaitForCount(bus::PONG, 100));
  EXPECT_THAT(at_master_.Of(bus::LINK_UP), SizeIs(1));
}

TEST_F(BusTest, ABusyPortIsAClearError) {
  ToyProcess master(MasterOptions(), "master/pong", &ponger_);
  ASSERT_TRUE(master.Start().ok());
  ProcessRuntime::Options options = MasterOptions(2);
  options.endpoint = master.addresses().endpoint;
  ToyProcess second(options, "master/pong", &ponger_);
  const absl::Status status = second.Start();
  EXPECT_THAT(std::string(status.message()), HasSubstr(options.endpoint));
  EXPECT_THAT(std::string(status.message()), HasSubstr("in use"));
}

TEST_F(BusTest, OnlyLoopbackAddressesWithoutInsecure) {
  ProcessRuntime::Options options = MasterOptions();
  options.endpoint = "tcp://0.0.0.0:0";
  ToyProcess master(options, "master/pong", &ponger_);
  const absl::Status status = master.Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--insecure"));
}

}  // namespace
}  // namespace kubemu
