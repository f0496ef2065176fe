#include "master/controllers/namespace_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "master/controllers/conditions.h"
#include "master/controllers/service_account_controller.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "tests/master/controllers/api_harness.h"
#include "tests/master/controllers/test_objects.h"

namespace kubemu {
namespace {

using k8s::core::v1::ConfigMap;
using k8s::core::v1::Namespace;
using k8s::core::v1::ServiceAccount;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

Namespace MakeNamespace(const std::string& name, bool terminating = false) {
  Namespace ns;
  ns.mutable_metadata()->set_name(name);
  ns.mutable_spec()->add_finalizers("kubernetes");
  if (terminating) ns.mutable_metadata()->mutable_deletion_timestamp()->set_seconds(9);
  return ns;
}

class NamespaceTest : public ::testing::Test {
 protected:
  NamespaceTest() {
    for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
      api_.Put(MakeNamespace(name));
    }
    api_.Settle();
    api_.TakeLog();
  }
  Namespace Find(const std::string& name) {
    const Object object = api_.Find(KindOf<Namespace>(), name);
    return object ? object.As<Namespace>() : Namespace();
  }

  NamespaceController controller_;
  ApiHarness api_{&controller_};
};

TEST_F(NamespaceTest, MissingSystemNamespacesAreMade) {
  api_.Remove(KindOf<Namespace>(), "kube-public");
  api_.Settle();
  EXPECT_THAT(api_.TakeLog(), ElementsAre("CREATE namespaces kube-public"));
}

TEST_F(NamespaceTest, ContentsOfEveryKindAreDeletedThenTheNamespaceIsFinalized) {
  k8s::core::v1::Pod pod = MakePod("p", "web", "");
  pod.mutable_metadata()->set_namespace_("team");
  ConfigMap map;
  map.mutable_metadata()->set_namespace_("team");
  map.mutable_metadata()->set_name("m");
  ConfigMap elsewhere = map;
  elsewhere.mutable_metadata()->set_namespace_("default");
  api_.Put(pod);
  api_.Put(map);
  api_.Put(elsewhere);
  api_.Put(MakeNamespace("team", true));
  api_.Advance(100ms);
  const std::vector<std::string> log = api_.TakeLog();
  EXPECT_THAT(log, Contains("DELETE pods team/p"));
  EXPECT_THAT(log, Contains("DELETE configmaps team/m"));
  EXPECT_EQ(log.back(), "UPDATE namespaces team/finalize");
  EXPECT_THAT(Find("team").spec().finalizers(), IsEmpty());
  EXPECT_TRUE(api_.Find(KindOf<ConfigMap>(), "default/m"));
}

TEST_F(NamespaceTest, WhatRemainsStandsInTheConditionsAndIsWaitedFor) {
  k8s::core::v1::Pod pod = MakePod("p", "web", "");
  pod.mutable_metadata()->set_namespace_("team");
  pod.mutable_metadata()->mutable_deletion_timestamp()->set_seconds(9);
  pod.mutable_metadata()->add_finalizers("example.com/hold");
  api_.Put(pod);
  api_.Put(MakeNamespace("team", true));
  api_.Advance(10s);
  const Namespace ns = Find("team");
  EXPECT_EQ(ns.status().phase(), "Terminating");
  EXPECT_EQ(FindCondition(ns.status().conditions(), "NamespaceContentRemaining")->message(),
            "Some resources are remaining: pods. has 1 resource instances");
  EXPECT_EQ(FindCondition(ns.status().conditions(), "NamespaceFinalizersRemaining")->message(),
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 "
            "resource instances");
  EXPECT_THAT(ns.spec().finalizers(), ElementsAre("kubernetes"));
  EXPECT_THAT(api_.TakeLog(), Not(Contains("DELETE pods team/p")));

  api_.Remove(KindOf<k8s::core::v1::Pod>(), "team/p");
  api_.Advance(2s);
  EXPECT_THAT(Find("team").spec().finalizers(), IsEmpty());
  EXPECT_EQ(ConditionStatus(Find("team").status().conditions(), "NamespaceContentRemaining"),
            "False");
}

TEST_F(NamespaceTest, ThousandsOfObjectsGoWithinASecond) {
  for (int i = 0; i < 3000; ++i) {
    ConfigMap map;
    map.mutable_metadata()->set_namespace_("team");
    map.mutable_metadata()->set_name(StrCat("m", i));
    api_.Put(map);
  }
  api_.Put(MakeNamespace("team", true));
  api_.Advance(1s);
  EXPECT_THAT(Find("team").spec().finalizers(), IsEmpty());
  EXPECT_THAT(api_.All(KindOf<ConfigMap>()), IsEmpty());
}

TEST_F(NamespaceTest, ARefusedListFinalizesNothing) {
  api_.refuse = [](const bus::ApiRequest& request) {
    return request.verb() == bus::LIST ? 500 : 0;
  };
  api_.Put(MakeNamespace("team", true));
  api_.Advance(1s);
  EXPECT_THAT(Find("team").spec().finalizers(), ElementsAre("kubernetes"));
  api_.refuse = nullptr;
  api_.Advance(10s);
  EXPECT_THAT(Find("team").spec().finalizers(), IsEmpty());
}

class ServiceAccountTest : public ::testing::Test {
 protected:
  ServiceAccountController controller_{{.root_ca = "PEM"}};
  ApiHarness api_{&controller_};
};

TEST_F(ServiceAccountTest, EachNamespaceGetsItsAccountAndRootCa) {
  api_.Put(MakeNamespace("team"));
  api_.Settle();
  EXPECT_THAT(api_.TakeLog(), UnorderedElementsAre("CREATE serviceaccounts team/default",
                                                   "CREATE configmaps team/kube-root-ca.crt"));
  const Object map = api_.Find(KindOf<ConfigMap>(), "team/kube-root-ca.crt");
  EXPECT_EQ(*FindEntry(map.As<ConfigMap>().data(), "ca.crt"), "PEM");
}

TEST_F(ServiceAccountTest, DeletedOrChangedOnesArePutRight) {
  api_.Put(MakeNamespace("team"));
  api_.Settle();
  api_.TakeLog();
  api_.Remove(KindOf<ServiceAccount>(), "team/default");
  ConfigMap map = api_.Find(KindOf<ConfigMap>(), "team/kube-root-ca.crt").As<ConfigMap>();
  SetEntry(map.mutable_data(), "ca.crt", "forged");
  api_.Put(map);
  api_.Settle();
  EXPECT_THAT(api_.TakeLog(), UnorderedElementsAre("CREATE serviceaccounts team/default",
                                                   "UPDATE configmaps team/kube-root-ca.crt"));
}

TEST_F(ServiceAccountTest, ATerminatingNamespaceGetsNothing) {
  api_.Put(MakeNamespace("team", true));
  api_.Settle();
  EXPECT_THAT(api_.TakeLog(), IsEmpty());
}

}  // namespace
}  // namespace kubemu
