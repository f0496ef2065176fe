// Nodes whose data plane is the real kernel: a master and two nodes with --dataplane kernel, each
// in a network namespace of its own on one bridge, and a client beside them with curl.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "messages/api/json.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"
#include "node/iptables/ruleset.h"
#include "node/proxy/api_objects.h"
#include "node/proxy/compile_rules.h"
#include "tests/cluster/cluster.h"

namespace kubemu {
namespace {

using testing::HasSubstr;

// Namespaces joined by a bridge 10.77.0.0/24; gone with the object.
class Lan {
 public:
  ~Lan() {
    for (const auto& [name, space] : spaces_) Ip({"netns", "del", space});
  }

  // The first one has the bridge.
  bool Add(const std::string& name, int number) {
    const std::string space = StrCat("kubemu-k-", name, "-", getpid());
    const std::string address = StrCat("10.77.0.", number, "/24");
    if (!Ip({"netns", "add", space})) return false;
    spaces_[name] = space;
    if (!Ip({"-n", space, "link", "set", "lo", "up"})) return false;
    if (bridge_.empty()) {
      bridge_ = space;
      return Ip({"-n", space, "link", "add", "br0", "type", "bridge"}) &&
             Ip({"-n", space, "address", "add", address, "dev", "br0"}) &&
             Ip({"-n", space, "link", "set", "br0", "up"});
    }
    const std::string port = StrCat("port", number);
    return Ip({"-n", bridge_, "link", "add", port, "type", "veth", "peer", "name", "uplink",
               "netns", space}) &&
           Ip({"-n", bridge_, "link", "set", port, "master", "br0", "up"}) &&
           Ip({"-n", space, "address", "add", address, "dev", "uplink"}) &&
           Ip({"-n", space, "link", "set", "uplink", "up"}) &&
           // Or no packet for a ClusterIP gets as far as the rules.
           Ip({"-n", space, "route", "add", "default", "via", "10.77.0.1"});
  }

  std::vector<std::string> In(const std::string& name, std::vector<std::string> command) const {
    command.insert(command.begin(), {"ip", "netns", "exec", spaces_.at(name)});
    return command;
  }
  std::string Run(const std::string& name, std::vector<std::string> command) const {
    return RunProgram(In(name, std::move(command))).out;
  }
  std::string Curl(const std::string& name, const std::string& url) const {
    return Run(name, {"curl", "-sS", "--max-time", "2", url});
  }
  // Names of the veth interfaces that lead to pods.
  std::set<std::string> Veths(const std::string& name) const {
    std::set<std::string> veths;
    std::istringstream lines(Run(name, {"ip", "-brief", "link", "show", "type", "veth"}));
    for (std::string line; std::getline(lines, line);) {
      const std::string veth = line.substr(0, line.find('@'));
      if (veth.starts_with("veth")) veths.insert(veth);
    }
    return veths;
  }
  void Kill(const std::string& name, int signal) const {
    std::istringstream pids(RunProgram({"ip", "netns", "pids", spaces_.at(name)}).out);
    for (pid_t pid = 0; pids >> pid;) ::kill(pid, signal);
  }

 private:
  static bool Ip(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "ip");
    return RunProgram(arguments).code == 0;
  }

  std::map<std::string, std::string> spaces_;  // "n1": the namespace
  std::string bridge_;
};

std::string VethOf(const std::string& ip) {
  const auto parsed = Ipv4::Parse(ip);
  char name[16];
  std::snprintf(name, sizeof name, "veth%08x", parsed.ok() ? parsed->bits() : 0);
  return name;
}

class KernelClusterTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!lan_.Add("m", 1) || !lan_.Add("n1", 2) || !lan_.Add("n2", 3) || !lan_.Add("client", 9)) {
      std::printf("\n*** SKIPPED: network namespaces are not allowed here (needs root) ***\n\n");
      GTEST_SKIP();
    }
    home_ = (std::filesystem::temp_directory_path() / "kubemu-kernel-XXXXXX").string();
    ASSERT_NE(mkdtemp(home_.data()), nullptr);
    processes_.push_back(std::make_unique<Background>(
        lan_.In("m", {folder_ + "/kubemu-master", "--endpoint", "tcp://10.77.0.1:7100", "--listen",
                      "127.0.0.1:6443", "--data", home_ + "/master", "--insecure"}),
        home_ + "/master.log"));
    StartNode("n1", "10.77.0.2");
    StartNode("n2", "10.77.0.3");
    ASSERT_TRUE(Eventually([&] { return Get("nodes", Ready()) == "True True"; })) << home_;
  }
  void TearDown() override {
    processes_.clear();
    if (!home_.empty() && !HasFailure()) std::filesystem::remove_all(home_);
  }

  static std::string Ready() {
    return "{.items[*].status.conditions[?(@.type==\"Ready\")].status}";
  }
  void StartNode(const std::string& name, const std::string& address) {
    processes_.push_back(std::make_unique<Background>(
        lan_.In(name, {folder_ + "/kubemu-node", "--name", name, "--master", "tcp://10.77.0.1:7100",
                       "--address", address, "--insecure", "--dataplane", "kernel"}),
        home_ + "/" + name + ".log"));
  }
  CommandResult Kubectl(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), {"kubectl", "--server", "http://127.0.0.1:6443"});
    return RunProgram(lan_.In("m", words), {{"HOME", home_}}, input);
  }
  std::string Get(const std::string& what, const std::string& jsonpath) {
    std::vector<std::string> words = {"get"};
    for (std::string_view word : StrSplit(what, ' ')) words.emplace_back(word);
    words.push_back("-o=jsonpath=" + jsonpath);
    return Kubectl(words).out;
  }
  // Pod name to "node ip", of the pods of "web".
  std::map<std::string, std::pair<std::string, std::string>> Pods() {
    std::map<std::string, std::pair<std::string, std::string>> pods;
    std::istringstream lines(Get("pods -l app=web",
                                 "{range .items[*]}{.metadata.name} {.spec.nodeName} "
                                 "{.status.podIP}{\"\\n\"}{end}"));
    std::string name;
    std::string node;
    for (std::string ip; lines >> name >> node >> ip;) pods[name] = {node, ip};
    return pods;
  }
  // kube-proxy's chains of that text, as the emulated tables print them.
  static std::map<std::string, std::string> Chains(const std::string& text);
  // The rules that kube-proxy of that node writes for what the API server has.
  std::string Compiled(const std::string& node, const std::string& ip);
  void DeploymentIsThere();

  const std::string folder_ = KUBEMU_PROGRAM_DIR;
  Lan lan_;
  std::string home_;
  std::vector<std::unique_ptr<Background>> processes_;
};

constexpr char kWeb[] = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: nginx
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  clusterIP: 10.96.7.7
  selector: {app: web}
  ports:
  - {port: 8080, targetPort: 80, nodePort: 30080}
---
apiVersion: v1
kind: Pod
metadata: {name: front, labels: {app: front}}
spec:
  containers:
  - {name: c, image: kubemu/service, args: ["--call", "http://10.96.7.7:8080/"]}
)";

std::map<std::string, std::string> KernelClusterTest::Chains(const std::string& text) {
  std::map<std::string, std::string> chains;
  auto input = iptables::ParseRestore(text);
  if (!input.ok()) {
    ADD_FAILURE() << input.status() << "\n" << text;
    return chains;
  }
  iptables::Ruleset ruleset;
  std::erase_if(*input, [](const auto& update) { return update.chains.empty(); });
  if (const auto status = ruleset.Restore(*std::move(input), false); !status.ok()) {
    ADD_FAILURE() << status;
  }
  for (const auto table : {iptables::Table::kFilter, iptables::Table::kNat}) {
    for (const auto* chain : ruleset.AllChains(table)) {
      std::string& rules =
          chains[StrCat(table == iptables::Table::kNat ? "nat " : "filter ", chain->name)];
      for (const auto& rule : chain->rules) {
        StrAppend(&rules, iptables::RuleText(rule), "\n");
      }
      if (chain->builtin && rules.empty()) {
        chains.erase(StrCat(table == iptables::Table::kNat ? "nat " : "filter ", chain->name));
      }
    }
  }
  return chains;
}

std::string KernelClusterTest::Compiled(const std::string& node, const std::string& ip) {
  proxy::ServiceMap map;
  const auto each = [&](const std::string& kind, const auto& take) {
    const auto list = ParseJson(Kubectl({"get", kind, "-A", "-o", "json"}).out);
    ASSERT_TRUE(list.ok()) << list.status();
    for (const auto& item : list->at("items").as_array()) take(item);
  };
  each("services", [&](const boost::json::value& item) {
    k8s::core::v1::Service service;
    ASSERT_TRUE(FromJson(item, &service, nullptr).ok());
    map.SetService(StrCat(service.metadata().namespace_(), "/", service.metadata().name()),
                   proxy::PortsOf(service));
  });
  each("endpointslices", [&](const boost::json::value& item) {
    k8s::discovery::v1::EndpointSlice slice;
    ASSERT_TRUE(FromJson(item, &slice, nullptr).ok());
    const std::string service = proxy::ServiceOf(slice);
    map.SetSlice(slice.metadata().name(), service, proxy::EndpointsOf(slice, service));
  });
  proxy::ProxyNode proxy_node;
  proxy_node.name = node;
  proxy_node.ip = *Ipv4::Parse(ip);
  proxy_node.cluster_cidr = *Ipv4Network::Parse("10.244.0.0/16");
  return proxy::RestoreText(proxy::CompileRules(map, proxy_node));
}

void KernelClusterTest::DeploymentIsThere() {
  ASSERT_EQ(Kubectl({"apply", "-f", "-"}, kWeb).code, 0);
  ASSERT_EQ(Kubectl({"rollout", "status", "deployment/web", "--timeout=20s"}).code, 0) << home_;
  ASSERT_EQ(Kubectl({"wait", "--for=condition=Ready", "pod/front", "--timeout=20s"}).code, 0);
  std::set<std::string> nodes;
  for (const auto& [name, pod] : Pods()) nodes.insert(pod.first);
  ASSERT_EQ(nodes.size(), 2u) << "the scheduler has spread the pods";
}

TEST_F(KernelClusterTest, TrafficGoesThroughTheRealKernel) {
  DeploymentIsThere();
  const auto pods = Pods();

  // From outside to the NodePort of one node: pods on both nodes answer.
  std::set<std::string> answered;
  EXPECT_TRUE(Eventually([&] {
    const std::string answer = lan_.Curl("client", "http://10.77.0.2:30080/");
    for (const auto& [name, pod] : pods) {
      if (answer.find(name) != std::string::npos) answered.insert(pod.first);
    }
    return answered.size() == 2;
  })) << "see "
      << home_;

  // From a node, and from a pod, to the ClusterIP.
  EXPECT_THAT(lan_.Curl("n1", "http://10.96.7.7:8080/"), HasSubstr("pod web-"));
  const std::string front = Get("pod front", "{.status.podIP}");
  EXPECT_THAT(lan_.Curl("n2", "http://" + front + ":8080/"), HasSubstr("pod web-"));

  // Each node reaches every pod at its address, without any Service.
  for (const auto& [name, pod] : pods) {
    for (const char* node : {"n1", "n2"}) {
      EXPECT_THAT(lan_.Curl(node, "http://" + pod.second + "/"), HasSubstr("pod " + name));
    }
    EXPECT_TRUE(lan_.Veths(pod.first).contains(VethOf(pod.second)));
  }

  // kube-proxy's health, at a real port.
  EXPECT_EQ(lan_.Run("client", {"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
                                "http://10.77.0.3:10256/healthz"}),
            "200");

  // The kernel has the rules that the emulated tables would have.
  for (const auto& [node, ip] :
       std::map<std::string, std::string>{{"n1", "10.77.0.2"}, {"n2", "10.77.0.3"}}) {
    const std::string saved = lan_.Run(node, {"iptables-save"});
    EXPECT_EQ(Chains(saved), Chains(Compiled(node, ip)));
    EXPECT_THAT(saved, HasSubstr("10.96.7.7/32"));
  }
}

TEST_F(KernelClusterTest, WhatGoesLeavesNothing) {
  DeploymentIsThere();
  const auto before = Pods();
  ASSERT_EQ(Kubectl({"scale", "deployment/web", "--replicas=1"}).code, 0);
  ASSERT_TRUE(Eventually([&] { return Pods().size() == 1; }));
  const auto after = Pods();
  // A pod that is gone has no interface any more.
  for (const auto& [name, pod] : before) {
    EXPECT_TRUE(Eventually([&] {
      return lan_.Veths(pod.first).contains(VethOf(pod.second)) == after.contains(name);
    })) << name;
  }
  EXPECT_TRUE(Eventually([&] {
    return lan_.Curl("client", "http://10.77.0.3:30080/").find(after.begin()->first) !=
           std::string::npos;
  }));

  // Neither have those of a node that was killed; rules stay with the namespace.
  const std::string node = after.begin()->second.first;
  EXPECT_FALSE(lan_.Veths(node).empty());
  lan_.Kill(node, SIGKILL);
  EXPECT_TRUE(Eventually([&] { return lan_.Veths(node).empty(); }));
  EXPECT_THAT(lan_.Run(node, {"iptables-save"}), HasSubstr("KUBE-SERVICES"));

  // Started again, the node finds its way back.
  StartNode(node, node == "n1" ? "10.77.0.2" : "10.77.0.3");
  EXPECT_TRUE(Eventually([&] {
    return lan_.Curl("client", "http://10.77.0.3:30080/").find("pod web-") != std::string::npos;
  })) << "see "
      << home_;
}

TEST(KernelDataplaneFlags, TheMachinesOwnNetworkIsNotTouched) {
  const std::string program = KUBEMU_PROGRAM_DIR "/kubemu-node";
  const CommandResult own = RunProgram(
      {program, "--name", "n", "--address", "10.77.0.2", "--insecure", "--dataplane", "kernel"});
  EXPECT_EQ(own.code, 2);
  EXPECT_THAT(own.err, HasSubstr("--dataplane kernel: "));
  if (geteuid() == 0) {
    EXPECT_THAT(own.err, HasSubstr("ip netns exec"));
  }
  const CommandResult loopback =
      RunProgram({program, "--name", "n", "--insecure", "--dataplane", "kernel"});
  EXPECT_EQ(loopback.code, 2);
  EXPECT_THAT(loopback.err, HasSubstr("loopback address"));
  const CommandResult unknown = RunProgram({program, "--name", "n", "--dataplane", "magic"});
  EXPECT_EQ(unknown.code, 2);
}

}  // namespace
}  // namespace kubemu
