// How connections end when their server does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "tests/node/kubelet/flow_client.h"
#include "tests/node/kubelet/node_world.h"

namespace kubemu {
namespace {

using testing::HasSubstr;

constexpr char kRequest[] = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";

class GracefulEnd : public testing::Test {
 protected:
  void SetUp() override { world_.Run(1s); }
  void RunPod(k8s::core::v1::Pod pod) {
    world_.AddPod(pod);
    ASSERT_TRUE(world_.RunUntil(
        [&] { return world_.Pod("default/web").status().phase() == "Running"; }, 1s));
  }
  void RunService(std::vector<std::string> args) {
    RunPod(NodeWorld::MakePod("web", "kubemu/service:1", std::move(args)));
  }
  bool Gone() { return !world_.Exists("pods", "default/web"); }
  NodeWorld world_;
};

TEST_F(GracefulEnd, NginxClosesIdleConnectionsAndFinishesNothingElse) {
  RunPod(NodeWorld::MakePod("web", "nginx"));
  FlowClient idle(world_, "default/web", 1, 80);
  idle.Send(kRequest);
  world_.DeletePod("default/web", 30);
  world_.Run(100ms);
  EXPECT_TRUE(idle.Finished());
  EXPECT_NE(idle.Closed(), bus::FlowClose::RESET);
  EXPECT_TRUE(Gone());
}

TEST_F(GracefulEnd, ADrainingServiceAnswersWhatItIsAskedAndSaysClose) {
  RunService({"--on-term", "drain", "--delay", "2s"});
  FlowClient busy(world_, "default/web", 1, 8080);
  busy.Send(kRequest);
  world_.Run(100ms);
  world_.DeletePod("default/web", 30);
  world_.Run(100ms);
  FlowClient late(world_, "default/web", 2, 8080);
  EXPECT_EQ(late.Closed(), bus::FlowClose::REFUSED);
  EXPECT_EQ(busy.Received(), "");
  EXPECT_FALSE(Gone());
  world_.Run(2s);
  EXPECT_THAT(busy.Received(), HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(busy.Received(), HasSubstr("Connection: close"));
  EXPECT_TRUE(busy.Finished());
  EXPECT_TRUE(Gone());
}

TEST_F(GracefulEnd, AnIdleConnectionOfADrainingServiceMayAskOnceMore) {
  RunService({"--on-term", "drain"});
  FlowClient quick(world_, "default/web", 1, 8080);
  FlowClient silent(world_, "default/web", 2, 8080);
  quick.Send(kRequest);
  silent.Send(kRequest);
  world_.DeletePod("default/web", 30);
  world_.Run(500ms);
  EXPECT_FALSE(quick.Finished());
  quick.Send(kRequest);
  EXPECT_TRUE(quick.Finished());
  EXPECT_THAT(quick.Received(), HasSubstr("Connection: close"));
  EXPECT_FALSE(silent.Finished());
  world_.Run(600ms);
  EXPECT_TRUE(silent.Finished());
  EXPECT_TRUE(Gone());
}

TEST_F(GracefulEnd, AtTheEndOfTheGraceTheRestIsReset) {
  RunService({"--on-term", "drain", "--delay", "10s"});
  FlowClient busy(world_, "default/web", 1, 8080);
  busy.Send(kRequest);
  world_.DeletePod("default/web", 3);
  world_.Run(2900ms);
  EXPECT_EQ(busy.Closed(), bus::FlowClose::REASON_UNSPECIFIED);
  world_.Run(200ms);
  EXPECT_EQ(busy.Closed(), bus::FlowClose::RESET);
  EXPECT_TRUE(Gone());
}

TEST_F(GracefulEnd, AServiceThatExitsAtOnceCutsOffWhatIsInWork) {
  RunService({"--delay", "2s"});
  FlowClient busy(world_, "default/web", 1, 8080);
  busy.Send(kRequest);
  world_.DeletePod("default/web", 30);
  world_.Run(100ms);
  EXPECT_EQ(busy.Closed(), bus::FlowClose::RESET);
  EXPECT_TRUE(Gone());
}

TEST_F(GracefulEnd, AForcedDeletionResetsEvenWhatIsIdle) {
  RunPod(NodeWorld::MakePod("web", "nginx"));
  FlowClient idle(world_, "default/web", 1, 80);
  idle.Send(kRequest);
  world_.DeletePod("default/web", 0);
  world_.Run(100ms);
  EXPECT_EQ(idle.Closed(), bus::FlowClose::RESET);
}

TEST_F(GracefulEnd, AClientThatSaysNothingAtFirstGetsALittleTime) {
  RunPod(NodeWorld::MakePod("web", "nginx"));
  FlowClient fresh(world_, "default/web", 1, 80);
  world_.DeletePod("default/web", 30);
  world_.Run(4s);
  EXPECT_FALSE(fresh.Finished());
  fresh.Send(kRequest);
  EXPECT_THAT(fresh.Received(), HasSubstr("Connection: close"));
  world_.Run(100ms);
  EXPECT_TRUE(Gone());
}

}  // namespace
}  // namespace kubemu
