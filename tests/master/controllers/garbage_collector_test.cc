#include "master/controllers/garbage_collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/controllers/conditions.h"
#include "master/controllers/pod_garbage_collector.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "tests/master/controllers/api_harness.h"
#include "tests/master/controllers/test_objects.h"

namespace kubemu {
namespace {

using k8s::apps::v1::ReplicaSet;
using k8s::core::v1::ConfigMap;
using k8s::core::v1::Node;
using k8s::core::v1::Pod;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class GarbageCollectorTest : public ::testing::Test {
 protected:
  ReplicaSet Owner(const std::string& name) {
    ReplicaSet owner;
    owner.mutable_metadata()->set_namespace_("default");
    owner.mutable_metadata()->set_name(name);
    owner.mutable_metadata()->set_uid("uid-of-" + name);
    return owner;
  }
  Pod Dependent(const std::string& name, const std::vector<std::string>& owners,
                bool blocks = true) {
    Pod pod = MakePod(name, "web", "");
    for (const std::string& owner : owners) {
      auto* reference = pod.mutable_metadata()->add_owner_references();
      reference->set_api_version("apps/v1");
      reference->set_kind("ReplicaSet");
      reference->set_name(owner);
      reference->set_uid("uid-of-" + owner);
      reference->set_block_owner_deletion(blocks);
    }
    return pod;
  }
  bool Exists(const std::string& pod) {
    return static_cast<bool>(api_.Find(KindOf<Pod>(), "default/" + pod));
  }
  void Deleting(ReplicaSet owner, const std::string& finalizer) {
    owner.mutable_metadata()->mutable_deletion_timestamp()->set_seconds(9);
    owner.mutable_metadata()->add_finalizers(finalizer);
    api_.Put(owner);
  }
  ReplicaSet Find(const std::string& name) {
    return api_.Find(KindOf<ReplicaSet>(), "default/" + name).As<ReplicaSet>();
  }

  GarbageCollector controller_;
  ApiHarness api_{&controller_};
};

TEST_F(GarbageCollectorTest, DependentsGoWhenTheirOwnerIsGone) {
  api_.Put(Owner("rs"));
  api_.Put(Dependent("a", {"rs"}));
  api_.Put(Dependent("b", {"rs"}));
  api_.Put(MakePod("free", "web", ""));
  api_.Settle();
  EXPECT_THAT(api_.TakeLog(), IsEmpty());
  api_.Remove(KindOf<ReplicaSet>(), "default/rs");
  api_.Settle();
  EXPECT_FALSE(Exists("a"));
  EXPECT_FALSE(Exists("b"));
  EXPECT_TRUE(Exists("free"));
}

TEST_F(GarbageCollectorTest, AnOwnerThatWasNeverSeenIsAskedForFirst) {
  api_.Put(Dependent("a", {"never"}));
  api_.Settle();
  EXPECT_THAT(api_.TakeLog(),
              ElementsAre("GET replicasets default/never", "DELETE pods default/a"));
}

TEST_F(GarbageCollectorTest, WithoutAnAnswerAboutTheOwnerNothingIsDeleted) {
  api_.refuse = [](const bus::ApiRequest& request) { return request.verb() == bus::GET ? 500 : 0; };
  api_.Put(Dependent("a", {"never"}));
  api_.Advance(10s);
  EXPECT_TRUE(Exists("a"));
}

TEST_F(GarbageCollectorTest, AnotherObjectOfTheOwnersNameIsNotTheOwner) {
  ReplicaSet other = Owner("rs");
  other.mutable_metadata()->set_uid("another");
  api_.Put(other);
  api_.Put(Dependent("a", {"rs"}));
  api_.Settle();
  EXPECT_FALSE(Exists("a"));
}

TEST_F(GarbageCollectorTest, OneOwnerLeftKeepsTheObjectAndTheReferenceToTheOtherGoes) {
  api_.Put(Owner("one"));
  api_.Put(Owner("two"));
  api_.Put(Dependent("a", {"one", "two"}));
  api_.Settle();
  api_.Remove(KindOf<ReplicaSet>(), "default/one");
  api_.Settle();
  ASSERT_TRUE(Exists("a"));
  const Object pod = api_.Find(KindOf<Pod>(), "default/a");
  ASSERT_THAT(pod.meta().owner_references(), SizeIs(1));
  EXPECT_EQ(pod.meta().owner_references(0).name(), "two");
}

TEST_F(GarbageCollectorTest, ForegroundDeletesTheDependentsBeforeTheOwnerMayGo) {
  api_.Put(Owner("rs"));
  api_.Put(Dependent("a", {"rs"}));
  api_.Settle();
  std::vector<std::string> finalizers_at_delete;
  api_.refuse = [&](const bus::ApiRequest& request) {
    if (request.verb() == bus::DELETE) {
      const ReplicaSet owner = Find("rs");
      for (const auto& f : owner.metadata().finalizers()) finalizers_at_delete.push_back(f);
    }
    return 0;
  };
  Deleting(Owner("rs"), "foregroundDeletion");
  api_.Settle();
  EXPECT_FALSE(Exists("a"));
  EXPECT_THAT(finalizers_at_delete, ElementsAre("foregroundDeletion"));
  EXPECT_THAT(Find("rs").metadata().finalizers(), IsEmpty());
}

TEST_F(GarbageCollectorTest, ForegroundWaitsForADependentThatTakesItsTime) {
  Pod slow = Dependent("a", {"rs"});
  slow.mutable_metadata()->mutable_deletion_timestamp()->set_seconds(9);
  api_.Put(Owner("rs"));
  api_.Put(slow);
  Deleting(Owner("rs"), "foregroundDeletion");
  api_.Advance(30s);
  EXPECT_THAT(Find("rs").metadata().finalizers(), ElementsAre("foregroundDeletion"));
  api_.Remove(KindOf<Pod>(), "default/a");
  api_.Settle();
  EXPECT_THAT(Find("rs").metadata().finalizers(), IsEmpty());
}

TEST_F(GarbageCollectorTest, OrphanTakesTheReferencesAwayAndKeepsTheDependents) {
  api_.Put(Owner("rs"));
  api_.Put(Dependent("a", {"rs"}));
  api_.Settle();
  Deleting(Owner("rs"), "orphan");
  api_.Settle();
  EXPECT_THAT(Find("rs").metadata().finalizers(), IsEmpty());
  api_.Remove(KindOf<ReplicaSet>(), "default/rs");
  api_.Settle();
  ASSERT_TRUE(Exists("a"));
  EXPECT_THAT(api_.Find(KindOf<Pod>(), "default/a").meta().owner_references(), IsEmpty());
}

TEST_F(GarbageCollectorTest, AnOwnerOfAnUnknownKindIsTakenToExist) {
  Pod pod = Dependent("a", {"x"});
  pod.mutable_metadata()->mutable_owner_references(0)->set_kind("Gadget");
  api_.Put(pod);
  api_.Advance(10s);
  EXPECT_TRUE(Exists("a"));
}

class PodGarbageCollectorTest : public ::testing::Test {
 protected:
  bool Exists(const std::string& pod) {
    return static_cast<bool>(api_.Find(KindOf<Pod>(), "default/" + pod));
  }
  PodGarbageCollector controller_{{.finished_max = 2}};
  ApiHarness api_{&controller_};
};

TEST_F(PodGarbageCollectorTest, PodsOfAVanishedNodeFailAndGoAfterTheQuarantine) {
  api_.Put(MakeNode("node-1"));
  api_.Put(MakePod("a", "web", "10.244.0.1"));
  api_.Settle();
  api_.Remove(KindOf<Node>(), "node-1");
  api_.Advance(39s);
  EXPECT_TRUE(Exists("a"));
  api_.Advance(21s);
  EXPECT_FALSE(Exists("a"));
  EXPECT_THAT(api_.TakeLog(), ElementsAre("UPDATE pods default/a/status", "DELETE pods default/a"));
}

TEST_F(PodGarbageCollectorTest, PodsOfANodeThatComesBackInTimeStay) {
  api_.Put(MakeNode("node-1"));
  api_.Put(MakePod("a", "web", "10.244.0.1"));
  api_.Settle();
  api_.Remove(KindOf<Node>(), "node-1");
  api_.Advance(30s);
  api_.Put(MakeNode("node-1"));
  api_.Advance(60s);
  EXPECT_TRUE(Exists("a"));
}

TEST_F(PodGarbageCollectorTest, ATerminatingPodThatWasNeverBoundGoesAtOnce) {
  Pod pod = MakePod("a", "web", "", false, "");
  pod.mutable_metadata()->mutable_deletion_timestamp()->set_seconds(9);
  api_.Put(pod);
  api_.Settle();
  EXPECT_FALSE(Exists("a"));
}

TEST_F(PodGarbageCollectorTest, TheOldestFinishedPodsGoWhenThereAreTooMany) {
  api_.Put(MakeNode("node-1"));
  for (int i = 0; i < 4; ++i) {
    Pod pod = MakePod(StrCat("p", i), "web", "");
    pod.mutable_status()->set_phase("Succeeded");
    pod.mutable_metadata()->mutable_creation_timestamp()->set_seconds(100 - i);
    api_.Put(pod);
  }
  api_.Advance(20s);
  EXPECT_TRUE(Exists("p0"));
  EXPECT_TRUE(Exists("p1"));
  EXPECT_FALSE(Exists("p2"));
  EXPECT_FALSE(Exists("p3"));
}

}  // namespace
}  // namespace kubemu
