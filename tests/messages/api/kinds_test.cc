#include "messages/api/kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/api/labels.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/meta_request.pb.h"

namespace kubemu {
namespace {

TEST(Kinds, AreFoundByKindByResourceAndById) {
  const Kind* deployment = FindKind("apps/v1", "Deployment");
  ASSERT_NE(deployment, nullptr);
  EXPECT_EQ(deployment->plural, "deployments");
  EXPECT_EQ(deployment->singular, "deployment");
  EXPECT_EQ(deployment->api_version(), "apps/v1");
  EXPECT_EQ(deployment->group_resource(), "deployments.apps");
  EXPECT_EQ(FindResource("apps", "v1", "deployments"), deployment);
  EXPECT_EQ(KindById(deployment->id), deployment);
  EXPECT_EQ(&KindOf<k8s::apps::v1::Deployment>(), deployment);
  EXPECT_EQ(FindKind("v1", "Pod")->group_resource(), "pods");
}

TEST(Kinds, UnknownOnesAreNull) {
  EXPECT_EQ(FindKind("v1", "Deployment"), nullptr);
  EXPECT_EQ(FindKind("apps/v2", "Deployment"), nullptr);
  EXPECT_EQ(FindKind("/v1", "Pod"), nullptr);
  EXPECT_EQ(FindResource("", "v1", "deployments"), nullptr);
  EXPECT_EQ(FindResource("", "v1", ""), nullptr);
  EXPECT_EQ(KindById(-1), nullptr);
  EXPECT_EQ(KindById(static_cast<int>(AllKinds().size())), nullptr);
}

// The ids travel between processes and stand in stores on disk.
TEST(Kinds, IdsStayWhatTheyAre) {
  std::vector<std::string> names;
  for (const Kind* kind : AllKinds()) names.push_back(std::string(kind->plural));
  EXPECT_THAT(names,
              testing::ElementsAre("nodes", "pods", "services", "endpoints", "endpointslices",
                                   "namespaces", "events", "configmaps", "secrets",
                                   "serviceaccounts", "leases", "deployments", "replicasets"));
}

TEST(Kinds, EveryStoredKindHasItsMetadata) {
  for (const Kind* kind : AllKinds()) {
    const std::unique_ptr<google::protobuf::Message> object(kind->prototype->New());
    MutableMetaOf(object.get())->set_name("x");
    EXPECT_EQ(MetaOf(*object).name(), "x") << kind->kind;
    EXPECT_EQ(object->GetDescriptor()->name(), kind->kind);
  }
}

TEST(Kinds, RequestKindsAreFoundButNotStored) {
  const Kind* scale = FindKind("autoscaling/v1", "Scale");
  ASSERT_NE(scale, nullptr);
  EXPECT_EQ(scale->id, -1);
  EXPECT_EQ(FindKind("policy/v1", "DeleteOptions"), FindKind("v1", "DeleteOptions"));
  EXPECT_EQ(KindOf<k8s::meta::v1::Status>().kind, "Status");
}

TEST(Labels, EntriesStaySortedAndUnique) {
  StringEntries entries;
  SetEntry(&entries, "tier", "front");
  SetEntry(&entries, "app", "web");
  SetEntry(&entries, "release", "1");
  SetEntry(&entries, "app", "api");
  ASSERT_EQ(entries.size(), 3);
  EXPECT_EQ(entries.Get(0).key(), "app");
  EXPECT_EQ(entries.Get(1).key(), "release");
  EXPECT_EQ(*FindEntry(entries, "app"), "api");
  EXPECT_TRUE(EraseEntry(&entries, "app"));
  EXPECT_FALSE(EraseEntry(&entries, "app"));
  EXPECT_EQ(FindEntry(entries, "app"), nullptr);
}

}  // namespace
}  // namespace kubemu
