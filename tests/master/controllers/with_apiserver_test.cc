// The controllers against the real API server and store, in one process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/controllers/endpoint_slice_controller.h"
#include "master/controllers/endpoints_controller.h"
#include "master/controllers/garbage_collector.h"
#include "master/controllers/namespace_controller.h"
#include "master/controllers/node_ipam_controller.h"
#include "master/controllers/node_lifecycle_controller.h"
#include "master/controllers/pod_garbage_collector.h"
#include "master/controllers/service_account_controller.h"
#include "master/controllers/taint_eviction_controller.h"
#include "messages/core/strings.h"
#include "tests/master/apiserver/master_harness.h"

namespace kubemu {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class WithApiServer : public ::testing::Test {
 protected:
  WithApiServer() {
    Process& process = api_.process();
    process.Add("master/controllers/endpointslice", &endpoint_slice_);
    process.Add("master/controllers/endpoints", &endpoints_);
    process.Add("master/controllers/namespace", &namespace_);
    process.Add("master/controllers/serviceaccount", &service_account_);
    process.Add("master/controllers/nodeipam", &node_ipam_);
    process.Add("master/controllers/nodelifecycle", &node_lifecycle_);
    process.Add("master/controllers/tainteviction", &taint_eviction_);
    process.Add("master/controllers/garbagecollector", &garbage_collector_);
    process.Add("master/controllers/podgc", &pod_garbage_collector_);
    Live(1s);
  }
  // Lets time pass, wake by wake.
  void Live(Duration duration) {
    const Time end = api_.now() + duration;
    int turns = 0;
    while (api_.now() < end) {
      ASSERT_LT(++turns, 20'000) << "the controllers do not come to rest";
      const Time next = std::min(end, api_.process().NextWake());
      api_.Advance(next - api_.now());
    }
  }
  void MakeNode(const std::string& name) {
    const auto answer = api_.Post(
        "/api/v1/nodes",
        StrCat(R"({"apiVersion":"v1","kind":"Node","metadata":{"name":")", name, R"("}})"));
    ASSERT_EQ(answer.status, 201u) << answer.body;
    PatchStatus(StrCat("/api/v1/nodes/", name), R"({"conditions":[{"type":"Ready","status":"True",
                "reason":"KubeletReady","lastHeartbeatTime":"2023-11-14T22:13:20Z"}]})");
  }
  void PatchStatus(const std::string& path, const std::string& status) {
    const auto answer = api_.Http("PATCH", path + "/status", StrCat(R"({"status":)", status, "}"),
                                  "application/strategic-merge-patch+json");
    ASSERT_EQ(answer.status, 200u) << answer.body;
  }
  void MakeRunningPod(const std::string& name, const std::string& node, const std::string& ip) {
    api_.MakePod(name, node, R"("app":"web")");
    PatchStatus("/api/v1/namespaces/default/pods/" + name,
                StrCat(R"({"phase":"Running","podIP":")", ip,
                       R"(","conditions":[{"type":"Ready","status":"True"}]})"));
  }
  void MakeService() {
    const auto answer = api_.Post("/api/v1/namespaces/default/services",
                                  R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},
            "spec":{"selector":{"app":"web"},"ports":[{"port":80,"targetPort":8080}]}})");
    ASSERT_EQ(answer.status, 201u) << answer.body;
  }
  // Time goes by while these nodes' kubelets post their status.
  void LiveWithHeartbeats(Duration duration, const std::vector<std::string>& nodes) {
    for (Duration done{}; done < duration; done += 10s) {
      const int minute = heartbeats_ / 60;
      const int second = heartbeats_++ % 60;
      for (const std::string& node : nodes) {
        PatchStatus(StrCat("/api/v1/nodes/", node),
                    StrCat(R"({"conditions":[{"type":"Ready","status":"True",)",
                           R"("lastHeartbeatTime":"2023-11-15T00:0)", minute, ":", second / 10,
                           second % 10, R"(Z"}]})"));
      }
      Live(10s);
    }
  }
  std::string Slices() {
    return api_
        .Get(
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
            "?labelSelector=kubernetes.io/service-name%3Dweb")
        .body;
  }
  uint32_t StatusOf(const std::string& path) { return api_.Get(path).status; }

  MasterHarness api_;
  int heartbeats_ = 0;
  EndpointSliceController endpoint_slice_;
  EndpointsController endpoints_;
  NamespaceController namespace_;
  ServiceAccountController service_account_;
  NodeIpamController node_ipam_;
  NodeLifecycleController node_lifecycle_;
  TaintEvictionController taint_eviction_;
  GarbageCollector garbage_collector_;
  PodGarbageCollector pod_garbage_collector_;
};

TEST_F(WithApiServer, ANewNamespaceHasItsAccountAndRootCaAtOnce) {
  api_.Post("/api/v1/namespaces",
            R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"team"}})");
  EXPECT_EQ(StatusOf("/api/v1/namespaces/team/serviceaccounts/default"), 200u);
  EXPECT_EQ(StatusOf("/api/v1/namespaces/team/configmaps/kube-root-ca.crt"), 200u);
}

TEST_F(WithApiServer, ADeletedNamespaceTakesEverythingWithIt) {
  api_.Post("/api/v1/namespaces",
            R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"team"}})");
  api_.Post("/api/v1/namespaces/team/pods",
            R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},
                "spec":{"containers":[{"name":"c","image":"nginx"}]}})");
  ASSERT_EQ(StatusOf("/api/v1/namespaces/team/pods/p"), 200u);
  api_.Http("DELETE", "/api/v1/namespaces/team");
  Live(2s);
  EXPECT_EQ(StatusOf("/api/v1/namespaces/team/pods/p"), 404u);
  EXPECT_EQ(StatusOf("/api/v1/namespaces/team/serviceaccounts/default"), 404u);
  EXPECT_EQ(StatusOf("/api/v1/namespaces/team"), 404u);
}

TEST_F(WithApiServer, NodesGetTheirPodRangesAtOnce) {
  MakeNode("node-1");
  MakeNode("node-2");
  EXPECT_EQ(api_.Get("/api/v1/nodes/node-1").Text("/spec/podCIDR"), "10.244.0.0/24");
  EXPECT_EQ(api_.Get("/api/v1/nodes/node-2").Text("/spec/podCIDRs/0"), "10.244.1.0/24");
}

TEST_F(WithApiServer, AReadyNodeLosesItsNotReadyTaint) {
  MakeNode("node-1");
  Live(1s);
  EXPECT_THAT(api_.Get("/api/v1/nodes/node-1").body, Not(HasSubstr("not-ready")));
}

TEST_F(WithApiServer, SlicesAndEndpointsFollowThePodsOfAService) {
  MakeNode("node-1");
  MakeService();
  MakeRunningPod("web-1", "node-1", "10.244.0.2");
  Live(10ms);
  EXPECT_THAT(Slices(), HasSubstr("10.244.0.2"));
  EXPECT_THAT(Slices(), HasSubstr(R"("ready":true)"));
  Live(200ms);
  EXPECT_THAT(api_.Get("/api/v1/namespaces/default/endpoints/web").body, HasSubstr("10.244.0.2"));
  api_.Http("DELETE", "/api/v1/namespaces/default/pods/web-1?gracePeriodSeconds=0");
  Live(200ms);
  EXPECT_THAT(Slices(), Not(HasSubstr("10.244.0.2")));
}

TEST_F(WithApiServer, ADeletedServiceTakesItsSlicesAndEndpointsWithIt) {
  MakeService();
  Live(200ms);
  ASSERT_THAT(Slices(), HasSubstr("web-"));
  api_.Http("DELETE", "/api/v1/namespaces/default/services/web");
  Live(200ms);
  EXPECT_THAT(Slices(), Not(HasSubstr("web-")));
  EXPECT_EQ(StatusOf("/api/v1/namespaces/default/endpoints/web"), 404u);
}

TEST_F(WithApiServer, APodOfALostNodeLeavesItsServiceAndIsEvictedAfterFiveMinutes) {
  for (const char* name : {"node-1", "node-2", "node-3"}) MakeNode(name);
  MakeService();
  MakeRunningPod("web-1", "node-3", "10.244.2.2");
  Live(1s);
  ASSERT_THAT(Slices(), HasSubstr(R"("ready":true)"));
  LiveWithHeartbeats(60s, {"node-1", "node-2"});
  EXPECT_THAT(api_.Get("/api/v1/nodes/node-3").body, HasSubstr("NodeStatusUnknown"));
  EXPECT_THAT(api_.Get("/api/v1/nodes/node-1").body, Not(HasSubstr("NodeStatusUnknown")));
  EXPECT_THAT(Slices(), HasSubstr(R"("ready":false)"));
  const std::string pod = "/api/v1/namespaces/default/pods/web-1";
  LiveWithHeartbeats(280s, {"node-1", "node-2"});
  EXPECT_EQ(api_.Get(pod).Text("/metadata/deletionTimestamp"), "null");
  LiveWithHeartbeats(30s, {"node-1", "node-2"});
  EXPECT_NE(api_.Get(pod).Text("/metadata/deletionTimestamp"), "null");
  EXPECT_THAT(api_.Get(pod).body, HasSubstr("DeletionByTaintManager"));
}

TEST_F(WithApiServer, PodsOfADeletedNodeAreRemoved) {
  MakeNode("node-1");
  MakeRunningPod("web-1", "node-1", "10.244.0.2");
  api_.Http("DELETE", "/api/v1/nodes/node-1");
  Live(70s);
  EXPECT_EQ(StatusOf("/api/v1/namespaces/default/pods/web-1"), 404u);
}

TEST_F(WithApiServer, AClusterAtRestIsNotWrittenTo) {
  MakeNode("node-1");
  MakeService();
  MakeRunningPod("web-1", "node-1", "10.244.0.2");
  Live(10s);
  const std::string before = api_.Get("/api/v1/namespaces").Text("/metadata/resourceVersion");
  ASSERT_NE(before, "null");
  Live(20s);
  EXPECT_EQ(api_.Get("/api/v1/namespaces").Text("/metadata/resourceVersion"), before);
}

}  // namespace
}  // namespace kubemu
