#include "master/controllers/taint_eviction_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/controllers/conditions.h"
#include "messages/api/kinds.h"
#include "tests/master/controllers/api_harness.h"
#include "tests/master/controllers/test_objects.h"

namespace kubemu {
namespace {

using k8s::core::v1::Node;
using k8s::core::v1::Pod;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kUnreachable = "node.kubernetes.io/unreachable";

Node Tainted(const std::string& effect = "NoExecute") {
  Node node = MakeNode("node-1");
  auto* taint = node.mutable_spec()->add_taints();
  taint->set_key(kUnreachable);
  taint->set_effect(effect);
  return node;
}

Pod Tolerating(int seconds) {
  Pod pod = MakePod("a", "web", "10.244.0.1");
  auto* toleration = pod.mutable_spec()->add_tolerations();
  toleration->set_key(kUnreachable);
  toleration->set_operator_("Exists");
  toleration->set_effect("NoExecute");
  if (seconds >= 0) toleration->set_toleration_seconds(seconds);
  return pod;
}

class TaintEvictionTest : public ::testing::Test {
 protected:
  bool Exists() { return static_cast<bool>(api_.Find(KindOf<Pod>(), "default/a")); }

  TaintEvictionController controller_;
  ApiHarness api_{&controller_};
};

TEST_F(TaintEvictionTest, APodWithoutTolerationGoesAtOnceAndIsMarkedFirst) {
  api_.Put(MakePod("a", "web", "10.244.0.1"));
  api_.Put(Tainted());
  api_.Settle();
  EXPECT_FALSE(Exists());
  EXPECT_THAT(api_.TakeLog(), ElementsAre("UPDATE pods default/a/status", "DELETE pods default/a"));
  EXPECT_THAT(api_.TakeEvents(),
              ElementsAre("Normal TaintManagerEviction Marking for deletion Pod default/a"));
}

TEST_F(TaintEvictionTest, ThreeHundredSecondsOfTolerationAreThreeHundredSeconds) {
  api_.Put(Tolerating(300));
  api_.Put(Tainted());
  api_.Advance(299s);
  EXPECT_TRUE(Exists());
  api_.Advance(1s);
  EXPECT_FALSE(Exists());
}

TEST_F(TaintEvictionTest, OtherChangesDoNotBeginTheTimeAnew) {
  api_.Put(Tolerating(300));
  api_.Put(Tainted());
  api_.Advance(200s);
  Pod changed = Tolerating(300);
  SetEntry(changed.mutable_metadata()->mutable_annotations(), "note", "new");
  api_.Put(changed);
  api_.Advance(100s);
  EXPECT_FALSE(Exists());
}

TEST_F(TaintEvictionTest, ATaintThatGoesInTimeSparesThePod) {
  api_.Put(Tolerating(300));
  api_.Put(Tainted());
  api_.Advance(200s);
  api_.Put(MakeNode("node-1"));
  api_.Advance(1000s);
  EXPECT_TRUE(Exists());
  EXPECT_THAT(api_.TakeEvents(),
              ElementsAre("Normal TaintManagerEviction Cancelling deletion of Pod default/a"));
}

TEST_F(TaintEvictionTest, TolerationWithoutTimeIsForEver) {
  api_.Put(Tolerating(-1));
  api_.Put(Tainted());
  api_.Advance(10000s);
  EXPECT_TRUE(Exists());
}

TEST_F(TaintEvictionTest, NoScheduleTaintsEvictNobody) {
  api_.Put(MakePod("a", "web", "10.244.0.1"));
  api_.Put(Tainted("NoSchedule"));
  api_.Advance(1000s);
  EXPECT_THAT(api_.TakeLog(), IsEmpty());
}

TEST_F(TaintEvictionTest, APodBoundToATaintedNodeIsLookedAtToo) {
  api_.Put(Tainted());
  api_.Settle();
  api_.Put(MakePod("a", "web", "10.244.0.1"));
  api_.Settle();
  EXPECT_FALSE(Exists());
}

}  // namespace
}  // namespace kubemu
