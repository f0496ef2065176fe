// The same ends are reached over a bus that loses, doubles and delays messages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "tests/node/kubelet/node_world.h"

namespace kubemu {
namespace {

class KubeletFaults : public testing::TestWithParam<int> {
 protected:
  KubeletFaults() : world_({.seed = static_cast<uint64_t>(GetParam())}) {
    world_.Run(1s);
    FaultRule rule;
    rule.id = "storm";
    rule.loss = 0.2;
    rule.duplicate = 0.2;
    rule.delay = 2ms;
    rule.jitter = 2ms;
    world_.process().faults().Set({rule});
    world_.settings().loss = 0.2;
  }
  void Calm() {
    world_.process().faults().Set({});
    world_.settings().loss = 0;
  }
  bool All(const std::function<bool(const k8s::core::v1::Pod&)>& check) {
    for (int i = 0; i < kPods; ++i) {
      if (!check(world_.Pod(StrCat("default/p", i)))) return false;
    }
    return true;
  }

  static constexpr int kPods = 10;
  NodeWorld world_;
};

TEST_P(KubeletFaults, PodsRunAndEnd) {
  for (int i = 0; i < kPods; ++i) world_.AddPod(NodeWorld::MakePod(StrCat("p", i), "nginx:1.27"));
  EXPECT_TRUE(world_.RunUntil(
      [&] {
        return All([](const auto& pod) {
          return pod.status().phase() == "Running" && pod.status().container_statuses(0).ready();
        });
      },
      300s));
  for (int i = 0; i < kPods; ++i) world_.DeletePod(StrCat("default/p", i), 30);
  EXPECT_TRUE(world_.RunUntil(
      [&] { return All([](const auto& pod) { return pod.metadata().name().empty(); }); }, 300s));
  Calm();
  // The names are free again too.
  world_.Run(60s);
  world_.AddPod(NodeWorld::MakePod("p0", "nginx:1.27"));
  EXPECT_TRUE(
      world_.RunUntil([&] { return world_.Pod("default/p0").status().phase() == "Running"; }, 60s));
}

TEST_P(KubeletFaults, AnExitThatWasNotHeardIsFoundOut) {
  for (int i = 0; i < kPods; ++i) {
    k8s::core::v1::Pod pod = NodeWorld::MakePod(StrCat("p", i), "busybox:1", {"sleep", "20"});
    pod.mutable_spec()->set_restart_policy("Never");
    world_.AddPod(pod);
  }
  EXPECT_TRUE(world_.RunUntil(
      [&] { return All([](const auto& pod) { return pod.status().phase() == "Succeeded"; }); },
      300s));
}

INSTANTIATE_TEST_SUITE_P(Seeds, KubeletFaults, testing::Range(1, 9));

}  // namespace
}  // namespace kubemu
