#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/controllers/deployment_controller.h"
#include "master/controllers/deployment_rules.h"
#include "master/controllers/replicaset_controller.h"
#include "messages/core/strings.h"
#include "tests/master/small_world.h"
#include "tests/master/workloads/objects.h"

namespace kubemu {
namespace {

using testing::ElementsAre;

// A Deployment "web" with its controller and that of ReplicaSets.
class DeploymentTest : public testing::Test {
 protected:
  DeploymentTest() {
    world.AddPart(std::string(DeploymentController::kAddress), &deployments);
    world.AddPart(std::string(ReplicaSetController::kAddress), &replica_sets);
    world.Run(1ms);
  }

  const Deployment& Get() {
    return world.Find(KindOf<Deployment>(), "default/web").As<Deployment>();
  }
  void Apply(Deployment deployment) {
    if (world.Find(KindOf<Deployment>(), "default/web")) {
      const auto& old = Get().metadata();
      *deployment.mutable_metadata()->mutable_annotations() = old.annotations();
    }
    world.Apply(Object::From(std::move(deployment)));
  }
  bool IsDone() {
    const auto& status = Get().status();
    const int wanted = Get().spec().replicas();
    return status.observed_generation() == Get().metadata().generation() &&
           status.replicas() == wanted && status.updated_replicas() == wanted &&
           status.available_replicas() == wanted;
  }
  void Finish() {
    ASSERT_TRUE(world.RunUntil([this] { return IsDone(); }, 10min));
  }

  int ActivePods() {
    int count = 0;
    for (const auto& [key, pod] : world.objects(KindOf<Pod>())) {
      count += pod.meta().has_deletion_timestamp() ? 0 : 1;
    }
    return count;
  }
  int ReadyPods() {
    int count = 0;
    for (const auto& [key, pod] : world.objects(KindOf<Pod>())) {
      if (pod.meta().has_deletion_timestamp()) continue;
      count += pod.As<Pod>().status().phase() == "Running" ? 1 : 0;
    }
    return count;
  }
  // Image to number of pods that are not being deleted.
  std::map<std::string, int> Images() {
    std::map<std::string, int> images;
    for (const auto& [key, pod] : world.objects(KindOf<Pod>())) {
      if (!pod.meta().has_deletion_timestamp())
        ++images[pod.As<Pod>().spec().containers(0).image()];
    }
    return images;
  }
  std::string Revision() {
    const std::string* revision = FindEntry(Get().metadata().annotations(), kRevisionAnnotation);
    return revision == nullptr ? "" : *revision;
  }
  // "status reason: message"
  std::string Condition(const std::string& type) {
    for (const auto& condition : Get().status().conditions()) {
      if (condition.type() != type) continue;
      return StrCat(condition.status(), " ", condition.reason(), ": ", condition.message());
    }
    return "";
  }
  std::string SetOf(const std::string& image) {
    for (const auto& [key, set] : world.objects(KindOf<ReplicaSet>())) {
      if (set.As<ReplicaSet>().spec().template_().spec().containers(0).image() == image) {
        return set.meta().name();
      }
    }
    return "";
  }

  SmallWorld world;
  DeploymentController deployments;
  ReplicaSetController replica_sets;
};

TEST_F(DeploymentTest, MakesAReplicaSetOfTheTemplate) {
  Apply(MakeDeployment("web", 3));
  Finish();
  ASSERT_EQ(world.objects(KindOf<ReplicaSet>()).size(), 1u);
  const ReplicaSet& set = world.objects(KindOf<ReplicaSet>()).begin()->second.As<ReplicaSet>();
  const std::string* hash = FindEntry(set.metadata().labels(), kTemplateHashLabel);
  ASSERT_NE(hash, nullptr);
  EXPECT_EQ(set.metadata().name(), "web-" + *hash);
  EXPECT_EQ(*FindEntry(set.spec().selector().match_labels(), kTemplateHashLabel), *hash);
  EXPECT_EQ(*FindEntry(set.spec().template_().metadata().labels(), kTemplateHashLabel), *hash);
  EXPECT_EQ(*FindEntry(set.metadata().annotations(), kDesiredReplicasAnnotation), "3");
  EXPECT_EQ(*FindEntry(set.metadata().annotations(), kMaxReplicasAnnotation), "4");
  EXPECT_EQ(*FindEntry(set.metadata().annotations(), kRevisionAnnotation), "1");
  EXPECT_EQ(set.metadata().owner_references(0).uid(), Get().metadata().uid());
  EXPECT_EQ(Revision(), "1");
  EXPECT_THAT(world.EventMessages("ScalingReplicaSet"),
              ElementsAre("Scaled up replica set web-" + *hash + " from 0 to 3"));
}

TEST_F(DeploymentTest, ConditionsTellTheStory) {
  Apply(MakeDeployment("web", 3));
  world.Run(100ms);
  const std::string set = SetOf("nginx:1");
  EXPECT_EQ(Condition("Available"),
            "False MinimumReplicasUnavailable: Deployment does not have minimum availability.");
  EXPECT_EQ(Condition("Progressing"),
            "True ReplicaSetUpdated: ReplicaSet \"" + set + "\" is progressing.");
  Finish();
  EXPECT_EQ(Condition("Available"),
            "True MinimumReplicasAvailable: Deployment has minimum availability.");
  EXPECT_EQ(Condition("Progressing"),
            "True NewReplicaSetAvailable: ReplicaSet \"" + set + "\" has successfully progressed.");
}

struct Strategy {
  int replicas;
  const char* surge;
  const char* unavailable;
};

class RollingUpdateTest : public DeploymentTest, public testing::WithParamInterface<Strategy> {};

TEST_P(RollingUpdateTest, KeepsItsBoundsAtEveryWrite) {
  const Strategy& strategy = GetParam();
  const auto make = [&](const char* image) {
    return MakeDeployment("web", strategy.replicas, image, strategy.surge, strategy.unavailable);
  };
  Apply(make("nginx:1"));
  Finish();
  const int most = strategy.replicas + MaxSurge(Get());
  const int least = strategy.replicas - MaxUnavailable(Get());
  int writes = 0;
  world.after_write = [&] {
    ++writes;
    ASSERT_LE(ActivePods(), most);
    ASSERT_GE(ReadyPods(), least);
  };
  Apply(make("nginx:2"));
  Finish();
  world.after_write = [] {};
  EXPECT_GT(writes, strategy.replicas);
  EXPECT_THAT(Images(), ElementsAre(testing::Pair("nginx:2", strategy.replicas)));
  EXPECT_EQ(Revision(), "2");
}

INSTANTIATE_TEST_SUITE_P(Strategies, RollingUpdateTest,
                         testing::Values(Strategy{3, "25%", "25%"}, Strategy{10, "25%", "25%"},
                                         Strategy{4, "0", "1"}, Strategy{5, "2", "0"},
                                         Strategy{1, "25%", "25%"}, Strategy{7, "100%", "100%"},
                                         Strategy{6, "0", "0"}));

TEST_F(DeploymentTest, RecreateNeverMixesRevisions) {
  Apply(Recreating(MakeDeployment("web", 3, "nginx:1")));
  Finish();
  world.after_write = [&] {
    std::set<std::string> images;
    for (const auto& [key, pod] : world.objects(KindOf<Pod>())) {
      images.insert(pod.As<Pod>().spec().containers(0).image());
    }
    ASSERT_LE(images.size(), 1u);
  };
  Apply(Recreating(MakeDeployment("web", 3, "nginx:2")));
  Finish();
  EXPECT_THAT(Images(), ElementsAre(testing::Pair("nginx:2", 3)));
}

TEST_F(DeploymentTest, UndoBringsTheOldReplicaSetBackAsANewRevision) {
  Apply(MakeDeployment("web", 2, "nginx:1"));
  Finish();
  const std::string first = SetOf("nginx:1");
  Apply(MakeDeployment("web", 2, "nginx:2"));
  Finish();
  Apply(MakeDeployment("web", 2, "nginx:1"));
  Finish();
  EXPECT_EQ(world.objects(KindOf<ReplicaSet>()).size(), 2u);
  const Object set = world.Find(KindOf<ReplicaSet>(), "default/" + first);
  EXPECT_EQ(*FindEntry(set.meta().annotations(), kRevisionAnnotation), "3");
  EXPECT_EQ(*FindEntry(set.meta().annotations(), kRevisionHistoryAnnotation), "1");
  EXPECT_EQ(Revision(), "3");
  EXPECT_THAT(Images(), ElementsAre(testing::Pair("nginx:1", 2)));
}

TEST_F(DeploymentTest, ScalesUpAndDown) {
  Apply(MakeDeployment("web", 2));
  Finish();
  Apply(MakeDeployment("web", 6));
  Finish();
  EXPECT_EQ(ActivePods(), 6);
  Apply(MakeDeployment("web", 1));
  Finish();
  EXPECT_EQ(ActivePods(), 1);
  const std::string set = SetOf("nginx:1");
  EXPECT_THAT(world.EventMessages("ScalingReplicaSet"),
              ElementsAre("Scaled up replica set " + set + " from 0 to 2",
                          "Scaled up replica set " + set + " from 2 to 6",
                          "Scaled down replica set " + set + " from 6 to 1"));
  EXPECT_EQ(Revision(), "1");
}

TEST_F(DeploymentTest, HistoryIsCutAtItsLimit) {
  for (int i = 1; i <= 6; ++i) {
    Deployment deployment = MakeDeployment("web", 1, StrCat("nginx:", i));
    deployment.mutable_spec()->set_revision_history_limit(2);
    Apply(deployment);
    Finish();
    world.Run(5s);
  }
  EXPECT_EQ(world.objects(KindOf<ReplicaSet>()).size(), 3u);
  EXPECT_NE(SetOf("nginx:6"), "");
  EXPECT_NE(SetOf("nginx:4"), "");
  EXPECT_EQ(SetOf("nginx:3"), "");
  EXPECT_EQ(Revision(), "6");
}

TEST_F(DeploymentTest, APausedDeploymentScalesButDoesNotRoll) {
  Apply(MakeDeployment("web", 2, "nginx:1"));
  Finish();
  Deployment paused = MakeDeployment("web", 3, "nginx:2");
  paused.mutable_spec()->set_paused(true);
  Apply(paused);
  world.Run(30s);
  EXPECT_THAT(Images(), ElementsAre(testing::Pair("nginx:1", 3)));
  EXPECT_EQ(Condition("Progressing"), "Unknown DeploymentPaused: Deployment is paused");
  paused.mutable_spec()->set_paused(false);
  Apply(paused);
  Finish();
  EXPECT_THAT(Images(), ElementsAre(testing::Pair("nginx:2", 3)));
}

TEST_F(DeploymentTest, AStuckRolloutIsReportedAfterItsDeadline) {
  Apply(MakeDeployment("web", 2, "nginx:1"));
  Finish();
  world.becomes_ready = [](const Object& pod) {
    return pod.As<Pod>().spec().containers(0).image() != "broken";
  };
  Deployment broken = MakeDeployment("web", 2, "broken");
  broken.mutable_spec()->set_progress_deadline_seconds(60);
  Apply(broken);
  world.Run(50s);
  EXPECT_EQ(Condition("Progressing").substr(0, 23), "True ReplicaSetUpdated:");
  world.Run(20s);
  EXPECT_EQ(Condition("Progressing"), "False ProgressDeadlineExceeded: ReplicaSet \"" +
                                          SetOf("broken") + "\" has timed out progressing.");
  EXPECT_EQ(ReadyPods(), 2);  // what worked still works
  Apply(MakeDeployment("web", 2, "nginx:1"));
  Finish();
  EXPECT_THAT(Images(), ElementsAre(testing::Pair("nginx:1", 2)));
}

TEST_F(DeploymentTest, MinReadySecondsSlowTheRollout) {
  Deployment deployment = MakeDeployment("web", 2, "nginx:1");
  deployment.mutable_spec()->set_min_ready_seconds(20);
  Apply(deployment);
  world.Run(15s);
  EXPECT_EQ(Get().status().ready_replicas(), 2);
  EXPECT_EQ(Get().status().available_replicas(), 0);
  world.Run(10s);
  EXPECT_EQ(Get().status().available_replicas(), 2);
}

TEST_F(DeploymentTest, AnnotationsFollowTheDeployment) {
  Deployment deployment = MakeDeployment("web", 1);
  SetEntry(deployment.mutable_metadata()->mutable_annotations(), "kubernetes.io/change-cause",
           "first");
  SetEntry(deployment.mutable_metadata()->mutable_annotations(),
           "kubectl.kubernetes.io/last-applied-configuration", "{}");
  Apply(deployment);
  Finish();
  const Object set = world.objects(KindOf<ReplicaSet>()).begin()->second;
  EXPECT_EQ(*FindEntry(set.meta().annotations(), "kubernetes.io/change-cause"), "first");
  EXPECT_EQ(FindEntry(set.meta().annotations(), "kubectl.kubernetes.io/last-applied-configuration"),
            nullptr);
}

TEST_F(DeploymentTest, AHashCollisionIsCountedAndAvoided) {
  const std::string hash =
      TemplateHash(CanonicalTemplate(MakeDeployment("web", 1).spec().template_()), std::nullopt);
  world.Apply(Object::From(MakeReplicaSet("web-" + hash, 0)));
  Apply(MakeDeployment("web", 1));
  Finish();
  EXPECT_EQ(Get().status().collision_count(), 1);
  EXPECT_EQ(ActivePods(), 1);
}

TEST_F(DeploymentTest, AnOrphanedReplicaSetIsTakenIn) {
  Apply(MakeDeployment("web", 2));
  Finish();
  ReplicaSet orphan = world.objects(KindOf<ReplicaSet>()).begin()->second.As<ReplicaSet>();
  orphan.mutable_metadata()->clear_owner_references();
  world.Apply(Object::From(orphan));
  world.Run(1s);
  ASSERT_EQ(world.objects(KindOf<ReplicaSet>()).size(), 1u);
  EXPECT_EQ(world.objects(KindOf<ReplicaSet>()).begin()->second.meta().owner_references(0).uid(),
            Get().metadata().uid());
}

// A third of all calls fails, a tenth of the answers is lost: it takes longer, but the bounds hold
// and the end is the same.
TEST_F(DeploymentTest, ARollingUpdateSurvivesFailedCallsAndLostAnswers) {
  Apply(MakeDeployment("web", 6, "nginx:1", "2", "1"));
  Finish();
  Random random(11);
  world.refuse = [&](const bus::ApiRequest&) {
    return random.Chance(0.3) ? std::pair<uint32_t, std::string>(500, "InternalError")
                              : std::pair<uint32_t, std::string>(0, "");
  };
  world.loses_answer = [&] { return random.Chance(0.1); };
  world.after_write = [&] {
    ASSERT_LE(ActivePods(), 8);
    ASSERT_GE(ReadyPods(), 5);
  };
  Apply(MakeDeployment("web", 6, "nginx:2", "2", "1"));
  ASSERT_TRUE(world.RunUntil([this] { return IsDone(); }, 2h));
  EXPECT_THAT(Images(), ElementsAre(testing::Pair("nginx:2", 6)));
}

std::string RunFromSeed(uint64_t seed) {
  SmallWorld world(seed);
  DeploymentController deployments;
  ReplicaSetController replica_sets;
  world.AddPart(std::string(DeploymentController::kAddress), &deployments);
  world.AddPart(std::string(ReplicaSetController::kAddress), &replica_sets);
  world.Apply(Object::From(MakeDeployment("web", 5, "nginx:1")));
  world.Run(20s);
  world.Apply(Object::From(MakeDeployment("web", 3, "nginx:2")));
  world.Run(20s);
  std::string all;
  for (const Kind* kind : {&KindOf<Deployment>(), &KindOf<ReplicaSet>(), &KindOf<Pod>()}) {
    for (const auto& [key, object] : world.objects(*kind)) StrAppend(&all, key, object.bytes());
  }
  return all;
}

TEST(Workloads, AreTheSameFromTheSameSeed) {
  EXPECT_EQ(RunFromSeed(3), RunFromSeed(3));
  EXPECT_NE(RunFromSeed(3), RunFromSeed(4));
}

TEST_F(DeploymentTest, IsQuietOnceComplete) {
  Apply(MakeDeployment("web", 3));
  Finish();
  world.Run(1min);
  const int writes = world.writes(KindOf<Deployment>()) + world.writes(KindOf<ReplicaSet>());
  EXPECT_LE(writes, 20);
  world.Run(2h);
  EXPECT_EQ(world.writes(KindOf<Deployment>()) + world.writes(KindOf<ReplicaSet>()), writes);
}

}  // namespace
}  // namespace kubemu
