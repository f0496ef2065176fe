// Deployments, ReplicaSets and the scheduler with the real API server and store, in one process,
// driven as kubectl drives them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>
#include <set>

#include "master/controllers/deployment_controller.h"
#include "master/controllers/garbage_collector.h"
#include "master/controllers/replicaset_controller.h"
#include "master/controllers/service_account_controller.h"
#include "master/scheduler/scheduler.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "tests/master/apiserver/master_harness.h"

namespace kubemu {
namespace {

using k8s::core::v1::Pod;
using testing::HasSubstr;

// All kubelets at once: pods run kStart after they have a node and go kStop after they were told.
class Kubelets : public Component {
 public:
  static constexpr Duration kStart = 500ms;
  static constexpr Duration kStop = 300ms;

  void Receive(const Message& message, Env& env) override {
    for (const Informer::Change& change : pods_.Receive(message, env)) {
      if (change.after)
        due_.emplace(env.now + (IsGoing(change.after) ? kStop : kStart), change.key);
    }
  }
  void Tick(Env& env) override {
    pods_.Tick(env);
    while (!due_.empty() && due_.begin()->first <= env.now) {
      const Object pod = pods_.Find(due_.begin()->second);
      due_.erase(due_.begin());
      if (pod) Act(pod, env);
    }
  }
  Time NextWake() const override {
    return due_.empty() ? pods_.NextWake() : std::min(pods_.NextWake(), due_.begin()->first);
  }
  const std::map<std::string, Object>& pods() const { return pods_.objects(); }

 private:
  static bool IsGoing(const Object& pod) { return pod.meta().has_deletion_timestamp(); }

  void Act(const Object& object, Env& env) {
    if (IsGoing(object)) {
      bus::ApiRequest request =
          DeleteRequest(object.kind(), object.meta().namespace_(), object.meta().name());
      request.set_grace_period_seconds(0);
      env.outbox.Send(std::string(kApiServerAddress), std::move(request));
      return;
    }
    Pod pod = object.As<Pod>();
    if (pod.spec().node_name().empty() || pod.status().phase() == "Running") return;
    pod.mutable_status()->set_phase("Running");
    auto* ready = pod.mutable_status()->add_conditions();
    ready->set_type("Ready");
    ready->set_status("True");
    const Object updated = Object::From(std::move(pod));
    env.outbox.Send(std::string(kApiServerAddress), UpdateRequest(updated, "status"), {updated});
  }

  Informer pods_{1, {.kind = &KindOf<Pod>()}};
  std::multimap<Time, std::string> due_;
};

class WorkloadsWithApiServer : public testing::Test {
 protected:
  WorkloadsWithApiServer() {
    Process& process = api_.process();
    process.Add("master/controllers/serviceaccount", &service_account_);
    process.Add("master/controllers/deployment", &deployment_);
    process.Add("master/controllers/replicaset", &replicaset_);
    process.Add("master/controllers/garbagecollector", &garbage_collector_);
    process.Add("master/scheduler", &scheduler_);
    process.Add("master/kubelets", &kubelets_);
    Live(1s);
  }

  void Live(Duration duration) {
    const Time end = api_.now() + duration;
    for (int turns = 0; api_.now() < end; ++turns) {
      ASSERT_LT(turns, 50'000) << "the controllers do not come to rest";
      api_.Advance(std::min(end, api_.process().NextWake()) - api_.now());
      Check();
    }
  }
  // What must hold after every turn.
  void Check() {
    int active = 0;
    int ready = 0;
    for (const auto& [key, object] : kubelets_.pods()) {
      if (object.meta().has_deletion_timestamp()) continue;
      ++active;
      ready += object.As<Pod>().status().phase() == "Running" ? 1 : 0;
    }
    ASSERT_LE(active, most_);
    ASSERT_GE(ready, least_);
    most_seen_ = std::max(most_seen_, active);
    least_seen_ = std::min(least_seen_, ready);
  }

  void MakeNode(const std::string& name, const std::string& cpu, const std::string& pods) {
    const auto made = api_.Post(
        "/api/v1/nodes",
        StrCat(R"({"apiVersion":"v1","kind":"Node","metadata":{"name":")", name, R"("}})"));
    ASSERT_EQ(made.status, 201u) << made.body;
    const auto patched = api_.Http("PATCH", StrCat("/api/v1/nodes/", name, "/status"),
                                   StrCat(R"({"status":{"allocatable":{"cpu":")", cpu,
                                          R"(","memory":"8Gi","pods":")", pods, R"("}}})"),
                                   "application/merge-patch+json");
    ASSERT_EQ(patched.status, 200u) << patched.body;
    const auto untainted = api_.Http("PATCH", StrCat("/api/v1/nodes/", name),
                                     R"({"spec":{"taints":null}})", "application/merge-patch+json");
    ASSERT_EQ(untainted.status, 200u) << untainted.body;
  }
  void MakeDeployment(int replicas) {
    const auto answer = api_.Post(
        "/apis/apps/v1/namespaces/default/deployments",
        StrCat(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{
               "replicas":)",
               replicas, R"(,"selector":{"matchLabels":{"app":"web"}},"template":{
               "metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"main",
               "image":"nginx:1","ports":[{"containerPort":80}]}]}}}})"));
    ASSERT_EQ(answer.status, 201u) << answer.body;
  }
  MasterHarness::Answer Patch(const std::string& patch, const std::string& type) {
    return api_.Http("PATCH", kWeb, patch, type);
  }
  void SetImage(const std::string& image) {
    const auto answer =
        Patch(StrCat(R"({"spec":{"template":{"spec":{"containers":[{"name":"main","image":")",
                     image, R"("}]}}}})"),
              "application/strategic-merge-patch+json");
    ASSERT_EQ(answer.status, 200u) << answer.body;
  }
  MasterHarness::Answer Get() { return api_.Get(kWeb); }
  MasterHarness::Answer Sets() { return api_.Get("/apis/apps/v1/namespaces/default/replicasets"); }
  void ExpectRolledOut(const std::string& replicas) {
    const auto web = Get();
    EXPECT_EQ(web.Text("/status/updatedReplicas"), replicas) << web.body;
    EXPECT_EQ(web.Text("/status/availableReplicas"), replicas);
    EXPECT_EQ(web.Text("/status/replicas"), replicas);
    EXPECT_EQ(web.Text("/status/observedGeneration"), web.Text("/metadata/generation"));
  }

  static constexpr const char* kWeb = "/apis/apps/v1/namespaces/default/deployments/web";
  int most_ = 1'000'000;
  int least_ = 0;
  int most_seen_ = 0;
  int least_seen_ = 1'000'000;
  MasterHarness api_;
  ServiceAccountController service_account_;
  DeploymentController deployment_;
  ReplicaSetController replicaset_;
  GarbageCollector garbage_collector_;
  Scheduler scheduler_;
  Kubelets kubelets_;
};

TEST_F(WorkloadsWithApiServer, ADeploymentBecomesRunningPodsOnAllNodes) {
  for (const char* node : {"node-1", "node-2", "node-3"}) MakeNode(node, "4", "110");
  MakeDeployment(6);
  Live(3s);
  ExpectRolledOut("6");
  std::map<std::string, int> nodes;
  for (const auto& [key, pod] : kubelets_.pods()) ++nodes[pod.As<Pod>().spec().node_name()];
  EXPECT_THAT(nodes, testing::ElementsAre(testing::Pair("node-1", 2), testing::Pair("node-2", 2),
                                          testing::Pair("node-3", 2)));
  EXPECT_THAT(api_.Get("/api/v1/namespaces/default/events").body,
              HasSubstr("Successfully assigned default/web-"));
}

TEST_F(WorkloadsWithApiServer, ARollingUpdateKeepsItsBoundsAndCanBeUndone) {
  MakeNode("node-1", "4", "110");
  MakeDeployment(4);
  Live(3s);
  const auto first = Sets();
  most_ = 5;
  least_ = 3;
  least_seen_ = 4;
  SetImage("nginx:2");
  Live(10s);
  EXPECT_EQ(most_seen_, 5);
  EXPECT_EQ(least_seen_, 3);
  ExpectRolledOut("4");
  EXPECT_THAT(Get().body, HasSubstr(R"("deployment.kubernetes.io/revision":"2")"));
  // As kubectl rollout undo does: the old ReplicaSet's template, without the hash label.
  boost::json::value old = first.At("/items/0/spec/template");
  old.as_object()["metadata"].as_object()["labels"].as_object().erase("pod-template-hash");
  const auto undone = Patch(StrCat(R"([{"op":"replace","path":"/spec/template","value":)",
                                   std::string(boost::json::serialize(old).c_str()), "}]"),
                            "application/json-patch+json");
  ASSERT_EQ(undone.status, 200u) << undone.body;
  Live(10s);
  ExpectRolledOut("4");
  EXPECT_EQ(Sets().At("/items").as_array().size(), 2u);
  EXPECT_THAT(Get().body, HasSubstr(R"("deployment.kubernetes.io/revision":"3")"));
  for (const auto& [key, pod] : kubelets_.pods()) {
    EXPECT_EQ(pod.As<Pod>().spec().containers(0).image(), "nginx:1");
  }
}

TEST_F(WorkloadsWithApiServer, RecreateStopsAllBeforeItStartsAny) {
  MakeNode("node-1", "4", "110");
  MakeDeployment(3);
  ASSERT_EQ(Patch(R"({"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}})",
                  "application/strategic-merge-patch+json")
                .status,
            200u);
  Live(3s);
  most_ = 3;
  SetImage("nginx:2");
  for (int i = 0; i < 50; ++i) {
    Live(100ms);
    std::set<std::string> images;
    for (const auto& [key, pod] : kubelets_.pods()) {
      images.insert(pod.As<Pod>().spec().containers(0).image());
    }
    ASSERT_LE(images.size(), 1u);
  }
  ExpectRolledOut("3");
}

TEST_F(WorkloadsWithApiServer, ScaleChangesOnlyTheNumberOfPods) {
  MakeNode("node-1", "4", "110");
  MakeDeployment(2);
  Live(3s);
  for (const char* replicas : {"7", "1", "0", "3"}) {
    const auto answer = api_.Http("PATCH", std::string(kWeb) + "/scale",
                                  StrCat(R"({"spec":{"replicas":)", replicas, "}}"),
                                  "application/merge-patch+json");
    ASSERT_EQ(answer.status, 200u) << answer.body;
    Live(5s);
    EXPECT_EQ(std::to_string(kubelets_.pods().size()), replicas);
  }
  EXPECT_EQ(Sets().At("/items").as_array().size(), 1u);
}

TEST_F(WorkloadsWithApiServer, HistoryIsCutAtItsLimit) {
  MakeNode("node-1", "4", "110");
  MakeDeployment(1);
  ASSERT_EQ(Patch(R"({"spec":{"revisionHistoryLimit":2}})", "application/merge-patch+json").status,
            200u);
  for (int i = 2; i <= 6; ++i) {
    SetImage(StrCat("nginx:", i));
    Live(5s);
  }
  EXPECT_EQ(Sets().At("/items").as_array().size(), 3u);
}

TEST_F(WorkloadsWithApiServer, ADeletedDeploymentTakesItsPodsAlong) {
  MakeNode("node-1", "4", "110");
  MakeDeployment(3);
  Live(3s);
  EXPECT_EQ(api_.Http("DELETE", kWeb).status, 200u);
  Live(5s);
  EXPECT_TRUE(kubelets_.pods().empty());
  EXPECT_TRUE(Sets().At("/items").as_array().empty());
}

TEST_F(WorkloadsWithApiServer, AnUnschedulablePodSaysWhyAndIsPlacedWhenThereIsRoom) {
  MakeNode("node-1", "4", "2");
  MakeDeployment(3);
  Live(3s);
  EXPECT_EQ(Get().Text("/status/availableReplicas"), "2");
  EXPECT_THAT(api_.Get("/api/v1/namespaces/default/events").body,
              HasSubstr("0/1 nodes are available: 1 Too many pods. preemption: 0/1 nodes are "
                        "available: 1 No preemption victims found for incoming pod."));
  EXPECT_THAT(api_.Get("/api/v1/namespaces/default/pods").body,
              HasSubstr(R"("reason":"Unschedulable")"));
  MakeNode("node-2", "4", "110");
  Live(12s);
  ExpectRolledOut("3");
}

TEST_F(WorkloadsWithApiServer, RandomPodsNeverExceedANode) {
  constexpr int64_t kMilliCpu = 2000;
  for (const char* node : {"node-1", "node-2", "node-3"}) MakeNode(node, "2", "9");
  Random random(5);
  std::vector<std::string> names;
  for (int i = 0; i < 80; ++i) {
    const std::string name = StrCat("pod-", i);
    const auto made = api_.Post(
        "/api/v1/namespaces/default/pods",
        StrCat(
            R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")", name,
            R"("},"spec":{"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":")",
            50 + random.Uniform(800), R"(m"}}}]}})"));
    ASSERT_EQ(made.status, 201u) << made.body;
    names.push_back(name);
    if (random.Chance(0.6)) {
      const size_t at = random.Uniform(names.size());
      api_.Http("DELETE", "/api/v1/namespaces/default/pods/" + names[at]);
      names.erase(names.begin() + static_cast<ptrdiff_t>(at));
    }
    Live(Duration(random.Uniform(1'000'000'000)));
    std::map<std::string, std::pair<int64_t, int>> used;
    for (const auto& [key, pod] : kubelets_.pods()) {
      const PodInfo info(pod);
      if (info.node_name.empty()) continue;
      used[info.node_name].first += info.requests.milli_cpu;
      ++used[info.node_name].second;
    }
    for (const auto& [node, sums] : used) {
      ASSERT_LE(sums.first, kMilliCpu) << node;
      ASSERT_LE(sums.second, 9) << node;
    }
  }
  EXPECT_GT(names.size(), 15u);
}

}  // namespace
}  // namespace kubemu
