// The load balancer on real processes with real clients: policies by annotation, figures, settings
// that change under a running connection, the PROXY protocol, and externalTrafficPolicy Local.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <set>
#include <string>

#include "messages/core/strings.h"
#include "tests/cluster/cluster.h"

namespace kubemu {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

// A Deployment "web" with one pod per node and a Service of type LoadBalancer at port 8080.
std::string Manifest(int replicas, const std::string& annotations = "",
                     const std::string& args = "", const std::string& spec = "",
                     const std::string& pod = "") {
  return StrCat(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: )",
                replicas, R"(
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      )",
                pod, R"(
      containers:
      - {name: web, image: kubemu/service, args: [)",
                args, R"(]}
---
apiVersion: v1
kind: Service
metadata:
  name: web
  annotations: {)",
                annotations, R"(}
spec:
  type: LoadBalancer
  )",
                spec, R"(
  selector: {app: web}
  ports:
  - {port: 8080, targetPort: 8080}
)");
}

// A connection of our own that is kept open over several requests.
class KeptConnection {
 public:
  KeptConnection(const std::string& ip, uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~KeptConnection() { close(fd_); }
  KeptConnection(const KeptConnection&) = delete;
  KeptConnection& operator=(const KeptConnection&) = delete;

  // The answer to one more GET, or what is there of it when it ends early.
  std::string Get() {
    const std::string request = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";
    if (!connected_ || send(fd_, request.data(), request.size(), MSG_NOSIGNAL) < 0) return "";
    std::string answer;
    while (answer.find("\r\n\r\n") == std::string::npos || !answer.ends_with("\n")) {
      pollfd ready{fd_, POLLIN, 0};
      char bytes[4096];
      if (poll(&ready, 1, 5000) <= 0) break;
      const ssize_t count = read(fd_, bytes, sizeof bytes);
      if (count <= 0) break;
      answer.append(bytes, count);
    }
    return answer;
  }

 private:
  const int fd_;
  bool connected_ = false;
};

std::string At(const std::string& json, const std::string& path) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(json, error);
  if (error) return "(no JSON: " + json + ")";
  const boost::json::value* found = value.find_pointer(path, error);
  return found == nullptr ? "(none)" : boost::json::serialize(*found);
}

std::string LbStatus(Cluster& cluster) {
  return cluster.Kubemu("lb status -o json").out;
}

// Connections in all that each node has had, by kubemu lb status.
std::vector<int> TotalsPerNode(Cluster& cluster) {
  const std::string status = LbStatus(cluster);
  std::vector<int> totals;
  for (int node = 0;; ++node) {
    const std::string total = At(status, StrCat("/services/0/nodes/", node, "/connections/total"));
    if (total == "(none)") return totals;
    totals.push_back(std::stoi(total));
  }
}

TEST(LoadBalancerCluster, SourceHashKeepsTheNodeOfAClientAndAChangeOfPolicyHoldsAtOnce) {
  Cluster cluster({"--nodes", "3"});
  cluster.Apply(Manifest(3, "kubemu.io/lb-policy: source-hash"));
  ASSERT_TRUE(cluster.RolledOut("web"));
  const std::string ip = cluster.LoadBalancerIp("web");
  const std::string url = "http://" + ip + ":8080/";
  ASSERT_TRUE(Eventually([&] { return !cluster.Curl(url).empty(); }));
  std::vector<int> before = TotalsPerNode(cluster);
  ASSERT_EQ(before.size(), 3u);
  for (int i = 0; i < 12; ++i) ASSERT_NE(cluster.Curl(url), "");
  std::vector<int> after = TotalsPerNode(cluster);
  int used = 0;
  for (int node = 0; node < 3; ++node) used += after[node] > before[node];
  EXPECT_EQ(used, 1);
  // Clients of other addresses spread over the nodes.
  for (int i = 1; i <= 40; ++i) {
    ASSERT_NE(cluster.Curl(url, {"--interface", StrCat("127.0.9.", i)}), "");
  }
  for (const int total : TotalsPerNode(cluster)) EXPECT_GT(total, 2);

  // A connection that runs outlives what changes; new ones follow the new policy.
  KeptConnection kept(ip, 8080);
  const std::string first = kept.Get();
  EXPECT_THAT(first, HasSubstr("200 OK"));
  ASSERT_EQ(cluster
                .Kubectl("annotate service web --overwrite kubemu.io/lb-policy=round-robin "
                         "kubemu.io/lb-max-connections=100 kubemu.io/lb-idle-timeout=60s")
                .code,
            0);
  ASSERT_TRUE(
      Eventually([&] { return At(LbStatus(cluster), "/services/0/policy") == "\"round-robin\""; }));
  EXPECT_THAT(kept.Get(), HasSubstr("200 OK"));
  before = TotalsPerNode(cluster);
  for (int i = 0; i < 12; ++i) ASSERT_NE(cluster.Curl(url), "");
  after = TotalsPerNode(cluster);
  for (int node = 0; node < 3; ++node) EXPECT_EQ(after[node] - before[node], 4);
  ASSERT_EQ(cluster
                .Kubectl("patch service web --type=json -p "
                         "[{\"op\":\"replace\",\"path\":\"/spec/ports/0/port\",\"value\":9090}]")
                .code,
            0);
  ASSERT_TRUE(Eventually([&] { return !cluster.Curl("http://" + ip + ":9090/").empty(); }));
  EXPECT_THAT(kept.Get(), HasSubstr("200 OK"));  // its port is gone, it is not
}

TEST(LoadBalancerCluster, AWrongAnnotationIsAnEventOnTheService) {
  Cluster cluster({"--nodes", "1"});
  cluster.Apply(Manifest(1, "kubemu.io/lb-policy: fastest"));
  EXPECT_TRUE(Eventually([&] {
    const std::string described = cluster.Kubectl("describe service web").out;
    return described.find("InvalidLoadBalancerAnnotation") != std::string::npos &&
           described.find(
               "round-robin, least-connections, random-two, weighted, source-hash, "
               "maglev; round-robin is used") != std::string::npos;
  }));
}

TEST(LoadBalancerCluster, MetricsAreThereForPrometheus) {
  Cluster cluster({"--nodes", "2"});
  cluster.Apply(Manifest(1));
  ASSERT_TRUE(cluster.RolledOut("web"));
  const std::string url = "http://" + cluster.LoadBalancerIp("web") + ":8080/";
  ASSERT_TRUE(Eventually([&] { return !cluster.Curl(url).empty(); }));
  const CommandResult status = cluster.Kubemu("status -o json");
  const std::string quoted = At(status.out, "/loadBalancerMetrics");
  const std::string metrics_url = quoted.substr(1, quoted.size() - 2);
  EXPECT_THAT(metrics_url, MatchesRegex("http://127\\.[0-9.]+:[0-9]+/metrics"));
  EXPECT_THAT(cluster.Kubemu("status").out, HasSubstr(metrics_url));
  const std::string head = cluster.Curl(metrics_url, {"-i"});
  EXPECT_THAT(head, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(head, HasSubstr("content-type: text/plain; version=0.0.4; charset=utf-8"));
  EXPECT_THAT(head, HasSubstr("# TYPE kubemu_lb_frontend_sessions_total counter\n"
                              "kubemu_lb_frontend_sessions_total{namespace=\"default\","
                              "service=\"web\"} 1\n"));
  EXPECT_THAT(head, HasSubstr("kubemu_lb_server_status{namespace=\"default\",service=\"web\","
                              "node=\"node-2\",state=\"up\"} 1\n"));
  ASSERT_NE(cluster.Curl(url), "");
  EXPECT_THAT(cluster.Curl(metrics_url),
              HasSubstr("kubemu_lb_frontend_sessions_total{namespace=\"default\","
                        "service=\"web\"} 2\n"));
  EXPECT_THAT(cluster.Kubemu("lb status").out, HasSubstr("default/web"));
}

TEST(LoadBalancerCluster, TheProxyProtocolNamesTheClientBehindMasquerading) {
  Cluster cluster({"--nodes", "2"});
  for (const char* version : {"v1", "v2"}) {
    cluster.Apply(Manifest(1, StrCat("kubemu.io/lb-proxy-protocol: ", version),
                           "--proxy-protocol, --listen, ':8080'"));
    ASSERT_TRUE(cluster.RolledOut("web"));
    ASSERT_TRUE(Eventually([&] {
      return At(LbStatus(cluster), "/services/0/settings/proxyProtocol") ==
             StrCat("\"", version, "\"");
    }));
    const std::string url = "http://" + cluster.LoadBalancerIp("web") + ":8080/";
    std::string answer;
    // Twice, so that the node without the pod is asked, too.
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(Eventually([&] {
        answer = cluster.Curl(url, {"--interface", "127.0.9.77"});
        return !answer.empty();
      }));
      EXPECT_THAT(answer, HasSubstr("client: 127.0.9.77:"));
    }
  }
}

// Policy Local: only the node with the pod is used, and the pod sees the client's own address.
TEST(LoadBalancerCluster, LocalTrafficGoesToNodesWithPodsAndKeepsTheClientsAddress) {
  Cluster cluster({"--nodes", "3"});
  cluster.Apply(Manifest(1, "", "", "externalTrafficPolicy: Local",
                         "nodeSelector: {kubernetes.io/hostname: node-2}"));
  ASSERT_TRUE(cluster.RolledOut("web"));
  const std::string url = "http://" + cluster.LoadBalancerIp("web") + ":8080/";
  const auto up = [&](int node) {
    return At(LbStatus(cluster), StrCat("/services/0/nodes/", node - 1, "/state")) == "\"up\"";
  };
  ASSERT_TRUE(Eventually([&] { return up(2) && !up(1) && !up(3); }));
  for (int i = 0; i < 8; ++i) {
    EXPECT_THAT(cluster.Curl(url, {"--interface", "127.0.9.78"}), HasSubstr("node: node-2"));
  }
  const std::string pod = cluster.Get("pods -l app=web", "{.items[0].metadata.name}");
  EXPECT_THAT(cluster.Kubectl("logs " + pod).out, HasSubstr("127.0.9.78 \"GET /\" 200"));
  EXPECT_EQ(TotalsPerNode(cluster)[0], 0);
  EXPECT_EQ(TotalsPerNode(cluster)[2], 0);
}

}  // namespace
}  // namespace kubemu
