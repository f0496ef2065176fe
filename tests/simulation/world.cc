#include "tests/simulation/world.h"

#include <algorithm>
#include <boost/json.hpp>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

bool IsReady(const boost::json::value& object) {
  const boost::json::value conditions = JsonAt(object, "/status/conditions");
  if (!conditions.is_array()) return false;
  for (const boost::json::value& condition : conditions.get_array()) {
    if (JsonText(condition, "/type") == "Ready") return JsonText(condition, "/status") == "True";
  }
  return false;
}

std::vector<boost::json::value> ReadyPodsOf(SimCluster& cluster, const std::string& ns,
                                            const std::string& selector) {
  std::vector<boost::json::value> ready;
  for (boost::json::value& pod :
       Items(cluster, StrCat("/api/v1/namespaces/", ns, "/pods?labelSelector=", selector))) {
    if (JsonText(pod, "/status/phase") == "Running" && IsReady(pod) &&
        JsonText(pod, "/metadata/deletionTimestamp").empty()) {
      ready.push_back(std::move(pod));
    }
  }
  return ready;
}

std::vector<boost::json::value> ReadyPods(SimCluster& cluster, const std::string& app) {
  return ReadyPodsOf(cluster, "default", "app%3D" + app);
}

std::vector<std::string> AllProcesses(SimCluster& cluster) {
  std::vector<std::string> all = cluster.nodes();
  all.push_back("master");
  all.push_back("lb");
  return all;
}

bool IsFaulty(bus::MessageKind kind) {
  return (kind >= bus::API_REQUEST && kind <= bus::WATCH_CANCEL) ||
         (kind >= bus::RUN_POD_SANDBOX && kind < bus::PING) || kind == bus::HEALTH_CHECK ||
         kind == bus::HEALTH_CHECK_RESULT;
}

}  // namespace

std::string WebManifest(int replicas, int tolerate_seconds) {
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
      terminationGracePeriodSeconds: 1
      tolerations:
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: )",
                tolerate_seconds, R"(}
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: )",
                tolerate_seconds, R"(}
      containers:
      - {name: web, image: nginx, ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports:
  - {port: 8080, targetPort: 80, nodePort: 30080}
)");
}

std::vector<boost::json::value> Items(SimCluster& cluster, const std::string& target) {
  const boost::json::value items = JsonAt(cluster.Get(target), "/items");
  if (!items.is_array()) return {};
  return {items.get_array().begin(), items.get_array().end()};
}

std::string ReadyOf(SimCluster& cluster, const std::string& node) {
  const boost::json::value object = cluster.Get("/api/v1/nodes/" + node);
  const boost::json::value conditions = JsonAt(object, "/status/conditions");
  if (!conditions.is_array()) return "";
  for (const boost::json::value& condition : conditions.get_array()) {
    if (JsonText(condition, "/type") == "Ready") return JsonText(condition, "/status");
  }
  return "";
}

int RunningPods(SimCluster& cluster, const std::string& app) {
  return static_cast<int>(ReadyPods(cluster, app).size());
}

int ReadyDnsPods(SimCluster& cluster) {
  return static_cast<int>(ReadyPodsOf(cluster, "kube-system", "k8s-app%3Dkube-dns").size());
}

std::vector<std::string> ReadyEndpoints(SimCluster& cluster, const std::string& service) {
  std::vector<std::string> addresses;
  for (const boost::json::value& slice :
       Items(cluster,
             "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector="
             "kubernetes.io%2Fservice-name%3D" +
                 service)) {
    const boost::json::value endpoints = JsonAt(slice, "/endpoints");
    if (!endpoints.is_array()) continue;
    for (const boost::json::value& endpoint : endpoints.get_array()) {
      if (JsonText(endpoint, "/conditions/ready") != "true") continue;
      addresses.push_back(JsonText(endpoint, "/addresses/0"));
    }
  }
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

std::vector<std::string> ReadyPodAddresses(SimCluster& cluster, const std::string& app) {
  std::vector<std::string> addresses;
  for (const boost::json::value& pod : ReadyPods(cluster, app)) {
    addresses.push_back(JsonText(pod, "/status/podIP"));
  }
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

SocketAddress NodePortOf(int node) {
  return {Ipv4(127, 1, 0, static_cast<uint8_t>(node)), 30080};
}

void SetFaults(SimCluster& cluster, double loss, double duplicate, Duration delay) {
  std::vector<FaultRule> rules;
  for (int number = 1; number < bus::PING; ++number) {
    const auto kind = static_cast<bus::MessageKind>(number);
    if (!bus::MessageKind_IsValid(number) || !IsFaulty(kind)) continue;
    FaultRule rule;
    rule.id = "storm";
    rule.kind = kind;
    rule.loss = loss;
    rule.duplicate = duplicate;
    rule.delay = delay / 2;
    rule.jitter = delay / 2;
    rules.push_back(std::move(rule));
  }
  for (const std::string& process : AllProcesses(cluster)) {
    if (cluster.simulator().IsRunning(process)) cluster.simulator().faults(process).Set(rules);
  }
}

void ClearFaults(SimCluster& cluster) {
  for (const std::string& process : AllProcesses(cluster)) {
    if (cluster.simulator().IsRunning(process)) cluster.simulator().faults(process).Set({});
  }
}

}  // namespace kubemu
