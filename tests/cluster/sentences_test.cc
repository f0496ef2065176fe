// The article that kubemu comes from, sentence by sentence, on real processes with the real
// kubectl and curl. Each test also looks into the journal: which messages, in which order, from
// whom to whom.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <set>
#include <sstream>

#include "tests/cluster/cluster.h"

namespace kubemu {
namespace {

using testing::HasSubstr;

// A Deployment of kubemu/service and a Service of the same name. {name}, {replicas}, {args}, {type}
// and {extra} (more of the pod's spec) are filled in.
std::string Web(const std::string& name, int replicas, const std::string& type,
                const std::string& node_port, const std::string& extra = "") {
  std::string text = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      EXTRA
      terminationGracePeriodSeconds: 1
      containers:
      - {name: web, image: nginx, ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  type: TYPE
  selector: {app: NAME}
  ports:
  - {port: 8080, targetPort: 80NODEPORT}
)";
  const auto replace = [&text](const std::string& what, const std::string& by) {
    for (size_t at = text.find(what); at != std::string::npos;
         at = text.find(what, at + by.size())) {
      text.replace(at, what.size(), by);
    }
  };
  replace("NAME", name);
  replace("REPLICAS", std::to_string(replicas));
  replace("TYPE", type);
  replace("NODEPORT", node_port.empty() ? "" : ", nodePort: " + node_port);
  replace("EXTRA", extra);
  return text;
}

std::string OnNode(const std::string& node) {
  return "nodeSelector: {kubernetes.io/hostname: " + node + "}";
}

std::set<std::string> Words(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> words;
  for (std::string word; in >> word;) words.insert(word);
  return words;
}

std::string ReadyReason(Cluster& cluster, const std::string& node) {
  return cluster.Get("node " + node,
                     "{.status.conditions[?(@.type==\"Ready\")].status}/"
                     "{.status.conditions[?(@.type==\"Ready\")].reason}/"
                     "{.status.conditions[?(@.type==\"Ready\")].message}");
}

// 1. "A machine that can run containers joins and becomes a Node object; its checks pass: Ready."
TEST(Sentence01, AMachineJoinsAndBecomesReady) {
  Cluster cluster({"--nodes", "2"});
  EXPECT_EQ(ReadyReason(cluster, "node-1"), "True/KubeletReady/kubelet is posting ready status");
  // It asks its engine and registers at the same time; what it reports needs both.
  const Hop report = {"node-1/kubelet", "master/apiserver", "ApiRequest",
                      "UPDATE nodes/status node-1"};
  EXPECT_TRUE(cluster.EventuallySaw({
      {"node-1/kubelet", "node-1/engine", "EngineStatusRequest", ""},
      {"node-1/engine", "node-1/kubelet", "EngineStatus", ""},
      report,
  }));
  EXPECT_TRUE(cluster.EventuallySaw({
      {"node-1/kubelet", "master/apiserver", "ApiRequest", "CREATE nodes node-1"},
      {"master/apiserver", "master/store", "StoreTxn", "nodes/node-1"},
      {"master/apiserver", "node-1/kubelet", "ApiResponse", "201 nodes node-1"},
      report,
  }));
}

// 1. "… one that fails its checks shows NotReady, with the reason": its engine is down.
TEST(Sentence01, ANodeWhoseEngineIsDownIsNotReady) {
  Cluster cluster({"--nodes", "2", "--time-scale", "10"});
  ASSERT_EQ(cluster.Kubemu("engine stop node-2").code, 0);
  EXPECT_TRUE(Eventually([&] {
    return ReadyReason(cluster, "node-2") == "False/KubeletNotReady/container runtime is down";
  }));
  EXPECT_THAT(cluster.Kubectl("get nodes").out, HasSubstr("NotReady"));
  EXPECT_TRUE(cluster.Saw({
      {"lab", "node-2/engine", "EngineControl", "down"},
      {"node-2/kubelet", "master/apiserver", "ApiRequest", "UPDATE nodes/status node-2"},
  }));
  ASSERT_EQ(cluster.Kubemu("engine start node-2").code, 0);
  EXPECT_TRUE(Eventually([&] {
    return ReadyReason(cluster, "node-2") == "True/KubeletReady/kubelet is posting ready status";
  }));
}

// 1. "… (network to the master lost)": a stopped process says nothing, though its connection lives.
TEST(Sentence01, ANodeThatNoLongerReportsIsUnknown) {
  Cluster cluster({"--nodes", "2", "--time-scale", "20"});
  cluster.Signal("node-2", SIGSTOP);
  EXPECT_TRUE(Eventually([&] {
    return ReadyReason(cluster, "node-2") ==
           "Unknown/NodeStatusUnknown/Kubelet stopped posting node status.";
  }));
  EXPECT_TRUE(cluster.EventuallySaw({
      {"master/controllers/nodelifecycle", "master/apiserver", "ApiRequest", "node-2"},
      {"master/apiserver", "lb", "WatchEvent", "MODIFIED nodes node-2"},
  }));
  cluster.Signal("node-2", SIGCONT);
  EXPECT_TRUE(Eventually([&] { return ReadyReason(cluster, "node-2").starts_with("True/"); }));
}

// 2. "`kubectl get nodes` lists it, `kubectl describe nodes` shows its details."
TEST(Sentence02, KubectlListsAndDescribesNodes) {
  Cluster cluster({"--nodes", "3"});
  const std::string list = cluster.Kubectl("get nodes").out;
  for (const char* part : {"node-1", "node-2", "node-3", "Ready", "v1.33."}) {
    EXPECT_THAT(list, HasSubstr(part));
  }
  const CommandResult describe = cluster.Kubectl("describe nodes");
  EXPECT_EQ(describe.code, 0) << describe.err;
  for (const char* part : {"Name:               node-3",
                           "Roles:",
                           "Labels:",
                           "kubernetes.io/hostname=node-3",
                           "Annotations:",
                           "CreationTimestamp:",
                           "Taints:             <none>",
                           "Unschedulable:      false",
                           "Lease:",
                           "HolderIdentity:  node-3",
                           "RenewTime:",
                           "Conditions:",
                           "KubeletHasSufficientMemory   kubelet has sufficient memory available",
                           "Addresses:",
                           "InternalIP:",
                           "Capacity:",
                           "Allocatable:",
                           "System Info:",
                           "Container Runtime Version:",
                           "Kubelet Version:            v1.33.",
                           "PodCIDR:",
                           "Non-terminated Pods:",
                           "Allocated resources:",
                           "Events:",
                           "RegisteredNode"}) {
    EXPECT_THAT(describe.out, HasSubstr(part));
  }
  EXPECT_TRUE(cluster.EventuallySaw({
      {"client/kubectl", "master/apiserver", "HttpRequest", "GET /api/v1/nodes"},
      {"master/apiserver", "client/kubectl", "HttpResponse", "200"},
  }));
}

// 3. "Many services share a node; the scheduler places pods by what they ask for and what is left,
// never over a node's capacity."
TEST(Sentence03, PodsNeverExceedANodesCapacity) {
  Cluster cluster({"--nodes", "2", "--cpu", "2", "--no-cluster-dns"});  // coredns takes 100m each
  cluster.Apply(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: greedy}
spec:
  replicas: 9
  selector: {matchLabels: {app: greedy}}
  template:
    metadata: {labels: {app: greedy}}
    spec:
      containers:
      - {name: c, image: nginx, resources: {requests: {cpu: 500m}}}
)");
  const auto running = [&](const std::string& node) {
    const std::string names =
        cluster.Get("pods --field-selector spec.nodeName=" + node, "{.items[*].metadata.name}");
    return Words(names).size();
  };
  EXPECT_TRUE(Eventually([&] { return running("node-1") == 4 && running("node-2") == 4; }));
  EXPECT_TRUE(Eventually([&] {
    const CommandResult events = cluster.Kubectl("get events");
    return events.out.find("0/2 nodes are available: 2 Insufficient cpu.") != std::string::npos;
  }));
  EXPECT_EQ(
      Words(cluster.Get("pods --field-selector status.phase=Pending", "{.items[*].metadata.name}"))
          .size(),
      1u);
  EXPECT_TRUE(cluster.EventuallySaw({
      {"master/apiserver", "master/scheduler", "WatchEvent", "ADDED pods default/greedy"},
      {"master/scheduler", "master/apiserver", "ApiRequest", "CREATE pods/binding"},
  }));
}

// 4. "A cluster has N nodes; each has an engine; pods hold 1, 2 or 3 containers."
TEST(Sentence04, PodsHoldOneTwoOrThreeContainers) {
  Cluster cluster({"--nodes", "3", "--no-cluster-dns"});
  for (int containers = 1; containers <= 3; ++containers) {
    const std::string pod = "pod-" + std::to_string(containers);
    std::string manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: " + pod +
                           "}\nspec:\n  nodeName: node-" + std::to_string(containers) +
                           "\n  containers:\n";
    for (int i = 1; i <= containers; ++i) {
      manifest +=
          "  - {name: c" + std::to_string(i) + ", image: busybox, args: [sleep, infinity]}\n";
    }
    cluster.Apply(manifest);
  }
  for (int containers = 1; containers <= 3; ++containers) {
    const std::string number = std::to_string(containers);
    EXPECT_TRUE(Eventually([&] {
      return cluster.Kubectl("get pod pod-" + number).out.find(number + "/" + number) !=
             std::string::npos;
    })) << containers;
    const std::string engine = "node-" + number + "/engine";
    EXPECT_TRUE(
        cluster.EventuallySaw({{"node-" + number + "/kubelet", engine, "RunPodSandbox", ""},
                               {"node-" + number + "/kubelet", engine, "StartContainer", ""},
                               {engine, "node-" + number + "/kubelet", "EngineEvent", ""}}));
    EXPECT_EQ(cluster.Count({"", engine, "StartContainer", ""}), containers);
  }
}

// 5. "Each node has its own iptables: it limits what may come in …"
TEST(Sentence05, IptablesLimitsWhatComesIn) {
  Cluster cluster({"--nodes", "2"});
  cluster.Apply(Web("empty", 0, "NodePort", "30090"));
  // No endpoints: REJECT, so the connection is refused at once and not by a time-out.
  const std::string url = "http://" + cluster.NodeIp(1) + ":30090/";
  EXPECT_TRUE(Eventually([&] {
    return RunProgram({"curl", "-sS", "--max-time", "3", url}).code != 28;
  }));
  EXPECT_EQ(cluster.Curl(url), "");
  cluster.Kubectl("scale deployment empty --replicas=1");
  ASSERT_TRUE(cluster.RolledOut("empty"));
  EXPECT_TRUE(Eventually([&] { return !cluster.Curl(url).empty(); }));
  EXPECT_TRUE(cluster.EventuallySaw({
      {"node-1/kube-proxy", "node-1/iptables", "IptablesRestore", ""},
      {"node-1/iptables", "node-1/kube-proxy", "IptablesRestored", "applied"},
      {"internet", "node-1/iptables", "FlowOpen", ":30090"},
  }));
}

// 5. "… and decides which pod gets a request."
TEST(Sentence05, IptablesDecidesWhichPodGetsARequest) {
  Cluster cluster({"--nodes", "2"});
  cluster.Apply(Web("web", 4, "NodePort", "30080"));
  ASSERT_TRUE(cluster.RolledOut("web"));
  const std::string url = "http://" + cluster.NodeIp(1) + ":30080/";
  std::set<std::string> answers;
  EXPECT_TRUE(Eventually([&] {
    const std::string answer = cluster.Curl(url);
    if (!answer.empty()) answers.insert(answer);
    return answers.size() == 4;
  }));
  // It was node-1's iptables that chose, each time: for a pod here, or for one of the other node.
  for (const std::string& pod :
       Words(cluster.Get("pods -l app=web", "{.items[*].metadata.name}"))) {
    const std::string node = cluster.Get("pod " + pod, "{.spec.nodeName}");
    const std::string at = cluster.Get("pod " + pod, "{.status.podIP}") + ":80";
    const std::string of_the_pod = node + "/pod/default/" + pod;
    std::vector<Hop> hops = {{"internet", "node-1/iptables", "FlowOpen", ":30080"}};
    if (node != "node-1") hops.push_back({"node-1/iptables", node + "/iptables", "FlowOpen", at});
    hops.push_back({node + "/iptables", of_the_pod, "FlowOpen", at});
    EXPECT_TRUE(cluster.EventuallySaw(hops)) << pod;
    if (node == "node-1") continue;
    EXPECT_EQ(cluster.Count({"internet", node + "/iptables", "", ""}), 0);
  }
}

// 6. "Containers of one pod talk over localhost:port; another pod's localhost is out of reach."
TEST(Sentence06, ContainersOfAPodTalkOverLocalhost) {
  Cluster cluster({"--nodes", "1"});
  cluster.Apply(R"(
apiVersion: v1
kind: Pod
metadata: {name: shop, labels: {app: shop}}
spec:
  containers:
  - {name: api, image: kubemu/service, args: [--listen, ":8080", --answer, api, --call, "http://localhost:9000/check"]}
  - {name: auth, image: kubemu/service, args: [--listen, "127.0.0.1:9000", --answer, auth-says-yes]}
---
apiVersion: v1
kind: Pod
metadata: {name: stranger, labels: {app: stranger}}
spec:
  containers:
  - {name: api, image: kubemu/service, args: [--listen, ":8080", --answer, api, --call, "http://localhost:9000/check"]}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  type: NodePort
  selector: {app: shop}
  ports: [{port: 80, targetPort: 8080, nodePort: 30081}]
---
apiVersion: v1
kind: Service
metadata: {name: stranger}
spec:
  type: NodePort
  selector: {app: stranger}
  ports: [{port: 80, targetPort: 8080, nodePort: 30082}]
)");
  const std::string node = "http://" + cluster.NodeIp(1);
  EXPECT_TRUE(Eventually(
      [&] { return cluster.Curl(node + ":30081/").find("auth-says-yes") != std::string::npos; }));
  // The stranger makes the same call. It ends at its own localhost, where nobody listens.
  std::string stranger;
  EXPECT_TRUE(Eventually([&] {
    stranger = cluster.Curl(node + ":30082/");
    return stranger.find("call http://localhost:9000/check -> ") != std::string::npos;
  }));
  EXPECT_THAT(stranger, HasSubstr("connection refused"));
  EXPECT_THAT(stranger, testing::Not(HasSubstr("auth-says-yes")));
  EXPECT_TRUE(cluster.EventuallySaw({
      {"node-1/iptables", "node-1/pod/default/shop", "FlowOpen", ":8080"},
      {"node-1/pod/default/shop", "node-1/pod/default/shop", "FlowOpen", "127.0.0.1:9000"},
  }));
  // Nobody else's call has come there.
  EXPECT_EQ(
      cluster.Count({"", "node-1/pod/default/shop", "FlowOpen", ":9000"}),
      cluster.Count({"node-1/pod/default/shop", "node-1/pod/default/shop", "FlowOpen", ":9000"}));
}

// 7. "The kubelet runs its node's pods and talks with the master the whole time."
TEST(Sentence07, TheKubeletTalksWithTheMasterTheWholeTime) {
  Cluster cluster({"--nodes", "2", "--time-scale", "20"});
  cluster.Apply(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  nodeName: node-1\n"
      "  containers: [{name: c, image: nginx}]\n");
  EXPECT_TRUE(cluster.EventuallySaw({
      {"master/apiserver", "node-1/kubelet", "WatchEvent", "ADDED pods default/p"},
      {"node-1/kubelet", "node-1/engine", "StartContainer", ""},
      {"node-1/kubelet", "master/apiserver", "ApiRequest", "UPDATE pods/status default/p"},
  }));
  const Hop renewal{"node-1/kubelet", "master/apiserver", "ApiRequest", "UPDATE leases"};
  const int before = cluster.Count(renewal);
  EXPECT_TRUE(Eventually([&] { return cluster.Count(renewal) >= before + 3; }));
}

// 8. "kube-proxy tells iptables about every change: a new pod receives requests, a deleted one no
// longer."
TEST(Sentence08, KubeProxyTellsIptablesAboutEveryChange) {
  Cluster cluster({"--nodes", "2"});
  cluster.Apply(Web("web", 1, "NodePort", "30080"));
  ASSERT_TRUE(cluster.RolledOut("web"));
  const std::string url = "http://" + cluster.NodeIp(2) + ":30080/";
  std::string first;
  ASSERT_TRUE(Eventually([&] { return !(first = cluster.Curl(url)).empty(); }));
  cluster.Kubectl("scale deployment web --replicas=2");
  std::set<std::string> answers;
  EXPECT_TRUE(Eventually([&] {
    if (const std::string answer = cluster.Curl(url); !answer.empty()) answers.insert(answer);
    return answers.size() >= 2;
  }));
  const std::string victim = cluster.Get("pods -l app=web", "{.items[0].metadata.name}");
  cluster.Kubectl("delete pod " + victim + " --wait=true");
  for (int i = 0; i < 20; ++i) {
    const std::string answer = cluster.Curl(url);
    EXPECT_THAT(answer, HasSubstr("Answered by pod web-"));
    EXPECT_THAT(answer, testing::Not(HasSubstr(victim)));
  }
  EXPECT_TRUE(cluster.EventuallySaw({
      {"master/apiserver", "node-2/kube-proxy", "WatchEvent", "endpointslices default/web"},
      {"node-2/kube-proxy", "node-2/iptables", "IptablesRestore", ""},
      {"client/kubectl", "master/apiserver", "HttpRequest", "DELETE"},
      {"master/apiserver", "node-2/kube-proxy", "WatchEvent", "endpointslices default/web"},
      {"node-2/kube-proxy", "node-2/iptables", "IptablesRestore", ""},
  }));
}

// 9. "The load balancer takes outside requests and picks the node."
TEST(Sentence09, TheLoadBalancerPicksTheNode) {
  Cluster cluster({"--nodes", "3"});
  cluster.Apply(Web("web", 3, "LoadBalancer", ""));
  ASSERT_TRUE(cluster.RolledOut("web"));
  const std::string url = "http://" + cluster.LoadBalancerIp("web") + ":8080/";
  ASSERT_TRUE(Eventually([&] { return !cluster.Curl(url).empty(); }));
  for (int i = 0; i < 6; ++i) EXPECT_NE(cluster.Curl(url), "");
  for (const char* node : {"node-1/iptables", "node-2/iptables", "node-3/iptables"}) {
    EXPECT_TRUE(cluster.EventuallySaw(
        {{"internet", "lb", "FlowOpen", ":8080"}, {"lb", node, "FlowOpen", ""}}))
        << node;
  }
}

// 10. "Creating a pod: master, kubelet, pod; then kube-proxy, iptables: usable."
TEST(Sentence10, CreatingAPodGoesThroughKubeletThenKubeProxy) {
  Cluster cluster({"--nodes", "2"});
  cluster.Apply(Web("web", 1, "ClusterIP", "", OnNode("node-1")));
  ASSERT_TRUE(cluster.RolledOut("web"));
  EXPECT_TRUE(cluster.EventuallySaw({
      {"client/kubectl", "master/apiserver", "HttpRequest", "POST /apis/apps/v1"},
      {"master/controllers/deployment", "master/apiserver", "ApiRequest", "CREATE replicasets"},
      {"master/controllers/replicaset", "master/apiserver", "ApiRequest", "CREATE pods"},
      {"master/scheduler", "master/apiserver", "ApiRequest", "CREATE pods/binding"},
      {"master/apiserver", "node-1/kubelet", "WatchEvent", "pods default/web"},
      {"node-1/kubelet", "node-1/engine", "RunPodSandbox", ""},
      {"node-1/kubelet", "node-1/engine", "StartContainer", ""},
      {"node-1/kubelet", "master/apiserver", "ApiRequest", "UPDATE pods/status default/web"},
      {"master/controllers/endpointslice", "master/apiserver", "ApiRequest", "endpointslices"},
      {"master/apiserver", "node-2/kube-proxy", "WatchEvent", "endpointslices default/web"},
      {"node-2/kube-proxy", "node-2/iptables", "IptablesRestore", ""},
      {"node-2/iptables", "node-2/kube-proxy", "IptablesRestored", "applied"},
  }));
  // All of it is one trace: what that kubectl apply caused.
  const CommandResult trace = cluster.Kubemu("trace last-apply");
  EXPECT_EQ(trace.code, 0) << trace.err;
  for (const char* part : {"HttpRequest", "StartContainer", "IptablesRestore"}) {
    EXPECT_THAT(trace.out, HasSubstr(part));
  }
}

// 11. "A request: internet, lb, node, iptables, pod."
TEST(Sentence11, ARequestGoesFromTheInternetToThePod) {
  Cluster cluster({"--nodes", "1"});
  cluster.Apply(Web("web", 1, "LoadBalancer", ""));
  ASSERT_TRUE(cluster.RolledOut("web"));
  const std::string url = "http://" + cluster.LoadBalancerIp("web") + ":8080/";
  std::string answer;
  ASSERT_TRUE(Eventually([&] { return !(answer = cluster.Curl(url)).empty(); }));
  EXPECT_THAT(answer, HasSubstr("web-"));
  EXPECT_THAT(answer, HasSubstr("node-1"));
  EXPECT_TRUE(cluster.EventuallySaw({
      {"internet", "lb", "FlowOpen", ""},
      {"lb", "node-1/iptables", "FlowOpen", ""},
      {"node-1/iptables", "node-1/pod/default", "FlowOpen", ":80"},
      {"node-1/pod/default", "node-1/iptables", "FlowData", ""},
      {"node-1/iptables", "lb", "FlowData", ""},
      {"lb", "internet", "FlowData", ""},
  }));
}

// 12. "A node without a fitting pod passes the request to a node that has one."
TEST(Sentence12, ANodeWithoutThePodPassesTheRequestOn) {
  Cluster cluster({"--nodes", "3"});
  cluster.Apply(Web("web", 1, "NodePort", "30080", OnNode("node-3")));
  ASSERT_TRUE(cluster.RolledOut("web"));
  const std::string url = "http://" + cluster.NodeIp(2) + ":30080/";
  std::string answer;
  ASSERT_TRUE(Eventually([&] { return !(answer = cluster.Curl(url)).empty(); }));
  EXPECT_THAT(answer, HasSubstr("node-3"));
  EXPECT_TRUE(cluster.EventuallySaw({
      {"internet", "node-2/iptables", "FlowOpen", ":30080"},
      {"node-2/iptables", "node-3/iptables", "FlowOpen", ":80"},
      {"node-3/iptables", "node-3/pod/default", "FlowOpen", ":80"},
      {"node-3/iptables", "node-2/iptables", "FlowData", ""},
      {"node-2/iptables", "internet", "FlowData", ""},
  }));
}

}  // namespace
}  // namespace kubemu
