// What people do to a running service, under the load of 64 keep-alive connections: nobody notices
// a rolling update; a node that dies takes with it only what was on it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/cluster/cluster.h"
#include "tests/cluster/keep_alive_load.h"

namespace kubemu {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using Clock = KeepAliveLoad::Clock;

constexpr int kConnections = 64;
constexpr int kSomeConnections = 16;  // where what is looked for takes long
constexpr milliseconds kPause{20};

// A Deployment and a load balancer for it. CONTAINER is the container's image and arguments.
std::string Shop(const std::string& container, int port, const std::string& policy,
                 const std::string& pre_stop) {
  return R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 6
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 20
      containers:
      - name: web
        )" +
         container + R"(
        ports: [{name: http, containerPort: )" +
         std::to_string(port) + R"(}]
        readinessProbe:
          httpGet: {path: /, port: http}
          periodSeconds: 1
        lifecycle: {preStop: )" +
         pre_stop + R"(}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  type: LoadBalancer
  externalTrafficPolicy: )" +
         policy + R"(
  selector: {app: shop}
  ports: [{port: 80, targetPort: http}]
)";
}

class Rollout : public testing::Test {
 protected:
  explicit Rollout(std::vector<std::string> up_flags = {"--nodes", "3"})
      : cluster_(std::move(up_flags)) {}

  void Start(const std::string& manifest) {
    cluster_.Apply(manifest);
    ASSERT_TRUE(cluster_.RolledOut("shop"));
    ip_ = cluster_.LoadBalancerIp("shop");
    ASSERT_TRUE(Eventually([&] { return !cluster_.Curl("http://" + ip_ + "/").empty(); }));
  }
  // A rolling update from one end to the other, under load.
  void RestartUnderLoad() {
    KeepAliveLoad load(ip_, 80, kConnections, kPause);
    ASSERT_TRUE(Eventually([&] { return load.Now().answered > 1000; }));
    ASSERT_EQ(cluster_.Kubectl("rollout restart deployment/shop").code, 0);
    ASSERT_EQ(cluster_.Kubectl("rollout status deployment/shop --timeout=120s").code, 0);
    EXPECT_TRUE(Eventually(
        [&] {
          return cluster_.Get("pods", "{.items[*].metadata.deletionTimestamp}").empty() &&
                 cluster_.Get("deployment shop", "{.status.availableReplicas}") == "6";
        },
        60));
    const uint64_t so_far = load.Now().answered;
    EXPECT_TRUE(Eventually([&] { return load.Now().answered > so_far + 500; }));
    const KeepAliveLoad::Report report = load.Stop();
    EXPECT_EQ(report.failures.size(), 0u) << report.ToString();
    EXPECT_GE(report.reopened, static_cast<uint64_t>(kConnections));  // all pods are new
    std::printf("%s\n", report.ToString().c_str());
  }

  Cluster cluster_;
  std::string ip_;
};

TEST_F(Rollout, NobodyNoticesTheUpdateOfAServiceThatDrains) {
  Start(Shop("image: kubemu/service\n        args: [--on-term, drain, --delay, 2ms]", 8080,
             "Cluster", "{sleep: {seconds: 2}}"));
  RestartUnderLoad();
}

TEST_F(Rollout, NobodyNoticesTheUpdateOfNginx) {
  Start(Shop("image: nginx:1.27", 80, "Cluster", "{exec: {command: [sh, -c, sleep 2]}}"));
  RestartUnderLoad();
}

// With policy Local a connection is on one node from lb to its pod.
TEST_F(Rollout, AKilledNodeTakesOnlyWhatWasOnIt) {
  Start(Shop("image: kubemu/service", 8080, "Local", "{sleep: {seconds: 1}}"));
  const std::string victim = cluster_.Get("pods -l app=shop", "{.items[0].spec.nodeName}");
  KeepAliveLoad load(ip_, 80, kConnections, kPause);
  ASSERT_TRUE(Eventually([&] { return load.Now().answered > 1000; }));
  ASSERT_GT(load.Now().by_node[victim], 0u);
  ASSERT_EQ(load.Now().by_node.size(), 3u);
  ASSERT_EQ(load.Now().failures.size(), 0u) << load.Now().ToString();
  const Clock::time_point killed = Clock::now();
  cluster_.Signal(victim, SIGKILL);
  // lb's link to it is down at once; what it had in its hands at that moment is lost.
  const Clock::time_point ejected = Clock::now() + milliseconds(1500);
  ASSERT_TRUE(Eventually([&] { return Clock::now() > ejected + milliseconds(3000); }));
  const KeepAliveLoad::Report report = load.Stop();
  std::printf("%s\n", report.ToString().c_str());
  for (const KeepAliveLoad::Failure& failure : report.failures) {
    EXPECT_TRUE(failure.node == victim || failure.node.empty()) << failure.why << failure.node;
    EXPECT_GE(failure.at, killed);
    EXPECT_LE(failure.at, ejected) << failure.why;
  }
  EXPECT_LE(report.failures.size(), static_cast<size_t>(kConnections));
}

class FastRollout : public Rollout {
 protected:
  FastRollout() : Rollout({"--nodes", "3", "--time-scale", "10"}) {}

  // True once the rules of `node` lead to none of these addresses.
  bool RulesForgot(const std::string& node, const std::vector<std::string>& ips) {
    const CommandResult rules = cluster_.Kubemu("iptables save " + node);
    if (rules.code != 0 || rules.out.find("KUBE-SEP-") == std::string::npos) return false;
    return std::none_of(ips.begin(), ips.end(), [&](const std::string& ip) {
      return rules.out.find("--to-destination " + ip + ":") != std::string::npos;
    });
  }
};

// With policy Cluster the other nodes send a part of theirs to the dead node's pods until the
// master misses it (the node is NotReady, its pods leave the EndpointSlices), as anywhere. Not
// longer.
TEST_F(FastRollout, NoRequestFailsOnceAKilledNodesEndpointsAreGone) {
  Start(Shop("image: kubemu/service", 8080, "Cluster", "{sleep: {seconds: 1}}"));
  const std::string victim = cluster_.Get("pods -l app=shop", "{.items[0].spec.nodeName}");
  std::istringstream words(cluster_.Get("pods -l app=shop --field-selector spec.nodeName=" + victim,
                                        "{.items[*].status.podIP}"));
  const std::vector<std::string> ips{std::istream_iterator<std::string>(words), {}};
  ASSERT_FALSE(ips.empty());
  std::vector<std::string> others = {"node-1", "node-2", "node-3"};
  std::erase(others, victim);
  KeepAliveLoad load(ip_, 80, kSomeConnections, kPause);
  ASSERT_TRUE(Eventually([&] { return load.Now().answered > 1000; }));
  ASSERT_GT(load.Now().by_node[victim], 0u);
  ASSERT_EQ(load.Now().failures.size(), 0u) << load.Now().ToString();
  for (const std::string& node : others) ASSERT_FALSE(RulesForgot(node, ips));
  cluster_.Signal(victim, SIGKILL);
  ASSERT_TRUE(
      Eventually([&] { return RulesForgot(others[0], ips) && RulesForgot(others[1], ips); }, 60));
  const Clock::time_point gone = Clock::now();
  const KeepAliveLoad::Report then = load.Now();
  ASSERT_LT(then.failures.size(), KeepAliveLoad::kFailuresMax);  // later ones would not be kept
  EXPECT_EQ(cluster_.Get("node " + victim, "{.status.conditions[?(@.type==\"Ready\")].status}"),
            "Unknown");
  // Kept connections have their pod already; new ones get one by the rules of now.
  KeepAliveLoad fresh(ip_, 80, kSomeConnections, kPause);
  EXPECT_TRUE(Eventually(
      [&] { return load.Now().answered > then.answered + 3000 && fresh.Now().answered > 3000; },
      60));
  const KeepAliveLoad::Report report = load.Stop();
  const KeepAliveLoad::Report of_fresh = fresh.Stop();
  std::printf("until the endpoints were gone: %s\nin the end: %s\n", then.ToString().c_str(),
              report.ToString().c_str());
  for (const KeepAliveLoad::Failure& failure : report.failures) {
    // What was asked before is given up after a while.
    EXPECT_LE(failure.at - KeepAliveLoad::kSilenceMax, gone) << failure.why << " " << failure.node;
  }
  EXPECT_EQ(of_fresh.failures.size(), 0u) << of_fresh.ToString();
  // All that came since was answered by the nodes that are left.
  EXPECT_EQ(report.by_node.at(victim), then.by_node.at(victim));
  EXPECT_FALSE(of_fresh.by_node.contains(victim));
}

// A raw connection to the load balancer that has got one answer.
int Connected(const std::string& ip) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(80);
  inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_GT(send(fd, request.data(), request.size(), MSG_NOSIGNAL), 0);
  char buffer[4096];
  EXPECT_GT(recv(fd, buffer, sizeof buffer, 0), 0);
  return fd;
}

TEST_F(Rollout, AForcedDeletionResetsConnections) {
  Start(Shop("image: nginx:1.27", 80, "Cluster", "{sleep: {seconds: 1}}"));
  const int fd = Connected(ip_);
  ASSERT_EQ(cluster_.Kubectl("delete pods -l app=shop --force --grace-period=0").code, 0);
  char buffer[16];
  EXPECT_EQ(recv(fd, buffer, sizeof buffer, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  close(fd);
}

TEST_F(Rollout, KubeProxyTellsItsHealthOverHttp) {
  Start(Shop("image: nginx:1.27", 80, "Local", "{sleep: {seconds: 1}}"));
  const std::string node = cluster_.NodeIp(1);
  EXPECT_THAT(cluster_.Curl("http://" + node + ":10256/healthz", {"-i"}), HasSubstr(" 200 OK"));
  EXPECT_THAT(cluster_.Curl("http://" + node + ":10256/healthz"),
              HasSubstr("\"nodeEligible\": true"));
  const std::string port = cluster_.Get("service shop", "{.spec.healthCheckNodePort}");
  ASSERT_FALSE(port.empty());
  const std::string url = "http://" + node + ":" + port + "/";
  EXPECT_THAT(cluster_.Curl(url, {"-i"}), HasSubstr("X-Load-Balancing-Endpoint-Weight: "));
  EXPECT_THAT(cluster_.Curl(url), HasSubstr("\"serviceProxyHealthy\": true"));
  ASSERT_EQ(cluster_.Kubectl("scale deployment/shop --replicas=0").code, 0);
  EXPECT_TRUE(Eventually([&] {
    return cluster_.Curl(url, {"-i"}).find(" 503 Service Unavailable") != std::string::npos;
  }));
  ASSERT_EQ(cluster_.Kubectl("taint node node-1 ToBeDeletedByClusterAutoscaler=1:NoSchedule").code,
            0);
  EXPECT_TRUE(Eventually([&] {
    return cluster_.Curl("http://" + node + ":10256/healthz").find("\"nodeEligible\": false") !=
           std::string::npos;
  }));
}

// Endpoints by hand for a Service without selector: they are mirrored to a slice, and get rules.
TEST_F(Rollout, EndpointsMadeByHandLeadSomewhere) {
  Start(Shop("image: nginx:1.27", 80, "Cluster", "{sleep: {seconds: 1}}"));
  const std::string pod = cluster_.Get("pods -l app=shop", "{.items[0].status.podIP}");
  cluster_.Apply(R"(
apiVersion: v1
kind: Service
metadata: {name: by-hand}
spec:
  type: NodePort
  ports: [{name: http, port: 80}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: by-hand}
subsets:
- addresses: [{ip: )" +
                 pod + R"(}]
  ports: [{name: http, port: 80}]
)");
  const std::string url = "http://" + cluster_.NodeIp(1) + ":" +
                          cluster_.Get("service by-hand", "{.spec.ports[0].nodePort}") + "/";
  EXPECT_TRUE(
      Eventually([&] { return cluster_.Curl(url).find("Welcome to nginx") != std::string::npos; }));
  EXPECT_EQ(cluster_.Get("endpointslices -l kubernetes.io/service-name=by-hand",
                         "{.items[*].endpoints[*].addresses[0]}"),
            pod);
  ASSERT_EQ(cluster_.Kubectl("delete endpoints by-hand").code, 0);
  EXPECT_TRUE(Eventually([&] {
    return cluster_
        .Get("endpointslices -l kubernetes.io/service-name=by-hand", "{.items[*].metadata.name}")
        .empty();
  }));
}

}  // namespace
}  // namespace kubemu
