// What people do with kubectl, verb by verb, with the real one. KUBEMU_TEST_KUBECTL names another
// version than the one on the PATH.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/cluster/cluster.h"

namespace kubemu {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kWeb[] = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: web, image: "nginx:1.25", ports: [{containerPort: 80}]}
)";

class Kubectl : public testing::Test {
 protected:
  // Runs kubectl; it must succeed. Returns its output.
  std::string Do(const std::string& words, const std::string& input = "") {
    const CommandResult result = cluster_.Kubectl(words, input);
    EXPECT_EQ(result.code, 0) << "kubectl " << words << "\n" << result.err << result.out;
    return result.out;
  }
  // Runs kubectl; it must fail. Returns what it says.
  std::string Fail(const std::string& words, const std::string& input = "") {
    const CommandResult result = cluster_.Kubectl(words, input);
    EXPECT_NE(result.code, 0) << "kubectl " << words << "\n" << result.out;
    return result.err;
  }
  // The "20" of kubectl 1.20: scripts/setup may install one that lacks what others have.
  int Minor() {
    const auto version = boost::json::parse(Do("version --client -o json"));
    return atoi(version.at("clientVersion").at("minor").as_string().c_str());  // "27+": 27
  }
  // kubectl waits itself since 1.23.
  void WaitForPhase(const std::string& pod, const std::string& phase) {
    if (Minor() >= 23) {
      Do("wait --for=jsonpath={.status.phase}=" + phase + " pod/" + pod + " --timeout=20s");
      return;
    }
    EXPECT_TRUE(Eventually([&] { return cluster_.Get("pod " + pod, "{.status.phase}") == phase; }))
        << pod << " is not " << phase;
  }
  void Deploy() {
    Do("apply -f -", kWeb);
    Do("rollout status deployment/web --timeout=30s");
  }

  Cluster cluster_{{"--nodes", "2", "--time-scale", "5"}};
};

TEST_F(Kubectl, TellsWhatTheServerIs) {
  EXPECT_THAT(Do("version"), HasSubstr("v1.33."));
  EXPECT_THAT(Do("cluster-info"), HasSubstr("Kubernetes control plane"));
  const std::string resources = Do("api-resources");
  for (const char* kind :
       {"nodes", "pods", "services", "endpoints", "endpointslices", "namespaces", "events",
        "configmaps", "secrets", "serviceaccounts", "leases", "deployments", "replicasets"}) {
    EXPECT_THAT(resources, HasSubstr(kind));
  }
  EXPECT_THAT(Do("api-versions"), AllOf(HasSubstr("apps/v1"), HasSubstr("discovery.k8s.io/v1")));
  EXPECT_THAT(Do("get --raw /readyz"), HasSubstr("ok"));
  EXPECT_THAT(Do("explain pods.spec.containers"), HasSubstr("image"));
}

TEST_F(Kubectl, GetsInEveryForm) {
  Deploy();
  EXPECT_THAT(Do("get pods"), AllOf(HasSubstr("1/1"), HasSubstr("Running")));
  EXPECT_THAT(Do("get pods -o wide"), AllOf(HasSubstr("10.244."), HasSubstr("node-")));
  EXPECT_THAT(Do("get pods -A"), HasSubstr("NAMESPACE"));
  EXPECT_THAT(Do("get pods -l app=web -o name"), HasSubstr("pod/web-"));
  EXPECT_THAT(Do("get pods -l app=other"), Not(HasSubstr("web-")));
  EXPECT_THAT(Do("get pods --field-selector status.phase=Running"), HasSubstr("web-"));
  EXPECT_THAT(Do("get pods --field-selector spec.nodeName=nowhere"), Not(HasSubstr("web-")));
  EXPECT_THAT(Do("get pods --sort-by=.metadata.name"), HasSubstr("web-"));
  EXPECT_THAT(Do("get deployment web -o yaml"), HasSubstr("image: nginx:1.25"));
  boost::json::parse(Do("get deployment web -o json"));
  EXPECT_THAT(Do("get nodes -o custom-columns=N:.metadata.name"), HasSubstr("node-2"));
  EXPECT_EQ(Do("get deployment web -o jsonpath={.spec.replicas}"), "2");
  EXPECT_THAT(Do("get all"),
              AllOf(HasSubstr("deployment.apps/web"), HasSubstr("replicaset.apps/")));
  EXPECT_THAT(Do("get deploy,rs,svc,ep,cm,secrets,sa,ns,leases,endpointslices,events -A"),
              HasSubstr("kube-root-ca.crt"));
  EXPECT_THAT(Fail("get pod nosuch"), HasSubstr("pods \"nosuch\" not found"));
  EXPECT_THAT(Fail("get pods --field-selector spec.color=red"),
              HasSubstr("field label not supported"));
}

TEST_F(Kubectl, WatchesUntilTheServerEndsTheWatch) {
  Deploy();
  const std::string out = Do("get --raw /api/v1/namespaces/default/pods?watch=1&timeoutSeconds=2");
  EXPECT_THAT(out, HasSubstr("\"type\":\"ADDED\""));
}

TEST_F(Kubectl, DescribesEachKind) {
  Deploy();
  Do("expose deployment web --port=80");
  Do("create secret generic s --from-literal=a=b");
  EXPECT_THAT(Do("describe deployment web"),
              AllOf(HasSubstr("2 desired | 2 updated | 2 total | 2 available"),
                    HasSubstr("ScalingReplicaSet")));
  EXPECT_THAT(Do("describe rs"), HasSubstr("SuccessfulCreate"));
  EXPECT_THAT(Do("describe pods"), AllOf(HasSubstr("Started container web"), HasSubstr("Scheduled"),
                                         HasSubstr("QoS Class:")));
  EXPECT_THAT(Do("describe svc web"), HasSubstr("Endpoints:"));
  for (const char* kind : {"ns default", "cm kube-root-ca.crt", "secret s", "sa default",
                           "endpoints web", "leases -n kube-node-lease", "nodes", "events"}) {
    EXPECT_NE(Do(std::string("describe ") + kind), "") << kind;
  }
  // kubectl 1.20 describes them in the version v1beta1, which Kubernetes has no more since 1.25.
  if (Minor() >= 21) {
    EXPECT_THAT(Do("describe endpointslices"), HasSubstr("Endpoints:"));
  } else {
    EXPECT_THAT(Fail("describe endpointslices"),
                HasSubstr("could not find the requested resource"));
  }
  EXPECT_THAT(Do("get endpointslices"), HasSubstr("IPv4"));
}

TEST_F(Kubectl, AppliesPatchesAndEdits) {
  Deploy();
  EXPECT_THAT(Do("apply -f -", kWeb), HasSubstr("unchanged"));
  std::string three = kWeb;
  three.replace(three.find("replicas: 2"), 11, "replicas: 3");
  EXPECT_EQ(cluster_.Kubectl("diff -f -", three).code, 1);  // 1: there is a difference
  EXPECT_THAT(Do("apply --dry-run=server -f -", three), HasSubstr("(server dry run)"));
  EXPECT_EQ(cluster_.Get("deployment web", "{.spec.replicas}"), "2");
  EXPECT_THAT(Do("apply -f -", three), HasSubstr("configured"));
  EXPECT_EQ(cluster_.Get("deployment web", "{.spec.replicas}"), "3");
  Do(R"(patch deployment web -p {"spec":{"replicas":4}})");
  EXPECT_EQ(cluster_.Get("deployment web", "{.spec.replicas}"), "4");
  Do(R"(patch deployment web --type=merge -p {"spec":{"replicas":2}})");
  Do(R"(patch deployment web --type=json -p [{"op":"replace","path":"/spec/replicas","value":3}])");
  EXPECT_EQ(cluster_.Get("deployment web", "{.spec.replicas}"), "3");
  Do("label deployment web color=red");
  Do("annotate deployment web note=hi");
  EXPECT_EQ(cluster_.Get("deployment web", "{.metadata.labels.color}/{.metadata.annotations.note}"),
            "red/hi");
  Do("label deployment web color-");
  Do("replace -f -", kWeb);
  EXPECT_EQ(cluster_.Get("deployment web", "{.spec.replicas}"), "2");
  setenv("KUBE_EDITOR", "sed -i s/replicas:.2/replicas:\\ 1/", 1);
  Do("edit deployment web");
  EXPECT_EQ(cluster_.Get("deployment web", "{.spec.replicas}"), "1");
  EXPECT_THAT(Do("apply --server-side --force-conflicts -f -", kWeb),
              HasSubstr("serverside-applied"));
  EXPECT_EQ(cluster_.Get("deployment web", "{.spec.replicas}"), "2");
}

TEST_F(Kubectl, CreatesExposesAndRuns) {
  Do("create deployment made --image=nginx --replicas=2");
  Do("create namespace shop");
  Do("create configmap cm --from-literal=a=b -n shop");
  Do("create secret generic s --from-literal=password=x -n shop");
  Do("create serviceaccount robot -n shop");
  Do("create service nodeport np --tcp=80:80");
  Do("create -f -", kWeb);
  EXPECT_THAT(Fail("create -f -", kWeb), HasSubstr("already exists"));
  EXPECT_EQ(cluster_.Get("secret s -n shop", "{.data.password}"), "eA==");
  Do("run one --image=nginx");
  Do("wait --for=condition=Ready pod/one --timeout=20s");
  WaitForPhase("one", "Running");
  Do("expose pod one --port=80 --name=one");
  Do("delete pod one --wait=true");
  if (Minor() >= 21) {
    Do("wait --for=delete pod/one --timeout=20s");
  } else {  // a pod that is gone already is an error there
    EXPECT_THAT(Fail("get pod one"), HasSubstr("not found"));
  }
  Do("delete namespace shop");
  EXPECT_THAT(Fail("get configmap cm -n shop"), HasSubstr("not found"));
  EXPECT_THAT(Fail("create configmap x -n nowhere"), HasSubstr("namespaces \"nowhere\" not found"));
}

TEST_F(Kubectl, ScalesAndRollsOut) {
  Deploy();
  Do("scale deployment web --replicas=3");
  Do("rollout status deployment/web --timeout=30s");
  Do("set image deployment/web web=nginx:1.27");
  EXPECT_THAT(Do("rollout status deployment/web --timeout=30s"),
              HasSubstr("successfully rolled out"));
  EXPECT_THAT(Do("rollout history deployment/web"), AllOf(HasSubstr("1"), HasSubstr("2")));
  EXPECT_EQ(cluster_.Get("pods -l app=web", "{.items[0].spec.containers[0].image}"), "nginx:1.27");
  Do("rollout undo deployment/web");
  Do("rollout status deployment/web --timeout=30s");
  EXPECT_EQ(cluster_.Get("deployment web", "{.spec.template.spec.containers[0].image}"),
            "nginx:1.25");
  Do("rollout restart deployment/web");
  Do("rollout status deployment/web --timeout=30s");
  Do("rollout pause deployment/web");
  Do("rollout resume deployment/web");
  EXPECT_THAT(Do("get events"), HasSubstr("Scaled up replica set"));
}

TEST_F(Kubectl, CordonsTaintsAndDrains) {
  Deploy();
  Do("cordon node-1");
  EXPECT_THAT(Do("get nodes"), HasSubstr("Ready,SchedulingDisabled"));
  Do("drain node-1 --ignore-daemonsets --force --timeout=30s");
  EXPECT_TRUE(Eventually([&] {
    return cluster_.Get("pods --field-selector spec.nodeName=node-1", "{.items[*].metadata.name}")
        .empty();
  }));
  Do("uncordon node-1");
  Do("taint node node-1 key=value:NoSchedule");
  EXPECT_THAT(Do("describe node node-1"), HasSubstr("key=value:NoSchedule"));
  Do("taint node node-1 key-");
  Do("rollout status deployment/web --timeout=30s");
}

TEST_F(Kubectl, ShowsLogsAndEvents) {
  Do("run talker --image=busybox --restart=Never -- echo hello from the pod");
  WaitForPhase("talker", "Succeeded");
  EXPECT_THAT(Do("logs talker"), HasSubstr("hello from the pod"));
  EXPECT_THAT(Do("logs talker --tail=1 --timestamps"), HasSubstr("Z hello"));
  EXPECT_THAT(Do(Minor() >= 23 ? "events" : "get events"), HasSubstr("Started container talker"));
  Deploy();
  Do("logs deployment/web");
  EXPECT_THAT(Fail("logs nosuch"), HasSubstr("not found"));
}

TEST_F(Kubectl, AppliesFromTheServersSide) {
  const auto with_replicas = [](int replicas) {
    std::string manifest = kWeb;
    return manifest.replace(manifest.find("replicas: 2"), 11,
                            "replicas: " + std::to_string(replicas));
  };
  Do("apply --server-side -f -", kWeb);
  Do("scale deployment web --replicas=3");
  EXPECT_THAT(Fail("apply --server-side -f -", kWeb),
              AllOf(HasSubstr("Apply failed with 1 conflict"), HasSubstr(".spec.replicas")));
  Do("apply --server-side --force-conflicts -f -", with_replicas(1));
  EXPECT_EQ(cluster_.Get("deployment web", "{.spec.replicas}"), "1");
  EXPECT_THAT(Do("get deployment web -o yaml --show-managed-fields"),
              HasSubstr("operation: Apply"));
}

TEST_F(Kubectl, ChangesTheTypeOfAService) {
  Do("create service nodeport s --tcp=80");
  for (const char* type : {"ClusterIP", "LoadBalancer", "ClusterIP", "NodePort"}) {
    Do("patch service s -p {\"spec\":{\"type\":\"" + std::string(type) + "\"}}");
    EXPECT_EQ(cluster_.Get("service s", "{.spec.type}"), type);
  }
}

TEST_F(Kubectl, StartsAPodWhenItsConfigMapIsThere) {
  Do("apply -f -", R"(
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  restartPolicy: Never
  containers:
  - name: c
    image: busybox
    command: [sh, -c, "echo it says $WORD; sleep 1000"]
    env:
    - {name: WORD, valueFrom: {configMapKeyRef: {name: words, key: first}}}
)");
  EXPECT_TRUE(Eventually([&] {
    return cluster_.Get("pod talker", "{.status.containerStatuses[0].state.waiting.reason}") ==
           "CreateContainerConfigError";
  }));
  EXPECT_THAT(Do("describe pod talker"), HasSubstr("configmap \"words\" not found"));
  Do("create configmap words --from-literal=first=hello");
  WaitForPhase("talker", "Running");
  EXPECT_THAT(Do("logs talker"), HasSubstr("it says hello"));
  EXPECT_EQ(Do("logs talker --limit-bytes=7"), "it says");
  EXPECT_EQ(Do("logs talker --since-time=2099-01-01T00:00:00Z"), "");
}

TEST_F(Kubectl, DeletesInEveryWay) {
  Deploy();
  Do("delete pods --all --wait=false");
  Do("rollout status deployment/web --timeout=30s");
  Do("delete pod -l app=web --force --grace-period=0");
  Do("delete deployment web --cascade=foreground");
  EXPECT_TRUE(
      Eventually([&] { return cluster_.Get("rs,pods", "{.items[*].metadata.name}").empty(); }));
  Deploy();
  Do("delete -f -", kWeb);
  EXPECT_TRUE(
      Eventually([&] { return cluster_.Get("rs,pods", "{.items[*].metadata.name}").empty(); }));
  EXPECT_THAT(Fail("delete deployment web"), HasSubstr("not found"));
}

}  // namespace
}  // namespace kubemu
