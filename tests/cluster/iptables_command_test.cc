// `kubemu iptables` against a running cluster: what it prints is what the real tools take, and what
// happens to real requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <boost/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/cluster/cluster.h"

namespace kubemu {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kWeb[] = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: nginx, ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports:
  - {port: 8080, targetPort: 80, nodePort: 30080}
)";

class IptablesCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.Apply(kWeb);
    ASSERT_TRUE(cluster_.RolledOut("web"));
    ASSERT_TRUE(Eventually([&] { return !cluster_.Curl(Url()).empty(); }));
    cluster_.Signal("lb", SIGSTOP);  // its health checks are counted in the rules
  }
  std::string Url() { return "http://" + cluster_.NodeIp(1) + ":30080/"; }
  // Node-1's rules for the Service web with their counters. The other rules may change at any time:
  // cluster DNS becomes ready, kubelets probe their pods.
  std::string WebRules() {
    std::istringstream all(cluster_.Kubemu("iptables save node-1 -c").out);
    std::string rules;
    for (std::string line; std::getline(all, line);) {
      if (line.find("default/web") != std::string::npos) rules += line + "\n";
    }
    return rules;
  }

  Cluster cluster_{{"--nodes", "2"}};
};

TEST_F(IptablesCommandTest, SavePrintsWhatTheRealToolTakes) {
  const CommandResult all = cluster_.Kubemu("iptables save node-1");
  ASSERT_EQ(all.code, 0) << all.err;
  EXPECT_THAT(all.out, StartsWith("*filter\n"));
  EXPECT_THAT(all.out, HasSubstr("default/web"));
  const CommandResult nat = cluster_.Kubemu("iptables save node-1 -t nat -c");
  EXPECT_THAT(nat.out, StartsWith("*nat\n"));
  EXPECT_THAT(nat.out, testing::ContainsRegex("\\[[1-9][0-9]*:[0-9]+\\] -A KUBE-NODEPORTS"));
  // The rules may change between two questions: cluster DNS becomes ready.
  EXPECT_TRUE(Eventually([&] {
    const auto json = boost::json::parse(cluster_.Kubemu("iptables save node-1 -o json").out);
    return json.at("rules").as_string() == cluster_.Kubemu("iptables save node-1").out;
  }));
  if (RunProgram({"unshare", "-n", "true"}).code != 0) {
    GTEST_SKIP() << "NOT TESTED with iptables-restore: no network namespaces here";
  }
  const CommandResult real =
      RunProgram({"unshare", "-n", "iptables-restore", "--test"}, {}, all.out);
  EXPECT_EQ(real.code, 0) << real.err;
}

TEST_F(IptablesCommandTest, ExplainSaysWhereARequestGoesAndChangesNothing) {
  const std::string before = WebRules();
  ASSERT_THAT(before, testing::ContainsRegex("\\[[1-9][0-9]*:[0-9]+\\] -A KUBE-NODEPORTS"));
  const std::string to = cluster_.NodeIp(1) + ":30080";
  const CommandResult text = cluster_.Kubemu("iptables explain node-1 --from 127.0.0.1 --to " + to);
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("matched: -p tcp -m comment --comment \"default/web\""));
  EXPECT_THAT(text.out, HasSubstr("verdict:   ACCEPT, to 10.244."));
  EXPECT_THAT(text.out, HasSubstr("50.00 %"));
  const CommandResult json =
      cluster_.Kubemu("iptables explain node-1 --from 127.0.0.1:4000 --to " + to + " -o json");
  EXPECT_EQ(boost::json::parse(json.out).at("odds").as_array().size(), 2u);
  EXPECT_EQ(WebRules(), before);
}

TEST_F(IptablesCommandTest, ErrorsSayWhatToDo) {
  const CommandResult unknown = cluster_.Kubemu("iptables save node-9");
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("there is no node node-9; \"kubectl get nodes\" lists them"));
  const CommandResult bad =
      cluster_.Kubemu("iptables explain node-1 --from 1.2.3 --to 10.0.0.1:80");
  EXPECT_EQ(bad.code, 2);
  EXPECT_THAT(bad.err, HasSubstr("--from \"1.2.3\" is not an IPv4 address"));
  EXPECT_EQ(cluster_.Kubemu("iptables save node-1 -t mangle").code, 2);
  EXPECT_EQ(cluster_.Kubemu("iptables").code, 2);
  cluster_.Signal("node-2", SIGSTOP);
  const CommandResult silent = cluster_.Kubemu("iptables save node-2");
  cluster_.Signal("node-2", SIGCONT);
  EXPECT_EQ(silent.code, 1);
  EXPECT_THAT(silent.err, HasSubstr("node-2 does not answer at tcp://"));
  EXPECT_EQ(RunProgram({KUBEMU_PROGRAM_DIR "/kubemu", "--cluster", "nowhere", "iptables", "save",
                        "node-1"})
                .code,
            1);
}

// Several people may ask the same node at once.
TEST_F(IptablesCommandTest, QuestionsAtTheSameTimeAreAllAnswered) {
  std::vector<CommandResult> results(4);
  std::vector<std::thread> threads;
  for (CommandResult& result : results) {
    threads.emplace_back([&] { result = cluster_.Kubemu("iptables save node-1"); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const CommandResult& result : results) {
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_THAT(result.out, StartsWith("*filter\n"));
  }
}

}  // namespace
}  // namespace kubemu
