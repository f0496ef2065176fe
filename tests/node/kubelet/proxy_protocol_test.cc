// The image kubemu/service with --proxy-protocol: who the client is comes with the connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/flow/proxy_header.h"
#include "tests/node/kubelet/flow_client.h"
#include "tests/node/kubelet/node_world.h"

namespace kubemu {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kProxiedGet[] = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";
constexpr SocketAddress kProxiedClient{Ipv4(203, 0, 113, 7), 4711};
constexpr SocketAddress kProxiedService{Ipv4(127, 2, 0, 1), 80};

class ProxyProtocol : public testing::Test {
 protected:
  void SetUp() override {
    world_.Run(1s);
    world_.AddPod(NodeWorld::MakePod("svc", "kubemu/service:1", {"--proxy-protocol"}));
    ASSERT_TRUE(world_.RunUntil(
        [&] { return world_.Pod("default/svc").status().phase() == "Running"; }, 1s));
  }
  NodeWorld world_;
};

TEST_F(ProxyProtocol, TheAnswerNamesTheClientOfTheHeader) {
  uint64_t flow = 0;
  for (const ProxyVersion version : {ProxyVersion::kV1, ProxyVersion::kV2}) {
    FlowClient client(world_, "default/svc", ++flow, 8080);
    client.Send(ProxyHeader(version, kProxiedClient, kProxiedService) + kProxiedGet);
    EXPECT_THAT(client.Received(),
                AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("\nclient: 203.0.113.7:4711\n")));
    client.Send(kProxiedGet);  // the header comes once only
    EXPECT_THAT(client.Received(), HasSubstr("client: 203.0.113.7:4711\nHTTP/1.1 200 OK"));
  }
}

TEST_F(ProxyProtocol, TheHeaderMayComeByteByByte) {
  FlowClient client(world_, "default/svc", 1, 8080);
  for (const char c :
       ProxyHeader(ProxyVersion::kV2, kProxiedClient, kProxiedService) + kProxiedGet) {
    client.Send(std::string(1, c));
  }
  EXPECT_THAT(client.Received(), HasSubstr("client: 203.0.113.7:4711\n"));
}

TEST_F(ProxyProtocol, AConnectionWithoutAHeaderIsReset) {
  FlowClient without(world_, "default/svc", 1, 8080);
  without.Send(kProxiedGet);
  EXPECT_EQ(without.Closed(), bus::FlowClose::RESET);
  FlowClient cut_short(world_, "default/svc", 2, 8080);
  cut_short.Send("PROXY TCP4 1.2", true);
  EXPECT_EQ(cut_short.Closed(), bus::FlowClose::RESET);
}

}  // namespace
}  // namespace kubemu
