// What reaches the servers in pods, and what containers call.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "tests/node/kubelet/flow_client.h"
#include "tests/node/kubelet/node_world.h"

namespace kubemu {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";

size_t Count(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

class PodTraffic : public testing::Test {
 protected:
  void SetUp() override { world_.Run(1s); }
  void RunPod(const k8s::core::v1::Pod& pod) {
    world_.AddPod(pod);
    ASSERT_TRUE(world_.RunUntil(
        [&] {
          return world_.Pod("default/" + pod.metadata().name()).status().phase() == "Running";
        },
        1s));
  }
  void RunService(const std::string& name, std::vector<std::string> args) {
    RunPod(NodeWorld::MakePod(name, "kubemu/service:1", std::move(args)));
  }
  NodeWorld world_;
};

TEST_F(PodTraffic, TheAnswerNamesPodAndNode) {
  RunPod(NodeWorld::MakePod("web", "nginx:1.27"));
  FlowClient client(world_, "default/web", 1, 80);
  EXPECT_GT(client.Granted(), 0u);
  client.Send(kGet);
  EXPECT_THAT(client.Received(),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\nServer: nginx/1.27\r\n"),
                    HasSubstr("Content-Type: text/html"), HasSubstr("Connection: keep-alive"),
                    HasSubstr("Welcome to nginx!"),
                    HasSubstr("Answered by pod web (namespace default) on node node-1.")));
  EXPECT_FALSE(client.Finished());
}

TEST_F(PodTraffic, ARequestMayComeByteByByte) {
  RunPod(NodeWorld::MakePod("web", "nginx"));
  FlowClient client(world_, "default/web", 1, 80);
  for (const char c : std::string(kGet)) client.Send(std::string(1, c));
  EXPECT_EQ(Count(client.Received(), "HTTP/1.1 200"), 1u);
}

TEST_F(PodTraffic, PipelinedRequestsAreAnsweredInOrder) {
  RunService("svc", {"--delay", "10ms", "--answer", "yes"});
  FlowClient client(world_, "default/svc", 1, 8080);
  client.Send(StrCat("GET /a HTTP/1.1\r\n\r\n",
                     "POST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
                     "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                     "GET /d HTTP/1.1\r\nConnection: close\r\n\r\n"));
  EXPECT_THAT(client.Received(), IsEmpty());  // the delay
  world_.Run(10ms);
  EXPECT_EQ(Count(client.Received(), "HTTP/1.1 200"), 1u);
  world_.Run(40ms);
  EXPECT_EQ(Count(client.Received(), "HTTP/1.1 200"), 4u);
  EXPECT_TRUE(client.Finished());
}

TEST_F(PodTraffic, HeadHasNoBodyAndOtherPathsAreNotFound) {
  RunPod(NodeWorld::MakePod("web", "nginx"));
  FlowClient client(world_, "default/web", 1, 80);
  client.Send("HEAD / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.Received(), EndsWith("\r\n\r\n"));
  client.Send("GET /nothing HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.Received(), HasSubstr("HTTP/1.1 404 Not Found"));
}

TEST_F(PodTraffic, GarbageIsABadRequestAndTheEndOfTheConnection) {
  RunPod(NodeWorld::MakePod("web", "nginx"));
  const std::string garbage[] = {std::string("\x16\x03\x01\x02\x00", 5), "GET /\r\n\r\n",
                                 "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                                 "GET / HTTP/1.1\r\nno colon\r\n\r\n"};
  uint64_t flow = 1;
  for (const std::string& bytes : garbage) {
    FlowClient client(world_, "default/web", flow++, 80);
    client.Send(bytes);
    EXPECT_THAT(client.Received(), StartsWith("HTTP/1.1 400 Bad Request"));
    EXPECT_TRUE(client.Finished());
  }
  FlowClient endless(world_, "default/web", flow, 80);
  for (int i = 0; i < 20; ++i) endless.Send("X-Filler" + std::string(1000, 'a'));
  EXPECT_THAT(endless.Received(), StartsWith("HTTP/1.1 4"));
}

TEST_F(PodTraffic, RandomBytesNeverBreakIt) {
  RunPod(NodeWorld::MakePod("web", "nginx"));
  Random random(11);
  for (uint64_t flow = 1; flow < 300; ++flow) {
    FlowClient client(world_, "default/web", flow, 80);
    std::string bytes = kGet;
    for (int i = 0; i < 5; ++i)
      bytes[random.Uniform(bytes.size())] = static_cast<char>(random.Next());
    client.Send(bytes, true);
    const std::string answer = client.Received();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 ")) << answer;
  }
}

TEST_F(PodTraffic, AnAnswerWaitsForCredit) {
  RunService("svc", {});
  FlowClient client(world_, "default/svc", 1, 8080, 10);
  client.Send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.Received().size(), 10u);
  client.Grant(20);
  EXPECT_EQ(client.Received().size(), 30u);
  client.Grant(100'000);
  EXPECT_EQ(Count(client.Received(), "HTTP/1.1 200"), 2u);
}

TEST_F(PodTraffic, ALongBodyIsReadPastAndItsCreditGivenBack) {
  RunService("svc", {});
  FlowClient client(world_, "default/svc", 1, 8080);
  client.Send("POST / HTTP/1.1\r\nContent-Length: 500000\r\n\r\n");
  for (int i = 0; i < 10; ++i) client.Send(std::string(50'000, 'x'));
  EXPECT_THAT(client.Received(), StartsWith("HTTP/1.1 200"));
  EXPECT_GE(client.Granted(), 500'000u);
}

TEST_F(PodTraffic, LostDataResetsTheConnection) {
  RunService("svc", {});
  FlowClient client(world_, "default/svc", 1, 8080);
  client.Send("GET / HT");
  client.Skip(3);
  client.Send("1.1\r\n\r\n");
  EXPECT_EQ(client.Closed(), bus::FlowClose::RESET);
}

TEST_F(PodTraffic, APortNobodyListensOnIsRefused) {
  RunPod(NodeWorld::MakePod("web", "nginx"));
  EXPECT_EQ(FlowClient(world_, "default/web", 1, 81).Closed(), bus::FlowClose::REFUSED);
  EXPECT_EQ(FlowClient(world_, "default/nobody", 2, 80).Closed(), bus::FlowClose::UNREACHABLE);
}

TEST_F(PodTraffic, TheEndOfAContainerResetsItsConnections) {
  RunPod(NodeWorld::MakePod("web", "nginx"));
  FlowClient client(world_, "default/web", 1, 80);
  client.Send(kGet);
  world_.Remove("pods", "default/web");
  world_.Run(1s);
  EXPECT_EQ(client.Closed(), bus::FlowClose::RESET);
}

TEST_F(PodTraffic, AnIdleConnectionIsClosedAfterAWhile) {
  RunPod(NodeWorld::MakePod("web", "nginx"));
  FlowClient client(world_, "default/web", 1, 80);
  client.Send(kGet);
  world_.Run(70s);
  EXPECT_FALSE(client.Finished());
  world_.Run(25s);
  EXPECT_TRUE(client.Finished());
}

TEST_F(PodTraffic, APlainListenerSendsBackWhatItGets) {
  RunPod(NodeWorld::MakePod("cache", "redis:7"));
  FlowClient client(world_, "default/cache", 1, 6379, 4);
  client.Send("PING\r\n");
  EXPECT_EQ(client.Received(), "PING");
  client.Grant(100);
  EXPECT_EQ(client.Received(), "PING\r\n");
  client.Send("", true);
  EXPECT_TRUE(client.Finished());
}

TEST_F(PodTraffic, FailsAsOftenAsItIsTold) {
  RunService("svc", {"--fail", "0.25"});
  FlowClient client(world_, "default/svc", 1, 8080);
  for (int i = 0; i < 400; ++i) client.Send("GET / HTTP/1.1\r\n\r\n");
  const size_t failed = Count(client.Received(), "HTTP/1.1 500");
  EXPECT_GT(failed, 60u);
  EXPECT_LT(failed, 140u);
}

// An API container asks an auth container beside it.
k8s::core::v1::Pod ApiWithAuth() {
  k8s::core::v1::Pod pod = NodeWorld::MakePod(
      "api", "kubemu/service", {"--answer", "api", "--call", "http://localhost:9000/check"});
  auto* auth = pod.mutable_spec()->add_containers();
  auth->set_name("auth");
  auth->set_image("kubemu/service");
  for (const char* arg : {"--listen", "127.0.0.1:9000", "--answer", "allowed"}) auth->add_args(arg);
  return pod;
}

TEST_F(PodTraffic, ContainersOfOnePodReachEachOtherOverLocalhost) {
  RunPod(ApiWithAuth());
  FlowClient client(world_, "default/api", 1, 8080);
  client.Send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.Received(),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("api\npod: api\nnode: node-1\n"),
                    HasSubstr("call http://localhost:9000/check -> 200\n  allowed\n")));
}

TEST_F(PodTraffic, AnotherPodsLocalhostIsOutOfReach) {
  RunPod(ApiWithAuth());
  // Neither from outside the pod ...
  EXPECT_EQ(FlowClient(world_, "default/api", 1, 9000).Closed(), bus::FlowClose::REFUSED);
  // ... nor from a neighbour, whose own localhost has no such port.
  RunService("other", {"--call", "http://localhost:9000/check"});
  FlowClient client(world_, "default/other", 2, 8080);
  client.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.Received(),
              AllOf(StartsWith("HTTP/1.1 502"), HasSubstr("-> connection refused")));
}

TEST_F(PodTraffic, OtherDestinationsLeaveThroughIptablesWithThePodsAddress) {
  RunService("caller", {"--call", "http://10.96.0.10:80/x"});
  FlowClient client(world_, "default/caller", 1, 8080);
  world_.iptables().clear();
  client.Send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_FALSE(world_.iptables().empty());
  const Message& first = world_.iptables()[0].message;
  ASSERT_EQ(first.kind, bus::FLOW_OPEN);
  EXPECT_EQ(first.from, "node-1/pod/default/caller");
  EXPECT_EQ(first.As<bus::FlowOpen>().source_ip(), Ipv4(10, 244, 1, 2).bits());
  EXPECT_EQ(first.As<bus::FlowOpen>().destination_port(), 80u);
  world_.Run(11s);  // nobody answers
  EXPECT_THAT(client.Received(), HasSubstr("connection timed out"));
}

TEST_F(PodTraffic, TwoContainersCannotListenOnOnePort) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("twice", "nginx");
  *pod.mutable_spec()->add_containers() = pod.spec().containers(0);
  pod.mutable_spec()->mutable_containers(1)->set_name("d");
  world_.AddPod(pod);
  world_.Run(1s);
  EXPECT_EQ(world_.Pod("default/twice")
                .status()
                .container_statuses(1)
                .last_state()
                .terminated()
                .exit_code(),
            1);
}

TEST_F(PodTraffic, IptablesLearnsWhichAddressLeadsToWhichPod) {
  world_.iptables().clear();
  RunPod(NodeWorld::MakePod("web", "nginx"));
  ASSERT_FALSE(world_.iptables().empty());
  const auto& update = world_.iptables()[0].message.As<bus::PodNetworkUpdate>();
  EXPECT_EQ(update.ip(), Ipv4(10, 244, 1, 2).bits());
  EXPECT_EQ(update.address(), "node-1/pod/default/web");
}

TEST_F(PodTraffic, AHostNetworkPodHasTheNodesAddressAndTellsItsPorts) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("host", "nginx");
  pod.mutable_spec()->set_host_network(true);
  world_.iptables().clear();
  RunPod(pod);
  EXPECT_EQ(world_.Pod("default/host").status().pod_ip(), "127.1.0.1");
  const auto& update = world_.iptables().back().message.As<bus::PodNetworkUpdate>();
  EXPECT_TRUE(update.host_network());
  EXPECT_THAT(update.ports(), testing::ElementsAre(80));
}

}  // namespace
}  // namespace kubemu
