// Cluster DNS in a whole cluster: coredns runs as pods, containers find Services by their names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lab/observe/message_log.h"
#include "messages/core/strings.h"
#include "tests/simulation/world.h"

namespace kubemu {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class DnsWorld : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(cluster_.RunUntilReady());
    ASSERT_TRUE(cluster_.RunUntil([&] { return ReadyDnsPods(cluster_) == 2; }, 30s));
    ASSERT_EQ(cluster_.Apply(WebManifest(2)), "");
    ASSERT_TRUE(cluster_.RunUntil([&] { return RunningPods(cluster_, "web") == 2; }, 30s));
    cluster_.Run(1s);
  }
  std::string LogOf(const std::string& pod) {
    return cluster_.Request("GET", "/api/v1/namespaces/default/pods/" + pod + "/log").body;
  }
  // Runs a shell command in a busybox pod to its end; its log.
  std::string InPod(const std::string& pod, const std::string& script,
                    const std::string& extra = "") {
    EXPECT_EQ(cluster_.Apply(StrCat("apiVersion: v1\nkind: Pod\nmetadata: {name: ", pod,
                                    "}\nspec:\n  restartPolicy: Never\n", extra,
                                    "  containers:\n  - name: c\n    image: busybox\n    command: "
                                    "[sh, -c, '",
                                    script, "']\n")),
              "");
    const auto ended = [&] {
      const auto object = cluster_.Get("/api/v1/namespaces/default/pods/" + pod);
      const std::string phase = JsonText(object, "/status/phase");
      return phase == "Succeeded" || phase == "Failed";
    };
    EXPECT_TRUE(cluster_.RunUntil(ended, 60s)) << pod;
    return LogOf(pod);
  }
  std::string AddressOf(const std::string& service) {
    return JsonText(cluster_.Get("/api/v1/namespaces/default/services/" + service),
                    "/spec/clusterIP");
  }

  SimCluster cluster_{{.nodes = 2, .seed = 5, .cluster_dns = true}};
};

TEST_F(DnsWorld, AContainerCallsAServiceByItsName) {
  EXPECT_THAT(InPod("caller", "wget -qO- http://web:8080/"), HasSubstr("Answered by pod web-"));
  EXPECT_THAT(InPod("far", "wget -qO- http://web.default.svc.cluster.local.:8080/"),
              HasSubstr("Answered by pod web-"));
  EXPECT_EQ(InPod("lost", "wget -qO- http://nothing:8080/ || echo ended $?"),
            "wget: bad address 'nothing:8080'\nended $?\n");
}

TEST_F(DnsWorld, TheQueryIsAChainOfMessages) {
  InPod("caller", "wget -qO- http://web:8080/");
  MessageLog log = cluster_.Messages();
  std::vector<std::string> hops;
  uint64_t trace = 0;
  for (const SeenMessage* message : log.Ordered()) {
    if (message->kind != "Datagram") continue;
    if (trace == 0) trace = message->trace_id;
    EXPECT_EQ(message->trace_id, trace);
    hops.push_back(message->from.substr(message->from.find('/') + 1) + " > " +
                   message->to.substr(message->to.find('/') + 1));
  }
  ASSERT_GE(hops.size(), 4u);
  EXPECT_EQ(hops.front(), "pod/default/caller > iptables");
  EXPECT_EQ(hops.back(), "iptables > pod/default/caller");
  EXPECT_THAT(StrJoin(hops, "\n"), HasSubstr("iptables > pod/kube-system/coredns-"));
  EXPECT_THAT(StrJoin(hops, "\n"), HasSubstr("pod/kube-system/coredns-"));
}

TEST_F(DnsWorld, LookupsAndFilesAreAPods) {
  const std::string web = AddressOf("web");
  EXPECT_EQ(InPod("lookup", "nslookup web.default.svc.cluster.local"),
            StrCat("Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n",
                   "Name:\tweb.default.svc.cluster.local\nAddress: ", web, "\n\n\n"));
  EXPECT_THAT(InPod("reverse", "nslookup " + web), HasSubstr("\tname = web.default.svc.cluster."));
  EXPECT_THAT(InPod("version", "nslookup -type=txt dns-version.cluster.local"),
              HasSubstr("text = \"1.1.0\""));
  EXPECT_EQ(InPod("files", "cat /etc/resolv.conf /etc/hostname; hostname -f",
                  "  hostname: api-0\n  subdomain: api\n"),
            "search default.svc.cluster.local svc.cluster.local cluster.local\n"
            "nameserver 10.96.0.10\noptions ndots:5\napi-0\n"
            "api-0.api.default.svc.cluster.local\n");
}

TEST_F(DnsWorld, APodOfAHeadlessServiceHasItsOwnName) {
  ASSERT_EQ(cluster_.Apply(R"(
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {app: db}}
spec:
  hostname: db-0
  subdomain: db
  containers: [{name: db, image: kubemu/service, args: [--answer, i-am-the-database]}]
)"),
            "");
  ASSERT_TRUE(cluster_.RunUntil([&] { return RunningPods(cluster_, "db") == 1; }, 30s));
  cluster_.Run(1s);
  EXPECT_THAT(InPod("caller", "curl -s http://db-0.db:8080/"), StartsWith("i-am-the-database\n"));
  EXPECT_THAT(InPod("other", "curl -s http://db:8080/"), StartsWith("i-am-the-database\n"));
}

TEST_F(DnsWorld, WithoutNameServersLookupsFailAfterTheirTime) {
  const auto answer =
      cluster_.Request("PATCH", "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
                       R"({"spec":{"replicas":0}})", "application/merge-patch+json");
  ASSERT_TRUE(answer.ok()) << answer.body;
  ASSERT_TRUE(cluster_.RunUntil([&] { return ReadyDnsPods(cluster_) == 0; }, 60s));
  cluster_.Run(5s);
  const Time before = cluster_.now();
  EXPECT_EQ(InPod("caller", "curl http://web:8080/"), "curl: (6) Could not resolve host: web\n");
  EXPECT_GE(cluster_.now() - before, 10s);  // two attempts of 5 s
}

TEST_F(DnsWorld, TwoRunsOfOneSeedAreAlike) {
  const auto run = [] {
    SimCluster cluster({.nodes = 2, .seed = 9, .cluster_dns = true});
    cluster.Run(10s);
    return cluster.Messages().size();
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace kubemu
