// A pod that is being deleted gets no new connection, on whichever node the client knocks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "messages/core/strings.h"
#include "tests/simulation/world.h"

namespace kubemu {
namespace {

using testing::SizeIs;

constexpr int kNodes = 20;

constexpr char kShop[] = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 10}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, nodePort: 30080}]
)";

struct Victim {
  std::string path;   // of the API
  std::string place;  // "10.244.3.2:80"
  WallTime stored{};
  std::map<std::string, WallTime> applied;  // node: when its rules knew
};

// The first rules of each node that follow from the deletion.
void ReadApplied(MessageLog& log, Victim* victim) {
  uint64_t trace = 0;
  for (const SeenMessage* message : log.Ordered()) {
    if (message->kind == "HttpRequest" && message->what == "DELETE " + victim->path) {
      trace = message->trace_id;
    }
    if (trace == 0 || message->trace_id != trace) continue;
    if (message->kind == "HttpResponse" && victim->stored == WallTime{}) {
      victim->stored = message->sent;
    }
    if (message->kind == "IptablesRestored") {
      victim->applied.try_emplace(std::string(ProcessOf(message->from)), message->sent);
    }
  }
}

TEST(Termination, NoNodeSendsANewConnectionToAPodThatIsBeingDeleted) {
  SimCluster cluster({.nodes = kNodes, .seed = 5});
  ASSERT_TRUE(cluster.RunUntilReady());
  ASSERT_EQ(cluster.Apply(kShop), "");
  ASSERT_TRUE(cluster.RunUntil([&] { return RunningPods(cluster, "web") == 6; }, 30s));
  std::vector<Victim> victims;
  for (const auto& pod :
       Items(cluster, "/api/v1/namespaces/default/pods?labelSelector=app%3Dweb")) {
    if (victims.size() == 3) break;
    Victim victim;
    victim.path = "/api/v1/namespaces/default/pods/" + JsonText(pod, "/metadata/name");
    victim.place = JsonText(pod, "/status/podIP") + ":80";
    victims.push_back(victim);
  }
  ASSERT_THAT(victims, SizeIs(3));
  // Clients knock at every node, before, during and after.
  std::vector<uint64_t> requests;
  const auto knock = [&](int rounds) {
    for (int i = 0; i < rounds; ++i) {
      for (int node = 1; node <= kNodes; ++node) {
        requests.push_back(cluster.StartCurl(NodePortOf(node)));
      }
      cluster.Run(5ms);
    }
  };
  knock(20);
  std::vector<uint64_t> deletions;
  for (const Victim& victim : victims) {  // one by one: each on a trace of its own
    deletions.push_back(cluster.Start("DELETE", victim.path));
    knock(40);
  }
  cluster.Run(4s);
  knock(20);
  cluster.Run(2s);
  for (const uint64_t request : deletions) EXPECT_EQ(cluster.answer(request).status, 200);
  for (const uint64_t request : requests) {
    EXPECT_EQ(cluster.curl_answer(request).status, 200) << cluster.curl_answer(request).error;
  }

  MessageLog log = cluster.Messages();
  for (Victim& victim : victims) {
    ReadApplied(log, &victim);
    ASSERT_NE(victim.stored, WallTime{});
    EXPECT_THAT(victim.applied, SizeIs(kNodes));
    for (const auto& [node, at] : victim.applied) EXPECT_LE(at - victim.stored, 2s) << node;
    size_t before = 0;
    for (const SeenMessage* message : log.Ordered()) {
      if (message->kind != "FlowOpen" || !message->what.ends_with("-> " + victim.place)) continue;
      const std::string node(ProcessOf(message->from));
      const SeenMessage* cause = log.Find(message->cause);
      // The kubelet's probes go on; what another node has decided is passed on.
      if (cause == nullptr || cause->from.ends_with("/kubelet") ||
          cause->from.ends_with("/iptables") || message->from.ends_with("/kubelet")) {
        continue;
      }
      if (!victim.applied.contains(node) || message->sent <= victim.applied.at(node)) {
        ++before;
        continue;
      }
      ADD_FAILURE() << node << " sent a connection to " << victim.place << " after its rules knew";
    }
    EXPECT_GT(before, 0u);  // the test would see them
  }
}

}  // namespace
}  // namespace kubemu
