#include "master/controllers/deployment_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "tests/master/workloads/objects.h"

namespace kubemu {
namespace {

using testing::ElementsAre;

struct BoundsCase {
  int replicas;
  const char* surge;
  const char* unavailable;
  int expected_surge;
  int expected_unavailable;
};

TEST(DeploymentRules, SurgeRoundsUpAndUnavailableRoundsDown) {
  const BoundsCase cases[] = {
      {3, "25%", "25%", 1, 0}, {4, "25%", "25%", 1, 1},  {10, "25%", "25%", 3, 2},
      {10, "0", "0", 0, 1},    {10, "0%", "5%", 0, 1},   {10, "3", "2", 3, 2},
      {1, "25%", "25%", 1, 0}, {2, "100%", "50%", 2, 1},
  };
  for (const BoundsCase& test : cases) {
    const Bounds bounds =
        ResolveBounds(MakeDeployment("d", test.replicas, "i", test.surge, test.unavailable));
    EXPECT_EQ(bounds.surge, test.expected_surge) << test.replicas << test.surge;
    EXPECT_EQ(bounds.unavailable, test.expected_unavailable) << test.replicas << test.unavailable;
  }
}

TEST(DeploymentRules, UnavailableIsNeverMoreThanThereAre) {
  EXPECT_EQ(MaxUnavailable(MakeDeployment("d", 2, "i", "1", "5")), 2);
  EXPECT_EQ(MaxUnavailable(Recreating(MakeDeployment("d", 2))), 0);
}

TEST(DeploymentRules, HashIsOfTheTemplateWithoutItsHashLabel) {
  Deployment a = MakeDeployment("d", 1);
  Deployment b = a;
  SetEntry(b.mutable_spec()->mutable_template_()->mutable_metadata()->mutable_labels(),
           kTemplateHashLabel, "abc");
  // What JSON adds without meaning it.
  b.mutable_spec()->mutable_template_()->mutable_spec()->mutable_containers(0)->mutable_resources();
  const std::string canonical = CanonicalTemplate(a.spec().template_());
  EXPECT_EQ(CanonicalTemplate(b.spec().template_()), canonical);
  b.mutable_spec()->mutable_template_()->mutable_spec()->mutable_containers(0)->set_image("x");
  EXPECT_NE(CanonicalTemplate(b.spec().template_()), canonical);
  const std::string hash = TemplateHash(canonical, std::nullopt);
  EXPECT_THAT(hash, testing::MatchesRegex("[bcdfghjklmnpqrstvwxz2456789]{5,10}"));
  EXPECT_NE(TemplateHash(canonical, 1), hash);
}

// ReplicaSets of a Deployment, the last one with its template.
RevisionSets MakeSets(const Deployment& deployment, const std::vector<std::pair<int, int>>& sizes) {
  std::vector<Object> objects;
  for (size_t i = 0; i < sizes.size(); ++i) {
    ReplicaSet set = MakeReplicaSet(StrCat("d-", i), sizes[i].first);
    set.mutable_metadata()->mutable_creation_timestamp()->set_seconds(static_cast<int64_t>(i));
    set.mutable_status()->set_available_replicas(sizes[i].second);
    set.mutable_status()->set_replicas(sizes[i].first);
    SetEntry(set.mutable_metadata()->mutable_annotations(), kRevisionAnnotation, StrCat(i + 1));
    SetEntry(set.mutable_metadata()->mutable_annotations(), kMaxReplicasAnnotation,
             StrCat(deployment.spec().replicas() + MaxSurge(deployment)));
    SetEntry(set.mutable_metadata()->mutable_annotations(), kDesiredReplicasAnnotation,
             StrCat(deployment.spec().replicas()));
    if (i + 1 == sizes.size()) {
      *set.mutable_spec()->mutable_template_() = deployment.spec().template_();
    }
    objects.push_back(Object::From(std::move(set)));
  }
  return SortOut(deployment, std::move(objects));
}

std::vector<int> SizesOf(const RevisionSets& sets) {
  std::vector<int> sizes;
  for (const RevisionSet& set : sets.all) sizes.push_back(set.replicas);
  return sizes;
}

struct RollCase {
  const char* what;
  std::vector<std::pair<int, int>> sets;  // size and available pods, the new one last
  std::vector<int> next;
};

TEST(DeploymentRules, RollingUpdateTakesTheNextAllowedStep) {
  // 10 pods, at most 3 more, at most 2 missing.
  const Deployment deployment = MakeDeployment("d", 10, "new", "3", "2");
  const RollCase cases[] = {
      {"the new one grows into the surge", {{10, 10}, {0, 0}}, {10, 3}},
      {"old ones shrink to what must be available", {{10, 10}, {3, 0}}, {8, 3}},
      {"the freed room is for the new one", {{8, 8}, {3, 0}}, {8, 5}},
      {"nothing while nothing becomes available", {{8, 8}, {5, 0}}, {8, 5}},
      {"as new pods become available old ones go", {{8, 8}, {5, 5}}, {3, 5}},
      {"unhealthy old pods go first", {{10, 6}, {3, 0}}, {8, 3}},
      {"the last old one goes", {{2, 2}, {10, 10}}, {0, 10}},
      {"it is complete", {{0, 0}, {10, 10}}, {0, 10}},
  };
  for (const RollCase& test : cases) {
    RevisionSets sets = MakeSets(deployment, test.sets);
    const bool changes = SizesOf(sets) != test.next;
    EXPECT_EQ(PlanRollingUpdate(deployment, &sets), changes) << test.what;
    EXPECT_THAT(SizesOf(sets), testing::ElementsAreArray(test.next)) << test.what;
  }
}

TEST(DeploymentRules, ScalingWithOneActiveReplicaSetResizesIt) {
  Deployment deployment = MakeDeployment("d", 3);
  RevisionSets sets = MakeSets(deployment, {{0, 0}, {3, 3}});
  deployment.mutable_spec()->set_replicas(7);
  EXPECT_TRUE(NeedsScaling(deployment, sets));
  EXPECT_TRUE(PlanScaling(deployment, &sets));
  EXPECT_THAT(SizesOf(sets), ElementsAre(0, 7));
}

TEST(DeploymentRules, ScalingInTheMidstOfARolloutIsProportional) {
  Deployment deployment = MakeDeployment("d", 10, "new", "3", "2");
  RevisionSets sets = MakeSets(deployment, {{8, 8}, {5, 0}});
  deployment.mutable_spec()->set_replicas(20);
  // 23 in all, ten more than there are: 6 for the old one (8 * 23 / 13), 4 for the new one.
  PlanScaling(deployment, &sets);
  EXPECT_THAT(SizesOf(sets), ElementsAre(14, 9));
  deployment.mutable_spec()->set_replicas(10);
  sets = MakeSets(deployment, {{8, 8}, {5, 0}});
  deployment.mutable_spec()->set_replicas(4);
  // 7 in all, six fewer: 8 * 7 / 13 = 4.3 and 5 * 7 / 13 = 2.7.
  PlanScaling(deployment, &sets);
  EXPECT_THAT(SizesOf(sets), ElementsAre(4, 3));
}

TEST(DeploymentRules, ScalingToZeroEmptiesAll) {
  Deployment deployment = MakeDeployment("d", 10, "new", "3", "2");
  RevisionSets sets = MakeSets(deployment, {{8, 8}, {5, 0}});
  deployment.mutable_spec()->set_replicas(0);
  PlanScaling(deployment, &sets);
  EXPECT_THAT(SizesOf(sets), ElementsAre(0, 0));
}

TEST(DeploymentRules, HistoryKeepsTheHighestRevisionsThatAreEmpty) {
  Deployment deployment = MakeDeployment("d", 3);
  deployment.mutable_spec()->set_revision_history_limit(2);
  RevisionSets sets = MakeSets(deployment, {{0, 0}, {1, 1}, {0, 0}, {0, 0}, {3, 3}});
  std::vector<std::string> past;
  for (const Object& set : PastHistoryLimit(deployment, sets)) past.push_back(set.meta().name());
  // d-1 is past the limit, too, but has a pod.
  EXPECT_THAT(past, ElementsAre("d-0"));
}

}  // namespace
}  // namespace kubemu
