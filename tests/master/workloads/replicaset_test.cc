#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/controllers/replicaset_controller.h"
#include "messages/core/strings.h"
#include "tests/master/small_world.h"
#include "tests/master/workloads/objects.h"

namespace kubemu {
namespace {

class ReplicaSetTest : public testing::Test {
 protected:
  ReplicaSetTest() {
    world.AddPart(std::string(ReplicaSetController::kAddress), &controller);
    world.Run(1ms);
  }

  const std::map<std::string, Object>& pods() { return world.objects(KindOf<Pod>()); }
  int ActivePods() {
    int count = 0;
    for (const auto& [key, pod] : pods()) count += pod.meta().has_deletion_timestamp() ? 0 : 1;
    return count;
  }
  const ReplicaSet& Set(const std::string& name) {
    return world.Find(KindOf<ReplicaSet>(), "default/" + name).As<ReplicaSet>();
  }
  void Scale(const std::string& name, int replicas) {
    ReplicaSet set = Set(name);
    set.mutable_spec()->set_replicas(replicas);
    world.Apply(Object::From(std::move(set)));
  }

  SmallWorld world;
  ReplicaSetController controller;
};

TEST_F(ReplicaSetTest, MakesPodsFromTheTemplate) {
  world.Apply(Object::From(MakeReplicaSet("web", 3)));
  world.Run(10ms);
  ASSERT_EQ(pods().size(), 3u);
  const Pod& pod = pods().begin()->second.As<Pod>();
  EXPECT_THAT(pod.metadata().name(), testing::MatchesRegex("web-[a-z0-9]{5}"));
  EXPECT_EQ(pod.metadata().generate_name(), "web-");
  ASSERT_EQ(pod.metadata().owner_references_size(), 1);
  const auto& owner = pod.metadata().owner_references(0);
  EXPECT_EQ(owner.uid(), Set("web").metadata().uid());
  EXPECT_EQ(owner.kind(), "ReplicaSet");
  EXPECT_EQ(owner.api_version(), "apps/v1");
  EXPECT_TRUE(owner.controller());
  EXPECT_TRUE(owner.block_owner_deletion());
  EXPECT_EQ(*FindEntry(pod.metadata().labels(), "app"), "web");
  EXPECT_EQ(world.EventMessages("SuccessfulCreate").size(), 3u);
  EXPECT_EQ(world.EventMessages("SuccessfulCreate")[0].substr(0, 17), "Created pod: web-");
}

TEST_F(ReplicaSetTest, NeverMakesMoreThanAskedFor) {
  size_t most = 0;
  world.after_write = [&] { most = std::max(most, pods().size()); };
  world.Apply(Object::From(MakeReplicaSet("web", 700)));
  world.Run(1s);
  EXPECT_EQ(pods().size(), 700u);
  EXPECT_EQ(most, 700u);
}

TEST_F(ReplicaSetTest, StatusCountsReadyAndAvailablePods) {
  ReplicaSet set = MakeReplicaSet("web", 3);
  set.mutable_spec()->set_min_ready_seconds(10);
  world.Apply(Object::From(set));
  world.Run(1s);
  EXPECT_EQ(Set("web").status().replicas(), 3);
  EXPECT_EQ(Set("web").status().fully_labeled_replicas(), 3);
  EXPECT_EQ(Set("web").status().ready_replicas(), 0);
  EXPECT_EQ(Set("web").status().observed_generation(), 1);
  world.Run(3s);
  EXPECT_EQ(Set("web").status().ready_replicas(), 3);
  EXPECT_EQ(Set("web").status().available_replicas(), 0);
  world.Run(10s);
  EXPECT_EQ(Set("web").status().available_replicas(), 3);
}

TEST_F(ReplicaSetTest, IsQuietOnceAllIsWell) {
  world.Apply(Object::From(MakeReplicaSet("web", 3)));
  world.Run(30s);
  const int writes = world.writes(KindOf<ReplicaSet>());
  EXPECT_LE(writes, 6);
  world.Run(1h);
  EXPECT_EQ(world.writes(KindOf<ReplicaSet>()), writes);
}

TEST_F(ReplicaSetTest, ReplacesDeletedAndFailedPods) {
  world.Apply(Object::From(MakeReplicaSet("web", 2)));
  world.Run(5s);
  world.Delete(KindOf<Pod>(), pods().begin()->first);
  world.Run(10ms);
  EXPECT_EQ(ActivePods(), 2);
  world.Run(5s);
  Pod pod = pods().begin()->second.As<Pod>();
  pod.mutable_status()->set_phase("Failed");
  world.SetStatus(Object::From(pod));
  world.Run(5s);
  EXPECT_EQ(ActivePods(), 3);  // the failed one stays to be looked at
  EXPECT_EQ(Set("web").status().replicas(), 2);
}

TEST_F(ReplicaSetTest, ScalesDownExactly) {
  world.Apply(Object::From(MakeReplicaSet("web", 5)));
  world.Run(5s);
  int fewest = 5;
  world.after_write = [&] { fewest = std::min(fewest, ActivePods()); };
  Scale("web", 2);
  world.Run(5s);
  EXPECT_EQ(pods().size(), 2u);
  EXPECT_EQ(fewest, 2);
  EXPECT_EQ(world.EventMessages("SuccessfulDelete").size(), 3u);
  EXPECT_EQ(Set("web").status().observed_generation(), 2);
}

TEST_F(ReplicaSetTest, TakesInOrphansAndLetsGoOfStrangers) {
  Pod orphan;
  orphan.mutable_metadata()->set_name("orphan");
  orphan.mutable_metadata()->set_namespace_("default");
  SetEntry(orphan.mutable_metadata()->mutable_labels(), "app", "web");
  world.Apply(Object::From(orphan));
  world.Apply(Object::From(MakeReplicaSet("web", 2)));
  world.Run(1s);
  EXPECT_EQ(pods().size(), 2u);
  Pod adopted = world.Find(KindOf<Pod>(), "default/orphan").As<Pod>();
  ASSERT_EQ(adopted.metadata().owner_references_size(), 1);
  SetEntry(adopted.mutable_metadata()->mutable_labels(), "app", "other");
  world.Apply(Object::From(adopted));
  world.Run(1s);
  EXPECT_EQ(pods().size(), 3u);
  EXPECT_EQ(
      world.Find(KindOf<Pod>(), "default/orphan").As<Pod>().metadata().owner_references_size(), 0);
}

TEST_F(ReplicaSetTest, FailingCreationsStartSlowlyAndAreReported) {
  int tries = 0;
  bool refusing = true;
  world.refuse = [&](const bus::ApiRequest& request) {
    const bool is_pod =
        request.verb() == bus::CREATE && static_cast<int>(request.kind()) == KindOf<Pod>().id;
    if (!refusing || !is_pod) return std::pair<uint32_t, std::string>(0, "");
    ++tries;
    return std::pair<uint32_t, std::string>(403, "Forbidden");
  };
  world.Apply(Object::From(MakeReplicaSet("web", 100)));
  world.Run(1s);
  EXPECT_LT(tries, 15);  // one at a time, with a growing back-off
  ASSERT_EQ(Set("web").status().conditions_size(), 1);
  EXPECT_EQ(Set("web").status().conditions(0).type(), "ReplicaFailure");
  EXPECT_EQ(Set("web").status().conditions(0).reason(), "FailedCreate");
  EXPECT_EQ(Set("web").status().conditions(0).message(), "refused by the test");
  EXPECT_EQ(world.EventMessages("FailedCreate")[0], "Error creating: refused by the test");
  refusing = false;
  world.Run(10s);
  EXPECT_EQ(pods().size(), 100u);
  EXPECT_EQ(Set("web").status().conditions_size(), 0);
}

TEST_F(ReplicaSetTest, LongNamesLeaveRoomForTheSuffix) {
  ReplicaSet set = MakeReplicaSet("web", 1);
  set.mutable_metadata()->set_name(std::string(70, 'x'));
  world.Apply(Object::From(set));
  world.Run(10ms);
  EXPECT_EQ(pods().begin()->second.meta().name().size(), 63u);
}

TEST_F(ReplicaSetTest, DoesNothingWithASelectorThatDoesNotSelectItsOwnPods) {
  ReplicaSet set = MakeReplicaSet("web", 1);
  SetEntry(set.mutable_spec()->mutable_selector()->mutable_match_labels(), "app", "other");
  world.Apply(Object::From(set));
  world.Run(10s);
  EXPECT_TRUE(pods().empty());
}

TEST_F(ReplicaSetTest, LeavesADeletedSetsPodsToTheGarbageCollector) {
  world.Apply(Object::From(MakeReplicaSet("web", 2)));
  world.Run(5s);
  world.Delete(KindOf<ReplicaSet>(), "default/web");
  world.Run(5s);
  EXPECT_EQ(ActivePods(), 2);
}

}  // namespace
}  // namespace kubemu
