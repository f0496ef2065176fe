#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/api/calls.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "tests/master/apiserver/master_harness.h"

namespace kubemu {
namespace {

using k8s::core::v1::ConfigMap;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr const char* kMaps = "/api/v1/namespaces/default/configmaps";
constexpr const char* kMap = "/api/v1/namespaces/default/configmaps/m";
constexpr const char* kPods = "/api/v1/namespaces/default/pods";
constexpr const char* kDeployments = "/apis/apps/v1/namespaces/default/deployments";
constexpr const char* kDeployment = "/apis/apps/v1/namespaces/default/deployments/web";
constexpr const char* kMerge = "application/merge-patch+json";
constexpr const char* kStrategic = "application/strategic-merge-patch+json";

std::string MapBody(const std::string& value, const std::string& version = "") {
  return StrCat(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m")",
                version.empty() ? "" : StrCat(R"(,"resourceVersion":")", version, "\""),
                R"(},"data":{"a":")", value, R"("}})");
}

constexpr const char* kWeb = R"({"apiVersion":"apps/v1","kind":"Deployment",
  "metadata":{"name":"web"},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},
  "template":{"metadata":{"labels":{"app":"web"}},
  "spec":{"containers":[{"name":"c","image":"nginx","ports":[{"containerPort":80}]}]}}}})";

class WritesTest : public ::testing::Test {
 protected:
  std::string Version(const char* target) {
    return master_.Get(target).Text("/metadata/resourceVersion");
  }

  MasterHarness master_;
};

TEST_F(WritesTest, AnUpdateWithAnOldVersionIsAConflict) {
  master_.Post(kMaps, MapBody("1"));
  const std::string old = Version(kMap);
  EXPECT_EQ(master_.Http("PUT", kMap, MapBody("2", old)).status, 200u);
  const auto conflict = master_.Http("PUT", kMap, MapBody("3", old));
  EXPECT_EQ(conflict.status, 409u);
  EXPECT_EQ(conflict.Text("/message"),
            "Operation cannot be fulfilled on configmaps \"m\": the object has been modified; "
            "please apply your changes to the latest version and try again");
  EXPECT_EQ(master_.Http("PUT", kMap, MapBody("3")).status, 200u);
  EXPECT_EQ(master_.Get(kMap).Text("/data/a"), "3");
}

TEST_F(WritesTest, WhatChangesNothingKeepsTheRevision) {
  master_.Post(kMaps, MapBody("1"));
  const std::string before = Version(kMap);
  EXPECT_EQ(master_.Http("PUT", kMap, MapBody("1")).status, 200u);
  EXPECT_EQ(master_.Http("PATCH", kMap, R"({"data":{"a":"1"}})", kMerge).status, 200u);
  EXPECT_EQ(Version(kMap), before);
}

TEST_F(WritesTest, ADryRunStoresNothing) {
  const auto created = master_.Post(StrCat(kMaps, "?dryRun=All"), MapBody("1"));
  EXPECT_EQ(created.status, 201u);
  EXPECT_EQ(created.Text("/data/a"), "1");
  EXPECT_EQ(master_.Get(kMap).status, 404u);
  master_.Post(kMaps, MapBody("1"));
  const auto patched =
      master_.Http("PATCH", StrCat(kMap, "?dryRun=All"), R"({"data":{"a":"2"}})", kMerge);
  EXPECT_EQ(patched.Text("/data/a"), "2");
  EXPECT_EQ(master_.Http("DELETE", StrCat(kMap, "?dryRun=All")).status, 200u);
  EXPECT_EQ(master_.Get(kMap).Text("/data/a"), "1");
}

TEST_F(WritesTest, GeneratedNamesHaveFiveCharactersMore) {
  const auto created = master_.Post(
      kMaps, R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"generateName":"gen-"}})");
  EXPECT_THAT(created.Text("/metadata/name"), MatchesRegex("gen-[a-z0-9]{5}"));
}

TEST_F(WritesTest, GenerationCountsChangesOfTheSpecOnly) {
  EXPECT_EQ(master_.Post(kDeployments, kWeb).Text("/metadata/generation"), "1");
  EXPECT_EQ(master_.Http("PATCH", kDeployment, R"({"metadata":{"labels":{"x":"y"}}})", kMerge)
                .Text("/metadata/generation"),
            "1");
  EXPECT_EQ(master_.Http("PATCH", kDeployment, R"({"spec":{"replicas":4}})", kStrategic)
                .Text("/metadata/generation"),
            "2");
  const auto status = master_.Http("PATCH", StrCat(kDeployment, "/status"),
                                   R"({"status":{"replicas":4},"spec":{"replicas":9}})", kMerge);
  EXPECT_EQ(status.Text("/metadata/generation"), "2");
  EXPECT_EQ(status.Text("/spec/replicas"), "4");
  EXPECT_EQ(status.Text("/status/replicas"), "4");
}

TEST_F(WritesTest, PatchesOfAllKindsWork) {
  master_.Post(kDeployments, kWeb);
  const auto image = master_.Http(
      "PATCH", kDeployment,
      R"({"spec":{"template":{"spec":{"containers":[{"name":"c","image":"nginx:2"}]}}}})",
      kStrategic);
  EXPECT_EQ(image.Text("/spec/template/spec/containers/0/image"), "nginx:2");
  EXPECT_EQ(image.Text("/spec/template/spec/containers/0/ports/0/containerPort"), "80");
  const auto json =
      master_.Http("PATCH", kDeployment, R"([{"op":"replace","path":"/spec/replicas","value":7}])",
                   "application/json-patch+json");
  EXPECT_EQ(json.Text("/spec/replicas"), "7");
  const auto failed =
      master_.Http("PATCH", kDeployment, R"([{"op":"test","path":"/spec/replicas","value":1}])",
                   "application/json-patch+json");
  EXPECT_EQ(failed.status, 422u);
  EXPECT_EQ(master_.Http("PATCH", kDeployment, "{}", "text/plain").status, 415u);
  const auto strict = master_.Http("PATCH", StrCat(kDeployment, "?fieldValidation=Strict"),
                                   R"({"spec":{"replicaz":1}})", kStrategic);
  EXPECT_EQ(strict.status, 422u);
  EXPECT_THAT(strict.body, HasSubstr("spec.replicaz"));
}

TEST_F(WritesTest, APatchWithUnknownFieldsIsWarnedOf) {
  master_.Post(kMaps, MapBody("1"));
  for (const char* query : {"", "?fieldValidation=Warn"}) {
    const auto answer = master_.Http("PATCH", StrCat(kMap, query), R"({"dat":{"a":"2"}})", kMerge);
    EXPECT_EQ(answer.status, 200u);
    EXPECT_THAT(answer.warnings, ::testing::ElementsAre(R"(299 - "unknown field \"dat\"")"));
  }
  EXPECT_TRUE(
      master_.Http("PATCH", StrCat(kMap, "?fieldValidation=Ignore"), R"({"dat":{}})", kMerge)
          .warnings.empty());
}

// An algorithm of quadratic time would take a quarter of a minute for it.
TEST_F(WritesTest, AVeryLongListIsPatched) {
  std::string finalizers;
  for (int i = 0; i < 60'000; ++i) StrAppend(&finalizers, i == 0 ? "" : ",", "\"a.b/", i, "\"");
  master_.Post(kMaps, MapBody("1"));
  const auto answer = master_.Http(
      "PATCH", kMap, StrCat(R"({"metadata":{"finalizers":[)", finalizers, "]}}"), kStrategic);
  EXPECT_EQ(answer.status, 200u) << answer.body.substr(0, 200);
  EXPECT_EQ(master_.Get(kMap).At("/metadata/finalizers").get_array().size(), 60'000u);
}

TEST_F(WritesTest, ScaleReadsAndWritesReplicas) {
  master_.Post(kDeployments, kWeb);
  const std::string scale = StrCat(kDeployment, "/scale");
  const auto read = master_.Get(scale);
  EXPECT_EQ(read.Text("/kind"), "Scale");
  EXPECT_EQ(read.Text("/spec/replicas"), "3");
  EXPECT_EQ(read.Text("/status/selector"), "app=web");
  EXPECT_EQ(
      master_.Http("PATCH", scale, R"({"spec":{"replicas":6}})", kMerge).Text("/spec/replicas"),
      "6");
  const std::string body = StrCat(
      R"({"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"web","namespace":)"
      R"("default","resourceVersion":")",
      Version(kDeployment), R"("},"spec":{"replicas":2}})");
  EXPECT_EQ(master_.Http("PUT", scale, body).status, 200u);
  EXPECT_EQ(master_.Get(kDeployment).Text("/spec/replicas"), "2");
  EXPECT_EQ(master_.Http("PUT", scale, body).status, 409u);
}

TEST_F(WritesTest, APodIsBoundOnce) {
  master_.MakeAccount();
  master_.MakePod("p");
  const auto bind = [&](const char* node) {
    return master_.Post(StrCat(kPods, "/p/binding"),
                        StrCat(R"({"kind":"Binding","apiVersion":"v1","metadata":{"name":"p"},)"
                               R"("target":{"kind":"Node","name":")",
                               node, "\"}}"));
  };
  EXPECT_EQ(bind("node-1").status, 201u);
  const auto pod = master_.Get(StrCat(kPods, "/p"));
  EXPECT_EQ(pod.Text("/spec/nodeName"), "node-1");
  EXPECT_EQ(pod.Text("/status/conditions/0/type"), "PodScheduled");
  const auto again = bind("node-2");
  EXPECT_EQ(again.status, 409u);
  EXPECT_THAT(again.body, HasSubstr(R"(pod p is already assigned to node \"node-1\")"));
}

TEST_F(WritesTest, ThePodDeletionHandshake) {
  master_.MakeAccount();
  master_.MakePod("p", "node-1");
  const auto deleted = master_.Http("DELETE", StrCat(kPods, "/p"));
  EXPECT_EQ(deleted.Text("/metadata/deletionGracePeriodSeconds"), "30");
  EXPECT_EQ(deleted.Text("/metadata/deletionTimestamp"), "2023-11-14T22:13:50Z");
  // A second one can only shorten.
  EXPECT_EQ(master_.Http("DELETE", StrCat(kPods, "/p?gracePeriodSeconds=60"))
                .Text("/metadata/deletionGracePeriodSeconds"),
            "30");
  EXPECT_EQ(master_.Http("DELETE", StrCat(kPods, "/p"), R"({"gracePeriodSeconds":5})")
                .Text("/metadata/deletionTimestamp"),
            "2023-11-14T22:13:25Z");
  // What the kubelet sends in the end: only for the pod that it means.
  bus::ApiRequest end = DeleteRequest(KindOf<k8s::core::v1::Pod>(), "default", "p");
  end.set_grace_period_seconds(0);
  end.set_precondition_uid("another");
  EXPECT_EQ(master_.Call("node-1/kubelet", end).response.code(), 409u);
  end.set_precondition_uid(deleted.Text("/metadata/uid"));
  EXPECT_EQ(master_.Call("node-1/kubelet", end).response.code(), 200u);
  EXPECT_EQ(master_.Get(StrCat(kPods, "/p")).status, 404u);
}

TEST_F(WritesTest, APodWithoutANodeGoesAtOnce) {
  master_.MakeAccount();
  master_.MakePod("p");
  EXPECT_EQ(master_.Http("DELETE", StrCat(kPods, "/p")).status, 200u);
  EXPECT_EQ(master_.Get(StrCat(kPods, "/p")).status, 404u);
}

TEST_F(WritesTest, FinalizersHoldAnObject) {
  master_.Post(kMaps, R"({"kind":"ConfigMap","metadata":{"name":"m","finalizers":["a.b/c"]}})");
  EXPECT_NE(master_.Http("DELETE", kMap).Text("/metadata/deletionTimestamp"), "null");
  EXPECT_EQ(master_.Get(kMap).status, 200u);
  const auto last = master_.Http("PATCH", kMap, R"({"metadata":{"finalizers":null}})", kMerge);
  EXPECT_EQ(last.status, 200u);
  EXPECT_EQ(last.Text("/metadata/finalizers"), "null");
  EXPECT_EQ(master_.Get(kMap).status, 404u);
}

TEST_F(WritesTest, ForegroundDeletionLeavesAFinalizerForTheGarbageCollector) {
  master_.Post(kDeployments, kWeb);
  const auto deleted = master_.Http("DELETE", kDeployment, R"({"propagationPolicy":"Foreground"})");
  EXPECT_EQ(deleted.Text("/metadata/finalizers/0"), "foregroundDeletion");
}

TEST_F(WritesTest, ANamespaceEndsWhenItIsFinalized) {
  constexpr const char* kNs = "/api/v1/namespaces/foo";
  master_.Post("/api/v1/namespaces", R"({"kind":"Namespace","metadata":{"name":"foo"}})");
  EXPECT_EQ(master_.Http("DELETE", kNs).Text("/status/phase"), "Terminating");
  const auto refused =
      master_.Post(StrCat(kNs, "/configmaps"), R"({"kind":"ConfigMap","metadata":{"name":"m"}})");
  EXPECT_EQ(refused.status, 403u);
  EXPECT_EQ(refused.Text("/message"),
            "configmaps \"m\" is forbidden: unable to create new content in namespace foo because "
            "it is being terminated");
  EXPECT_EQ(master_
                .Http("PUT", StrCat(kNs, "/finalize"),
                      R"({"kind":"Namespace","metadata":{"name":"foo"},"spec":{}})")
                .status,
            200u);
  EXPECT_EQ(master_.Get(kNs).status, 404u);
}

TEST_F(WritesTest, EvictionDeletesThePod) {
  master_.MakeAccount();
  master_.MakePod("p", "node-1");
  const auto evicted =
      master_.Post(StrCat(kPods, "/p/eviction"),
                   R"({"kind":"Eviction","apiVersion":"policy/v1","metadata":{"name":"p"}})");
  EXPECT_EQ(evicted.status, 201u) << evicted.body;
  EXPECT_NE(master_.Get(StrCat(kPods, "/p")).Text("/metadata/deletionTimestamp"), "null");
}

TEST_F(WritesTest, ACollectionIsDeletedByItsSelector) {
  master_.Post(kMaps, R"({"kind":"ConfigMap","metadata":{"name":"a","labels":{"x":"1"}}})");
  master_.Post(kMaps, R"({"kind":"ConfigMap","metadata":{"name":"b","labels":{"x":"1"}}})");
  master_.Post(kMaps, R"({"kind":"ConfigMap","metadata":{"name":"c"}})");
  EXPECT_EQ(master_.Http("DELETE", StrCat(kMaps, "?labelSelector=x%3D1")).status, 200u);
  const auto rest = master_.Get(kMaps);
  ASSERT_EQ(rest.At("/items").get_array().size(), 1u);
  EXPECT_EQ(rest.Text("/items/0/metadata/name"), "c");
}

TEST_F(WritesTest, PodsGetWhatAdmissionGives) {
  master_.MakeAccount();
  master_.MakePod("p");
  const auto pod = master_.Get(StrCat(kPods, "/p"));
  EXPECT_EQ(pod.Text("/spec/serviceAccountName"), "default");
  EXPECT_EQ(pod.Text("/spec/tolerations/0/key"), "node.kubernetes.io/not-ready");
  EXPECT_EQ(pod.Text("/spec/tolerations/1/tolerationSeconds"), "300");
  EXPECT_EQ(pod.Text("/spec/priority"), "0");
  EXPECT_EQ(pod.Text("/status/phase"), "Pending");
  EXPECT_EQ(pod.Text("/status/qosClass"), "BestEffort");
}

TEST_F(WritesTest, APodWaitsAMomentForTheDefaultServiceAccount) {
  constexpr const char* kPod =
      R"({"kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}})";
  EXPECT_EQ(master_.Post(kPods, kPod).status, 0u);
  const uint64_t waits = master_.last_request();
  master_.MakeAccount();
  master_.Advance(Writes::kAccountInterval);
  EXPECT_EQ(master_.More(waits).status, 201u);
  master_.Post("/api/v1/namespaces", R"({"kind":"Namespace","metadata":{"name":"n"}})");
  master_.Post("/api/v1/namespaces/n/pods", kPod);
  const uint64_t refused = master_.last_request();
  for (int i = 0; i < Writes::kAccountTriesMax; ++i) master_.Advance(Writes::kAccountInterval);
  const auto answer = master_.More(refused);
  EXPECT_EQ(answer.status, 403u);
  EXPECT_EQ(answer.Text("/message"),
            "pods \"p\" is forbidden: error looking up service account n/default: serviceaccount "
            "\"default\" not found");
}

TEST_F(WritesTest, TheServersOwnServiceComesBack) {
  constexpr const char* kOwn = "/api/v1/namespaces/default/services/kubernetes";
  EXPECT_EQ(master_.Http("DELETE", kOwn).status, 200u);
  master_.Advance(ApiServer::kStartRetryInterval);
  EXPECT_EQ(master_.Get(kOwn).Text("/spec/clusterIP"), "10.96.0.1");
}

TEST_F(WritesTest, SubresourcesThatAKindDoesNotHaveAreRefusedOnTheBusToo) {
  ConfigMap map;
  map.mutable_metadata()->set_name("m");
  map.mutable_metadata()->set_namespace_("default");
  const Object object = Object::From(std::move(map));
  master_.Post(kMaps, MapBody("1"));
  for (const char* subresource : {"finalize", "status", "scale", "nosuch"}) {
    EXPECT_EQ(master_.Call("lb/part", UpdateRequest(object, subresource), object).response.code(),
              404u);
  }
}

TEST_F(WritesTest, WhatOnlyTheStoreMaySayIsNotHeardFromOthers) {
  master_.Post(kMaps, MapBody("1"));
  bus::StoreEvent event;
  event.set_type(bus::StoreEvent::DELETE);
  const Object map = master_.server().cache().Find(KindOf<ConfigMap>(), "default", "m");
  master_.Deliver("node-1/kubelet", event, {map});
  EXPECT_EQ(master_.Get(kMap).status, 200u);
}

TEST_F(WritesTest, ARestartedServerHasEveryAcknowledgedWrite) {
  auto disk = std::make_shared<MemoryDisk>();
  std::string created;
  {
    MasterHarness first({}, disk);
    created = first.Post(kMaps, MapBody("1")).body;
  }
  MasterHarness second({}, disk);
  EXPECT_EQ(second.Get(kMap).body, created);
}

}  // namespace
}  // namespace kubemu
