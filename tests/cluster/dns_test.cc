// Cluster DNS on real processes, asked by the real dig (BIND) over real UDP and TCP, and by
// containers that call Services by their names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/cluster/cluster.h"

namespace kubemu {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

// kube-dns for clients outside of the cluster, web, a headless Service with a named pod, an alias,
// and many endpoints.
constexpr char kWorld[] = R"(
apiVersion: v1
kind: Service
metadata: {name: dns-outside, namespace: kube-system}
spec:
  type: NodePort
  selector: {k8s-app: kube-dns}
  ports:
  - {name: dns, port: 53, protocol: UDP, nodePort: 30053}
  - {name: dns-tcp, port: 53, protocol: TCP, nodePort: 30053}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 10.96.7.7
  selector: {app: web}
  ports: [{name: http, port: 8080, targetPort: 80}]
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: web, image: nginx, ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-pod, labels: {app: db}}
spec:
  hostname: db-0
  subdomain: db
  terminationGracePeriodSeconds: 0
  containers: [{name: db, image: kubemu/service, args: [--answer, i-am-the-database]}]
---
apiVersion: v1
kind: Service
metadata: {name: ext}
spec: {type: ExternalName, externalName: db.example.com}
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec:
  type: NodePort
  selector: {app: front}
  ports: [{port: 80, targetPort: 8080, nodePort: 30081}]
---
apiVersion: v1
kind: Pod
metadata: {name: front, labels: {app: front}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: api, image: kubemu/service, args: [--answer, front, --call, "http://web:8080/"]}
)";

class ClusterDnsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    cluster_ = std::make_unique<Cluster>(std::vector<std::string>{"--nodes", "2"});
    cluster_->Apply(kWorld);
    EXPECT_TRUE(Eventually([] {
      return cluster_->Get("deploy coredns -n kube-system", "{.status.readyReplicas}") == "2" &&
             cluster_->Get("pod web-1", "{.status.phase}") == "Running" &&
             cluster_->Get("pod db-pod", "{.status.phase}") == "Running" &&
             cluster_->Get("pod front", "{.status.phase}") == "Running";
    }));
    EXPECT_TRUE(Eventually([] {
      return Dig("+short db-0.db.default.svc.cluster.local").size() > 7 &&
             Dig("+short +tcp web.default.svc.cluster.local") == "10.96.7.7\n" &&
             Dig("+short web.default.svc.cluster.local", 2) == "10.96.7.7\n" &&
             Dig("+short ext.default.svc.cluster.local CNAME") == "db.example.com.\n";
    }));
  }
  static void TearDownTestSuite() { cluster_.reset(); }

  static std::string Dig(const std::string& words, int node = 1) {
    std::vector<std::string> command = {
        "dig", "@" + cluster_->NodeIp(node), "-p", "30053", "+time=2", "+tries=1"};
    size_t at = 0;
    while (at < words.size()) {
      const size_t end = std::min(words.find(' ', at), words.size());
      command.push_back(words.substr(at, end - at));
      at = end + 1;
    }
    return RunProgram(command).out;
  }
  // A busybox pod's log after its command has ended.
  static std::string InPod(const std::string& pod, const std::string& script) {
    cluster_->Apply("apiVersion: v1\nkind: Pod\nmetadata: {name: " + pod +
                    "}\nspec:\n  restartPolicy: Never\n  containers:\n  - name: c\n    image: "
                    "busybox\n    command: [sh, -c, '" +
                    script + "']\n");
    EXPECT_TRUE(Eventually([&] {
      const std::string phase = cluster_->Get("pod " + pod, "{.status.phase}");
      return phase == "Succeeded" || phase == "Failed";
    }));
    return cluster_->Kubectl("logs " + pod).out;
  }

  static std::unique_ptr<Cluster> cluster_;
};
std::unique_ptr<Cluster> ClusterDnsTest::cluster_;

TEST_F(ClusterDnsTest, TheAddonIsKubeadms) {
  EXPECT_EQ(cluster_->Get("svc kube-dns -n kube-system", "{.spec.clusterIP}"), "10.96.0.10");
  EXPECT_EQ(
      cluster_->Get("deploy coredns -n kube-system", "{.spec.template.spec.containers[0].image}"),
      "registry.k8s.io/coredns/coredns:v1.12.0");
  EXPECT_THAT(cluster_->Kubectl("get pods -n kube-system -l k8s-app=kube-dns").out,
              HasSubstr("1/1"));
  EXPECT_THAT(cluster_->Get("cm coredns -n kube-system", "{.data.Corefile}"),
              HasSubstr("kubernetes cluster.local in-addr.arpa ip6.arpa"));
  EXPECT_THAT(cluster_->Kubectl("logs -n kube-system deploy/coredns").out,
              HasSubstr("CoreDNS-1.12.0"));
  EXPECT_EQ(cluster_->Kubectl("get pods").out.find("coredns"), std::string::npos);
}

TEST_F(ClusterDnsTest, DigReadsAddressesOverUdpAndTcp) {
  const std::string udp = Dig("web.default.svc.cluster.local");
  EXPECT_THAT(udp, AllOf(HasSubstr("status: NOERROR"), HasSubstr("flags: qr aa rd;"),
                         HasSubstr("web.default.svc.cluster.local. 30 IN\tA\t10.96.7.7"),
                         HasSubstr("(UDP)"), Not(HasSubstr("Warning: Message parser"))));
  EXPECT_THAT(Dig("+tcp web.default.svc.cluster.local"),
              AllOf(HasSubstr("A\t10.96.7.7"), HasSubstr("(TCP)")));
  EXPECT_THAT(Dig("WEB.default.SVC.cluster.LOCAL"),
              HasSubstr("WEB.default.SVC.cluster.LOCAL. 30 IN\tA\t10.96.7.7"));
  // Several queries over one connection.
  const std::string two =
      Dig("+tcp +keepopen +short web.default.svc.cluster.local "
          "kubernetes.default.svc.cluster.local");
  EXPECT_EQ(two, "10.96.7.7\n10.96.0.1\n");
  EXPECT_EQ(Dig("+short 10-244-1-2.default.pod.cluster.local"), "10.244.1.2\n");
  EXPECT_EQ(Dig("+short dns-version.cluster.local TXT"), "\"1.1.0\"\n");
}

TEST_F(ClusterDnsTest, DigReadsSrvReverseAndHeadless) {
  EXPECT_THAT(
      Dig("_http._tcp.web.default.svc.cluster.local SRV"),
      AllOf(HasSubstr("SRV 0 100 8080 web.default.svc.cluster.local."), HasSubstr("ADDITIONAL: 2"),
            HasSubstr("web.default.svc.cluster.local. 30 IN\tA")));
  EXPECT_EQ(Dig("+short -x 10.96.7.7"), "web.default.svc.cluster.local.\n");
  const std::string db = Dig("+short db.default.svc.cluster.local");
  EXPECT_THAT(db, MatchesRegex("10\\.244\\.[0-9]+\\.[0-9]+\n"));
  EXPECT_EQ(Dig("+short db-0.db.default.svc.cluster.local"), db);
  EXPECT_EQ(Dig("+short -x " + db.substr(0, db.size() - 1)),
            "db-0.db.default.svc.cluster.local.\n");
  EXPECT_EQ(Dig("+short _http._tcp.db.default.svc.cluster.local SRV"),
            "0 100 8080 db-0.db.default.svc.cluster.local.\n");
}

TEST_F(ClusterDnsTest, DigTellsNothingFromNoSuchName) {
  const std::string soa = "SOA\tns.dns.cluster.local. hostmaster.cluster.local.";
  EXPECT_THAT(Dig("nothing.default.svc.cluster.local"),
              AllOf(HasSubstr("status: NXDOMAIN"), HasSubstr(soa)));
  EXPECT_THAT(Dig("web.default.svc.cluster.local AAAA"),
              AllOf(HasSubstr("status: NOERROR"), HasSubstr("ANSWER: 0"), HasSubstr(soa)));
  EXPECT_THAT(Dig("example.com"), HasSubstr("status: SERVFAIL"));
  EXPECT_THAT(Dig("cluster.local AXFR +tcp"), HasSubstr("Transfer failed"));
  EXPECT_THAT(Dig("version.bind TXT CH"), HasSubstr("status: REFUSED"));
}

TEST_F(ClusterDnsTest, DigSpeaksEdns) {
  EXPECT_THAT(Dig("+bufsize=1400 +dnssec web.default.svc.cluster.local"),
              HasSubstr("EDNS: version: 0, flags: do; udp: 1400"));
  EXPECT_THAT(Dig("+noedns web.default.svc.cluster.local"), Not(HasSubstr("EDNS")));
  EXPECT_THAT(Dig("+edns=1 +noednsneg web.default.svc.cluster.local"),
              HasSubstr("status: BADVERS"));
}

TEST_F(ClusterDnsTest, ManyAddressesAreCutOverUdpAndWholeOverTcp) {
  std::string slice =
      "apiVersion: v1\nkind: Service\nmetadata: {name: many}\nspec: {clusterIP: None, ports: "
      "[{name: http, port: 80}]}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
      "metadata: {name: many-1, labels: {kubernetes.io/service-name: many}}\naddressType: IPv4\n"
      "ports: [{name: http, port: 80}]\nendpoints:\n";
  for (int i = 1; i <= 60; ++i) slice += "- {addresses: [10.244.200." + std::to_string(i) + "]}\n";
  cluster_->Apply(slice);
  ASSERT_TRUE(
      Eventually([] { return !Dig("+short +tcp many.default.svc.cluster.local").empty(); }));
  const std::string cut = Dig("+noedns +ignore many.default.svc.cluster.local");
  EXPECT_THAT(cut, AllOf(HasSubstr("flags: qr aa tc rd"), Not(HasSubstr("ANSWER: 60"))));
  // dig goes on over TCP by itself.
  EXPECT_THAT(Dig("+noedns many.default.svc.cluster.local"),
              AllOf(HasSubstr("ANSWER: 60"), HasSubstr("(TCP)")));
  EXPECT_THAT(Dig("+bufsize=4096 many.default.svc.cluster.local"),
              AllOf(HasSubstr("ANSWER: 60"), HasSubstr("(UDP)")));
}

// The article's sentence: an API container of one pod calls a Service by its name.
TEST_F(ClusterDnsTest, AContainerCallsAServiceByItsName) {
  const std::string answer = cluster_->Curl("http://" + cluster_->NodeIp(1) + ":30081/");
  EXPECT_THAT(answer, AllOf(HasSubstr("front\n"), HasSubstr("call http://web:8080/ -> 200"),
                            HasSubstr("Answered by pod web-1")));
  EXPECT_TRUE(cluster_->EventuallySaw({
      {"", "", "FlowOpen", ":30081"},
      {"", "", "Datagram", "10.96.0.10:53 DNS A web.default.svc.cluster.local"},
      {"", "", "Datagram", ":53 DNS A web.default.svc.cluster.local"},
      {"", "", "Datagram", "DNS A web.default.svc.cluster.local: NOERROR 10.96.7.7"},
      {"", "", "FlowOpen", "10.96.7.7:8080"},
  }));
}

TEST_F(ClusterDnsTest, CommandsInContainersResolveNames) {
  EXPECT_THAT(InPod("fetcher", "wget -qO- http://web:8080/; curl -s http://db-0.db:8080/"),
              AllOf(HasSubstr("Answered by pod web-1"), HasSubstr("i-am-the-database")));
  EXPECT_EQ(InPod("lost", "curl http://nothing:8080/; echo status $?"),
            "curl: (6) Could not resolve host: nothing\nstatus $?\n");
  EXPECT_THAT(InPod("lookup", "nslookup web.default.svc.cluster.local"),
              HasSubstr("Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n"
                        "Name:\tweb.default.svc.cluster.local\nAddress: 10.96.7.7\n"));
  EXPECT_EQ(InPod("files", "cat /etc/resolv.conf; hostname"),
            "search default.svc.cluster.local svc.cluster.local cluster.local\n"
            "nameserver 10.96.0.10\noptions ndots:5\nfiles\n");
}

// A name server that is killed: the other one answers, a new one takes its place.
TEST_F(ClusterDnsTest, ADeletedNameServerIsReplaced) {
  const std::string pod =
      cluster_->Get("pods -n kube-system -l k8s-app=kube-dns", "{.items[0].metadata.name}");
  ASSERT_EQ(cluster_->Kubectl("delete pod -n kube-system --grace-period=0 --force " + pod).code, 0);
  EXPECT_TRUE(Eventually([&] {
    return cluster_->Get("deploy coredns -n kube-system", "{.status.readyReplicas}") == "2" &&
           cluster_->Get("pods -n kube-system", "{.items[*].metadata.name}").find(pod) ==
               std::string::npos;
  }));
  EXPECT_TRUE(
      Eventually([] { return Dig("+short web.default.svc.cluster.local", 1) == "10.96.7.7\n"; }));
}

TEST(ClusterDnsFlagTest, AClusterWithoutItHasNone) {
  Cluster cluster({"--nodes", "1", "--no-cluster-dns"});
  EXPECT_THAT(cluster.Kubectl("get all -n kube-system").err, HasSubstr("No resources found"));
}

}  // namespace
}  // namespace kubemu
