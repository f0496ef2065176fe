#include "master/controllers/node_lifecycle_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/controllers/conditions.h"
#include "master/controllers/node_taints.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "tests/master/controllers/api_harness.h"
#include "tests/master/controllers/test_objects.h"

namespace kubemu {
namespace {

using k8s::coordination::v1::Lease;
using k8s::core::v1::Node;
using k8s::core::v1::Pod;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class NodeLifecycleTest : public ::testing::Test {
 protected:
  void Renew(const std::string& node) {
    Lease lease;
    lease.mutable_metadata()->set_namespace_("kube-node-lease");
    lease.mutable_metadata()->set_name(node);
    lease.mutable_spec()->mutable_renew_time()->set_seconds(++renewals_);
    api_.Put(lease);
  }
  // Time goes by while these nodes renew their leases.
  void Live(Duration duration, const std::vector<std::string>& alive) {
    for (Duration done{}; done < duration; done += 10s) {
      for (const std::string& node : alive) Renew(node);
      api_.Advance(10s);
    }
  }
  Node Find(const std::string& name) { return api_.Find(KindOf<Node>(), name).As<Node>(); }
  std::vector<std::string> Taints(const std::string& name) {
    std::vector<std::string> taints;
    const Node node = Find(name);
    for (const auto& taint : node.spec().taints()) {
      taints.push_back(StrCat(taint.key().substr(taint.key().find('/') + 1), ":", taint.effect()));
    }
    return taints;
  }

  NodeLifecycleController controller_;
  ApiHarness api_{&controller_};
  int64_t renewals_ = 0;
};

TEST_F(NodeLifecycleTest, ANodeWithoutHeartbeatBecomesUnknownAfterTheGrace) {
  for (const char* name : {"node-1", "node-2"}) api_.Put(MakeNode(name));
  Live(30s, {"node-1", "node-2"});
  EXPECT_EQ(ReadyStatus(Find("node-2")), "True");
  Live(30s, {"node-1"});
  EXPECT_EQ(ReadyStatus(Find("node-2")), "True");
  Live(20s, {"node-1"});
  const Node node = Find("node-2");
  const auto* ready = FindCondition(node.status().conditions(), "Ready");
  EXPECT_EQ(ready->status(), "Unknown");
  EXPECT_EQ(ready->reason(), "NodeStatusUnknown");
  EXPECT_EQ(ready->message(), "Kubelet stopped posting node status.");
  EXPECT_EQ(FindCondition(node.status().conditions(), "DiskPressure")->reason(),
            "NodeStatusNeverUpdated");
  EXPECT_EQ(ReadyStatus(Find("node-1")), "True");
}

TEST_F(NodeLifecycleTest, AnUnreachableNodeIsTaintedAndFreedWhenItIsBack) {
  for (const char* name : {"node-1", "node-2", "node-3"}) api_.Put(MakeNode(name));
  Live(60s, {"node-1", "node-2"});
  EXPECT_THAT(Taints("node-3"),
              UnorderedElementsAre("unreachable:NoSchedule", "unreachable:NoExecute"));
  EXPECT_THAT(Taints("node-1"), IsEmpty());
  Node back = Find("node-3");
  for (auto& condition : *back.mutable_status()->mutable_conditions()) {
    condition.set_status(condition.type() == "Ready" ? "True" : "False");
    condition.mutable_last_heartbeat_time()->set_seconds(77);
  }
  api_.Put(back);
  api_.Settle();
  EXPECT_THAT(Taints("node-3"), IsEmpty());
}

TEST_F(NodeLifecycleTest, ANotReadyNodeGetsTheOtherTaint) {
  api_.Put(MakeNode("node-1"));
  api_.Put(MakeNode("node-2"));
  Live(10s, {"node-1", "node-2"});
  api_.Put(MakeNode("node-2", "False"));
  api_.Advance(0s);
  EXPECT_THAT(Taints("node-2"), ElementsAre("not-ready:NoSchedule", "not-ready:NoExecute"));
}

TEST_F(NodeLifecycleTest, ConditionsAndCordonBecomeNoScheduleTaintsAndForeignTaintsStay) {
  Node node = MakeNode("node-1");
  auto* pressure = node.mutable_status()->add_conditions();
  pressure->set_type("DiskPressure");
  pressure->set_status("True");
  node.mutable_spec()->set_unschedulable(true);
  auto* mine = node.mutable_spec()->add_taints();
  mine->set_key("example.com/dedicated");
  mine->set_effect("NoSchedule");
  api_.Put(node);
  api_.Settle();
  EXPECT_THAT(Taints("node-1"), ElementsAre("dedicated:NoSchedule", "disk-pressure:NoSchedule",
                                            "unschedulable:NoSchedule"));
  node.mutable_status()->mutable_conditions(1)->set_status("False");
  node.mutable_spec()->set_unschedulable(false);
  *node.mutable_spec()->mutable_taints() = Find("node-1").spec().taints();
  api_.Put(node);
  api_.Settle();
  EXPECT_THAT(Taints("node-1"), ElementsAre("dedicated:NoSchedule"));
}

TEST_F(NodeLifecycleTest, PodsOfALostNodeBecomeNotReady) {
  api_.Put(MakeNode("node-1"));
  api_.Put(MakeNode("node-2"));
  api_.Put(MakePod("a", "web", "10.244.0.1", true, "node-2"));
  api_.Put(MakePod("b", "web", "10.244.0.2", true, "node-1"));
  Live(60s, {"node-1"});
  EXPECT_EQ(ConditionStatus(api_.Find(KindOf<Pod>(), "default/a").As<Pod>().status().conditions(),
                            "Ready"),
            "False");
  EXPECT_EQ(ConditionStatus(api_.Find(KindOf<Pod>(), "default/b").As<Pod>().status().conditions(),
                            "Ready"),
            "True");
  const std::vector<std::string> events = api_.TakeEvents();
  EXPECT_THAT(events, Contains("Warning NodeNotReady Node is not ready"));
  EXPECT_THAT(events, Contains("Normal NodeNotReady Node node-2 status is now: NodeNotReady"));
}

TEST_F(NodeLifecycleTest, PodsThatAMasterLeftReadyAreFoundAtTheNextStart) {
  // Both orders: the streams of nodes and pods know nothing of each other.
  api_.Put(MakeNode("node-1", "Unknown"));
  api_.Settle();
  api_.Put(MakePod("a", "web", "10.244.0.1", true, "node-1"));
  api_.Settle();
  api_.Put(MakePod("b", "web", "10.244.0.2", true, "node-2"));
  api_.Settle();
  api_.Put(MakeNode("node-2", "False"));
  api_.Settle();
  for (const char* pod : {"default/a", "default/b"}) {
    EXPECT_EQ(
        ConditionStatus(api_.Find(KindOf<Pod>(), pod).As<Pod>().status().conditions(), "Ready"),
        "False")
        << pod;
  }
}

TEST_F(NodeLifecycleTest, ComingAndGoingNodesHaveEvents) {
  api_.Put(MakeNode("node-1"));
  api_.Settle();
  api_.Remove(KindOf<Node>(), "node-1");
  api_.Settle();
  EXPECT_THAT(
      api_.TakeEvents(),
      ElementsAre("Normal RegisteredNode Node node-1 event: Registered Node node-1 in Controller",
                  "Normal RemovingNode Node node-1 event: Removing Node node-1 from Controller"));
}

TEST_F(NodeLifecycleTest, NoExecuteTaintsComeOneEveryTenSeconds) {
  std::vector<std::string> alive;
  for (int i = 1; i <= 20; ++i) {
    const std::string name = StrCat("node-", i);
    api_.Put(MakeNode(name));
    if (i > 4) alive.push_back(name);
  }
  Live(50s, alive);
  const auto tainted = [this] {
    int count = 0;
    for (int i = 1; i <= 4; ++i) count += CurrentNoExecute(Find(StrCat("node-", i))) != "" ? 1 : 0;
    return count;
  };
  EXPECT_EQ(tainted(), 1);
  Live(10s, alive);
  EXPECT_EQ(tainted(), 2);
  Live(20s, alive);
  EXPECT_EQ(tainted(), 4);
}

TEST_F(NodeLifecycleTest, WhenAllNodesAreIllNobodyIsEvicted) {
  for (const char* name : {"node-1", "node-2"}) api_.Put(MakeNode(name));
  Live(30s, {"node-1", "node-2"});
  Live(100s, {});
  for (const char* name : {"node-1", "node-2"}) {
    EXPECT_EQ(ReadyStatus(Find(name)), "Unknown");
    EXPECT_THAT(Taints(name), ElementsAre("unreachable:NoSchedule"));
  }
}

TEST_F(NodeLifecycleTest, AHealthyClusterIsQuiet) {
  for (const char* name : {"node-1", "node-2"}) api_.Put(MakeNode(name));
  Live(20s, {"node-1", "node-2"});
  api_.TakeLog();
  Live(300s, {"node-1", "node-2"});
  EXPECT_THAT(api_.TakeLog(), IsEmpty());
}

TEST(ZoneEvictions, RatesFollowTheStateOfTheZone) {
  const auto taken_in = [](size_t ready, size_t not_ready, Duration time) {
    ZoneEvictions evictions({});
    evictions.SetZones({{"well", {10, 0}}, {"zone", {ready, not_ready}}});
    for (size_t i = 0; i < not_ready; ++i) evictions.Add(StrCat("node-", i), "zone");
    int taken = 0;
    for (Time now{}; now <= Time{time}; now += 1s) {
      while (evictions.Take(now)) ++taken;
    }
    return taken;
  };
  EXPECT_EQ(taken_in(97, 3, 20s), 3);    // normal: one every 10 s, the first at once
  EXPECT_EQ(taken_in(0, 10, 20s), 3);    // one zone wholly ill
  EXPECT_EQ(taken_in(2, 8, 100s), 0);    // a small one partly ill
  EXPECT_EQ(taken_in(20, 80, 100s), 2);  // a large one partly ill: one every 100 s
}

}  // namespace
}  // namespace kubemu
