// The kubelet and its Node object: registration, conditions, status, lease.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/api/labels.h"
#include "tests/node/kubelet/node_world.h"

namespace kubemu {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::SizeIs;

std::string ConditionText(const k8s::core::v1::Node& node, const std::string& type) {
  for (const auto& condition : node.status().conditions()) {
    if (condition.type() == type) {
      return condition.status() + " " + condition.reason() + ": " + condition.message();
    }
  }
  return "none";
}

bool Ready(const NodeWorld& world) {
  return ConditionText(world.Node(), "Ready").starts_with("True");
}

TEST(KubeletNode, RegistersAndIsReadyAtOnce) {
  NodeWorld world;
  EXPECT_TRUE(world.RunUntil([&] { return Ready(world); }, 100ms));
  const k8s::core::v1::Node node = world.Node();
  EXPECT_EQ(*FindEntry(node.metadata().labels(), "kubernetes.io/hostname"), "node-1");
  EXPECT_EQ(*FindEntry(node.metadata().annotations(), "kubemu.io/endpoint"),
            "tcp://127.1.0.1:7200");
  ASSERT_THAT(node.status().addresses(), SizeIs(2));
  EXPECT_EQ(node.status().addresses(0).type(), "InternalIP");
  EXPECT_EQ(node.status().addresses(0).address(), "127.1.0.1");
  std::vector<std::string> types;
  for (const auto& condition : node.status().conditions()) types.push_back(condition.type());
  EXPECT_THAT(types, ElementsAre("MemoryPressure", "DiskPressure", "PIDPressure", "Ready"));
  EXPECT_EQ(ConditionText(node, "Ready"), "True KubeletReady: kubelet is posting ready status");
  EXPECT_EQ(node.status().node_info().container_runtime_version(), "kubemu://0.1.0");
  EXPECT_THAT(world.Events("node-1"), Contains("NodeReady: Node node-1 status is now: NodeReady"));
}

TEST(KubeletNode, WithoutAddressRangeItIsNotReady) {
  NodeWorld world({.gives_cidr = false});
  world.Run(1s);
  EXPECT_THAT(ConditionText(world.Node(), "Ready"),
              testing::StartsWith("False KubeletNotReady: container runtime network not ready"));
}

TEST(KubeletNode, ARefusalIsToldToWhoeverRunsTheProcess) {
  NodeWorld world({.answers = false});
  world.RunUntil([&] { return !world.TimesOf("nodes", bus::CREATE).empty(); }, 1s);
  EXPECT_EQ(world.kubelet().TakeComplaint(), "");
  for (const NodeWorld::Seen& seen : world.calls()) {
    const auto& request = seen.message.As<bus::ApiRequest>();
    if (request.verb() != bus::CREATE) continue;
    bus::ApiResponse response;
    response.set_request(request.request());
    response.set_code(422);
    response.set_reason("Invalid");
    response.set_message("metadata.labels: Invalid value");
    world.Send("master/apiserver", "node-1/kubelet", response);
  }
  world.Run(Duration{});
  EXPECT_EQ(world.kubelet().TakeComplaint(),
            "the API server refuses to register node node-1 (422 Invalid): "
            "metadata.labels: Invalid value");
  EXPECT_EQ(world.kubelet().TakeComplaint(), "");
}

TEST(KubeletNode, RegistrationIsTriedAgainWithGrowingPauses) {
  NodeWorld world({.answers = false});
  world.Run(60s);
  const std::vector<Time> tries = world.TimesOf("nodes", bus::CREATE);
  ASSERT_GE(tries.size(), 4u);  // each takes 10 s to time out
  EXPECT_EQ(tries[1] - tries[0], 10s + 100ms);
  EXPECT_EQ(tries[2] - tries[1], 10s + 200ms);
  EXPECT_EQ(tries[3] - tries[2], 10s + 400ms);
  world.settings().answers = true;
  EXPECT_TRUE(world.RunUntil([&] { return Ready(world); }, 30s));
}

TEST(KubeletNode, TakesOverTheNodeOfAnEarlierRun) {
  NodeWorld world;
  world.Run(1s);
  k8s::core::v1::Node node = world.Node();
  EraseEntry(node.mutable_metadata()->mutable_annotations(), "kubemu.io/endpoint");
  SetEntry(node.mutable_metadata()->mutable_labels(), "disk", "ssd");
  world.Put(Object::From(node));
  world.RestartNode();
  EXPECT_TRUE(world.RunUntil(
      [&] {
        return FindEntry(world.Node().metadata().annotations(), "kubemu.io/endpoint") != nullptr;
      },
      1s));
  EXPECT_NE(FindEntry(world.Node().metadata().labels(), "disk"), nullptr);
  EXPECT_EQ(world.Node().metadata().uid(), node.metadata().uid());
}

TEST(KubeletNode, RenewsItsLeaseEveryTenSecondsWithAtMostFourPercentMore) {
  NodeWorld world;
  world.Run(120s);
  std::vector<Time> times = world.TimesOf("leases", bus::CREATE);
  ASSERT_THAT(times, SizeIs(1));
  for (const Time at : world.TimesOf("leases", bus::UPDATE)) times.push_back(at);
  ASSERT_GE(times.size(), 11u);
  for (size_t i = 1; i < times.size(); ++i) {
    EXPECT_GE(times[i] - times[i - 1], 10s);
    EXPECT_LE(times[i] - times[i - 1], 10'400ms);
  }
}

TEST(KubeletNode, AnUnchangedStatusIsReportedOnlyEveryFiveMinutes) {
  NodeWorld world;
  world.Run(2s);
  const int before = world.StatusWrites("node-1");
  world.Run(280s);
  EXPECT_EQ(world.StatusWrites("node-1"), before);
  world.Run(40s);
  EXPECT_EQ(world.StatusWrites("node-1"), before + 1);
}

TEST(KubeletNode, EngineDownMakesItNotReadyAndBackReady) {
  NodeWorld world;
  world.Run(1s);
  bus::EngineControl control;
  control.set_down(true);
  world.Send("lab", "node-1/engine", control);
  EXPECT_TRUE(world.RunUntil([&] { return !Ready(world); }, 36s));
  EXPECT_EQ(ConditionText(world.Node(), "Ready"),
            "False KubeletNotReady: container runtime is down");
  EXPECT_THAT(world.Events("node-1"),
              Contains("NodeNotReady: Node node-1 status is now: NodeNotReady"));
  control.set_down(false);
  world.Send("lab", "node-1/engine", control);
  EXPECT_TRUE(world.RunUntil([&] { return Ready(world); }, 8s));
}

TEST(KubeletNode, CorrectsWhatOthersWroteIntoItsConditions) {
  NodeWorld world;
  world.Run(1s);
  k8s::core::v1::Node node = world.Node();
  for (auto& condition : *node.mutable_status()->mutable_conditions()) {
    condition.set_status("Unknown");
  }
  world.Put(Object::From(node));
  EXPECT_TRUE(world.RunUntil([&] { return Ready(world); }, 100ms));
}

TEST(KubeletNode, RegistersAgainWithAMasterThatLostItsStore) {
  NodeWorld world;
  world.Run(1s);
  world.Remove("nodes", "node-1");
  bus::LinkUp up;
  up.set_process("master");
  up.set_epoch(2);
  world.Send("node-1/bus", "node-1/kubelet", up);
  EXPECT_TRUE(world.RunUntil([&] { return Ready(world); }, 5s));
}

}  // namespace
}  // namespace kubemu
