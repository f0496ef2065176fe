// kill -9 and its like: acknowledged writes stay, the cluster comes back by itself, and traffic
// goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <set>
#include <string>

#include "tests/cluster/cluster.h"

namespace kubemu {
namespace {

using testing::HasSubstr;

constexpr char kWebOfThree[] = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations:
      - key: node.kubernetes.io/unreachable
        operator: Exists
        effect: NoExecute
        tolerationSeconds: 5
      - key: node.kubernetes.io/not-ready
        operator: Exists
        effect: NoExecute
        tolerationSeconds: 5
      containers:
      - {name: web, image: nginx, ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: 8080, targetPort: 80}]
)";

bool IsReady(Cluster& cluster, const std::string& node) {
  return cluster.Get("node " + node, "{.status.conditions[?(@.type==\"Ready\")].status}") == "True";
}

TEST(BadLuck, AcknowledgedWritesSurviveKillsOfTheMaster) {
  Cluster cluster({"--nodes", "2"});
  std::set<std::string> acknowledged;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 5; ++i) {
      const std::string name = "cm-" + std::to_string(round) + "-" + std::to_string(i);
      if (cluster
              .Kubectl("create configmap " + name +
                       " --from-literal=round=" + std::to_string(round))
              .code == 0) {
        acknowledged.insert(name);
      }
    }
    cluster.Signal("master", SIGKILL);
    ASSERT_TRUE(Eventually([&] { return cluster.State("master") == "gone"; }));
    ASSERT_EQ(cluster.Kubemu("up").code, 0);
    const std::string stored = cluster.Get("configmaps", "{.items[*].metadata.name}") + " ";
    for (const std::string& name : acknowledged) EXPECT_THAT(stored, HasSubstr(name + " "));
  }
  EXPECT_EQ(acknowledged.size(), 20u);
}

TEST(BadLuck, NodesAndWatchesComeBackWhenTheMasterIsKilled) {
  Cluster cluster({"--nodes", "2"});
  cluster.Apply(kWebOfThree);
  ASSERT_TRUE(cluster.RolledOut("web"));
  const std::string url = "http://" + cluster.LoadBalancerIp("web") + ":8080/";
  ASSERT_TRUE(Eventually([&] { return !cluster.Curl(url).empty(); }));
  cluster.Signal("master", SIGKILL);
  ASSERT_TRUE(Eventually([&] { return cluster.State("master") == "gone"; }));
  EXPECT_NE(cluster.Curl(url), "");  // the data path needs no master
  ASSERT_EQ(cluster.Kubemu("up").code, 0);
  // Everyone's watches work again: a scaled Deployment gets its pods, and they get traffic.
  EXPECT_EQ(cluster.Kubectl("scale deployment web --replicas=4").code, 0);
  EXPECT_TRUE(Eventually(
      [&] { return cluster.Get("deployment web", "{.status.availableReplicas}") == "4"; }, 10));
  std::set<std::string> answers;
  EXPECT_TRUE(Eventually(
      [&] {
        answers.insert(cluster.Curl(url));
        return answers.size() >= 4;
      },
      10));
}

TEST(BadLuck, AKilledNodesPodsAreReplacedAndRequestsGoOn) {
  Cluster cluster({"--nodes", "3", "--time-scale", "20"});
  cluster.Apply(kWebOfThree);
  ASSERT_TRUE(cluster.RolledOut("web"));
  const std::string url = "http://" + cluster.LoadBalancerIp("web") + ":8080/";
  ASSERT_TRUE(Eventually([&] { return !cluster.Curl(url).empty(); }));
  const std::string victim = cluster.Get("pods -l app=web", "{.items[0].spec.nodeName}");
  cluster.Signal(victim, SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !IsReady(cluster, victim); }));
  EXPECT_THAT(cluster.Kubectl("get nodes").out, HasSubstr("NotReady"));
  // Two pods that are not on the dead node answer.
  EXPECT_TRUE(Eventually(
      [&] {
        std::set<std::string> nodes;
        for (int i = 0; i < 10; ++i) nodes.insert(cluster.Curl(url));
        nodes.erase("");
        bool dead = false;
        for (const std::string& answer : nodes) dead |= answer.find(victim) != std::string::npos;
        return nodes.size() == 2 && !dead;
      },
      60));
  // And it comes back.
  ASSERT_EQ(cluster.Kubemu("up").code, 0);
  EXPECT_TRUE(IsReady(cluster, victim));
}

TEST(BadLuck, UpStartsOnlyWhatIsMissing) {
  Cluster cluster({"--nodes", "2"});
  const auto pids = [&] {
    std::map<std::string, int64_t> result;
    const boost::json::value status = boost::json::parse(cluster.Kubemu("status -o json").out);
    for (const auto& process : status.at("processes").as_array()) {
      result[process.at("name").as_string().c_str()] = process.at("pid").as_int64();
    }
    return result;
  };
  const auto before = pids();
  cluster.Signal("lb", SIGKILL);
  ASSERT_TRUE(Eventually([&] { return cluster.State("lb") == "gone"; }));
  ASSERT_EQ(cluster.Kubemu("up --nodes 3").code, 0);
  const auto after = pids();
  EXPECT_EQ(after.at("master"), before.at("master"));
  EXPECT_EQ(after.at("node-1"), before.at("node-1"));
  EXPECT_NE(after.at("lb"), before.at("lb"));
  EXPECT_TRUE(after.contains("node-3"));
  EXPECT_TRUE(IsReady(cluster, "node-3"));
}

TEST(BadLuck, TwoClustersRunSideBySide) {
  Cluster one({"--nodes", "1"});
  Cluster two({"--nodes", "1"});
  one.Apply(kWebOfThree);
  EXPECT_TRUE(one.RolledOut("web"));
  EXPECT_EQ(two.Get("deployments", "{.items[*].metadata.name}"), "");
  EXPECT_NE(one.NodeIp(1), two.NodeIp(1));
}

// While a cluster was down, another one came to use its addresses.
TEST(BadLuck, AClusterThatComesBackTakesNobodyElsesAddresses) {
  Cluster one({"--nodes", "1"});
  ASSERT_EQ(one.Kubectl("create configmap mine --from-literal=a=b").code, 0);
  ASSERT_EQ(one.Kubemu("down").code, 0);
  Cluster two({"--nodes", "1"});
  const CommandResult up = one.Kubemu("up");
  ASSERT_EQ(up.code, 0) << up.err;
  EXPECT_EQ(one.State("master"), "running");
  EXPECT_NE(one.NodeIp(1), two.NodeIp(1));
  EXPECT_EQ(one.Get("configmap mine", "{.data.a}"), "b");
  EXPECT_NE(two.Kubectl("get configmap mine").code, 0);
  EXPECT_TRUE(IsReady(one, "node-1"));
}

// Processes whose standard output goes into a file below `folder`.
size_t ProcessesWithLogsIn(const std::filesystem::path& folder) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::error_code error;
    const std::string log = std::filesystem::read_symlink(entry.path() / "fd" / "1", error);
    if (!error && log.starts_with(folder.string())) ++count;
  }
  return count;
}

TEST(BadLuck, AnInterruptedUpLeavesNoProcessThatNobodyKnows) {
  Cluster cluster({"--nodes", "1"});
  ASSERT_GT(ProcessesWithLogsIn(cluster.home()), 2u);  // the check sees something
  for (const char* seconds : {"0.05", "0.1", "0.2", "0.4"}) {
    RunProgram(
        {"timeout", "-s", "KILL", seconds, KUBEMU_PROGRAM_DIR "/kubemu", "up", "--nodes", "200"},
        {{"KUBEMU_HOME", cluster.home().string()}, {"KUBEMU_CLUSTER", "default"}});
    ASSERT_EQ(cluster.Kubemu("down").code, 0);
    EXPECT_TRUE(Eventually([&] { return ProcessesWithLogsIn(cluster.home()) == 0; }))
        << ProcessesWithLogsIn(cluster.home()) << " processes are left after " << seconds << " s";
  }
}

TEST(BadLuck, DownEndsExactlyWhatUpStarted) {
  Cluster cluster({"--nodes", "2"});
  ASSERT_EQ(cluster.Kubemu("down").code, 0);
  for (const char* name : {"master", "node-1", "node-2", "lb"}) {
    EXPECT_EQ(cluster.State(name), "gone") << name;
  }
  ASSERT_EQ(cluster.Kubemu("up").code, 0);  // with the state it had
  EXPECT_TRUE(IsReady(cluster, "node-2"));
}

}  // namespace
}  // namespace kubemu
