// Probes and lifecycle hooks as the network sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "tests/node/kubelet/node_world.h"

namespace kubemu {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ProbeNetwork : public testing::Test {
 protected:
  void SetUp() override { world_.Run(1s); }

  // A pod whose readiness probe is `probe`, once a second.
  void AddPod(k8s::core::v1::Pod pod, k8s::core::v1::Probe probe) {
    if (probe.period_seconds() == 0) probe.set_period_seconds(1);
    *pod.mutable_spec()->mutable_containers(0)->mutable_readiness_probe() = std::move(probe);
    world_.AddPod(pod);
  }
  static k8s::core::v1::Probe Http(int port, const std::string& path = "/") {
    k8s::core::v1::Probe probe;
    probe.mutable_handler()->mutable_http_get()->mutable_port()->set_int_val(port);
    probe.mutable_handler()->mutable_http_get()->set_path(path);
    return probe;
  }
  static k8s::core::v1::Probe Tcp(int port) {
    k8s::core::v1::Probe probe;
    probe.mutable_handler()->mutable_tcp_socket()->mutable_port()->set_int_val(port);
    return probe;
  }
  bool Ready(const std::string& name) {
    const k8s::core::v1::Pod pod = world_.Pod("default/" + name);
    return pod.status().container_statuses_size() > 0 && pod.status().container_statuses(0).ready();
  }
  std::string Failure(const std::string& why) {
    return "Unhealthy: Readiness probe failed: " + why;
  }
  // What the kubelet has sent into its connections.
  std::string SentByKubelet() {
    std::string text;
    for (const NodeWorld::Seen& seen : world_.iptables()) {
      if (seen.message.from != "node-1/kubelet" || seen.message.kind != bus::FLOW_DATA) continue;
      text += seen.message.As<bus::FlowData>().data();
    }
    return text;
  }
  NodeWorld world_;
};

TEST_F(ProbeNetwork, AnHttpProbeIsARequestFromTheNode) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("web", "nginx");
  auto* port = pod.mutable_spec()->mutable_containers(0)->add_ports();
  port->set_name("http");
  port->set_container_port(80);
  k8s::core::v1::Probe probe = Http(0, "/index.html?x=1");
  auto* get = probe.mutable_handler()->mutable_http_get();
  get->mutable_port()->set_type(1);
  get->mutable_port()->set_str_val("http");
  auto* header = get->add_http_headers();
  header->set_name("Host");
  header->set_value("shop.example");
  header = get->add_http_headers();
  header->set_name("X-Probe");
  header->set_value("yes");
  AddPod(pod, probe);
  world_.Run(2s);
  EXPECT_TRUE(Ready("web"));
  EXPECT_THAT(SentByKubelet(),
              HasSubstr("GET /index.html?x=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: "
                        "kube-probe/1.33\r\nAccept: */*\r\nX-Probe: yes\r\nConnection: "
                        "close\r\n\r\n"));
  for (const NodeWorld::Seen& seen : world_.iptables()) {
    if (seen.message.kind != bus::FLOW_OPEN) continue;
    EXPECT_EQ(seen.message.from, "node-1/kubelet");
    EXPECT_EQ(Ipv4(seen.message.As<bus::FlowOpen>().destination_ip()).ToString(), "10.244.1.2");
  }
}

TEST_F(ProbeNetwork, FailuresAreToldInTheKubeletsWords) {
  AddPod(NodeWorld::MakePod("a", "nginx"), Http(81));
  AddPod(NodeWorld::MakePod("b", "nginx"), Http(80, "/missing"));
  AddPod(NodeWorld::MakePod("c", "kubemu/service", {"--delay", "3s"}), Http(8080));
  AddPod(NodeWorld::MakePod("d", "redis"), Tcp(6380));
  AddPod(NodeWorld::MakePod("e", "redis"), Http(6379));
  AddPod(NodeWorld::MakePod("f", "kubemu/service", {"--listen", "127.0.0.1:8080"}), Tcp(8080));
  k8s::core::v1::Probe tls = Http(80);
  tls.mutable_handler()->mutable_http_get()->set_scheme("HTTPS");
  AddPod(NodeWorld::MakePod("g", "nginx"), tls);
  k8s::core::v1::Probe grpc;
  grpc.mutable_handler()->mutable_grpc()->set_port(80);
  grpc.set_timeout_seconds(2);
  grpc.set_period_seconds(5);
  AddPod(NodeWorld::MakePod("h", "nginx"), grpc);
  k8s::core::v1::Probe named = Http(80);
  named.mutable_handler()->mutable_http_get()->mutable_port()->set_type(1);
  named.mutable_handler()->mutable_http_get()->mutable_port()->set_str_val("nope");
  AddPod(NodeWorld::MakePod("i", "nginx"), named);
  k8s::core::v1::Probe foreign = Http(80);
  foreign.mutable_handler()->mutable_http_get()->set_host("10.9.9.9");
  AddPod(NodeWorld::MakePod("j", "nginx"), foreign);
  world_.Run(6s);
  const std::map<std::string, std::string> expected = {
      {"a", "Get \"http://10.244.1.2:81/\": dial tcp 10.244.1.2:81: connect: connection refused"},
      {"b", "HTTP probe failed with statuscode: 404"},
      {"c",
       "Get \"http://10.244.1.4:8080/\": context deadline exceeded (Client.Timeout exceeded "
       "while awaiting headers)"},
      {"d", "dial tcp 10.244.1.5:6380: connect: connection refused"},
      {"e",
       "Get \"http://10.244.1.6:6379/\": net/http: HTTP/1.x transport connection broken: "
       "malformed HTTP status code \"/\""},
      {"f", "dial tcp 10.244.1.7:8080: connect: connection refused"},
      {"g", "Get \"https://10.244.1.8:80/\": http: server gave HTTP response to HTTPS client"},
      {"h",
       "timeout: failed to connect service \"10.244.1.9:80\" within 2s: context deadline "
       "exceeded"},
      {"i", "strconv.Atoi: parsing \"nope\": invalid syntax"},
      {"j", "Get \"http://10.9.9.9:80/\": dial tcp 10.9.9.9:80: connect: no route to host"},
  };
  for (const auto& [name, why] : expected) {
    EXPECT_FALSE(Ready(name));
    EXPECT_THAT(world_.Events(name), Contains(Failure(why))) << name;
  }
}

TEST_F(ProbeNetwork, AProbeStandsInTheServersLog) {
  AddPod(NodeWorld::MakePod("web", "nginx"), Http(80));
  world_.Run(1s);
  bus::LogRequest request;
  request.set_request(5);
  request.set_namespace_("default");
  request.set_pod("web");
  world_.Send("master/logs", "node-1/kubelet", request);
  world_.Run(Duration{});
  ASSERT_FALSE(world_.outside().empty());
  EXPECT_THAT(std::string(world_.outside().back().message.As<bus::LogResponse>().data()),
              HasSubstr("10.244.1.1 \"GET /\" 200 "));
}

TEST_F(ProbeNetwork, APreStopCommandDelaysTheEndAndReadinessGoesOn) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("web", "nginx");
  auto* exec = pod.mutable_spec()
                   ->mutable_containers(0)
                   ->mutable_lifecycle()
                   ->mutable_pre_stop()
                   ->mutable_exec();
  for (const char* word : {"sh", "-c", "sleep 5"}) exec->add_command(word);
  AddPod(pod, Http(80));
  world_.Run(2s);
  world_.DeletePod("default/web", 30);
  EXPECT_THAT(world_.Events("web"), Not(Contains("Killing: Stopping container c")));
  world_.Run(4900ms);
  EXPECT_THAT(world_.Events("web"), Contains("Killing: Stopping container c"));
  EXPECT_TRUE(world_.Exists("pods", "default/web"));
  EXPECT_TRUE(Ready("web"));
  world_.Run(200ms);
  EXPECT_FALSE(world_.Exists("pods", "default/web"));
}

TEST_F(ProbeNetwork, APreStopHookMayNotOutliveTheGracePeriod) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("web", "kubemu/service", {"--on-term", "ignore"});
  pod.mutable_spec()
      ->mutable_containers(0)
      ->mutable_lifecycle()
      ->mutable_pre_stop()
      ->mutable_exec()
      ->add_command("sleep");
  pod.mutable_spec()
      ->mutable_containers(0)
      ->mutable_lifecycle()
      ->mutable_pre_stop()
      ->mutable_exec()
      ->add_command("60");
  world_.AddPod(pod);
  world_.Run(2s);
  world_.DeletePod("default/web", 4);
  world_.Run(5900ms);  // 4 s of grace, and 2 s for the container itself
  EXPECT_TRUE(world_.Exists("pods", "default/web"));
  world_.Run(200ms);
  EXPECT_FALSE(world_.Exists("pods", "default/web"));
}

TEST_F(ProbeNetwork, APreStopRequestIsSentAndItsStatusDoesNotMatter) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("web", "nginx");
  auto* get = pod.mutable_spec()
                  ->mutable_containers(0)
                  ->mutable_lifecycle()
                  ->mutable_pre_stop()
                  ->mutable_http_get();
  get->mutable_port()->set_int_val(80);
  get->set_path("/quit");
  world_.AddPod(pod);
  world_.Run(2s);
  world_.DeletePod("default/web", 30);
  world_.Run(1s);
  EXPECT_FALSE(world_.Exists("pods", "default/web"));
  EXPECT_THAT(SentByKubelet(), HasSubstr("GET /quit HTTP/1.1\r\nHost: 10.244.1.2:80\r\n"
                                         "User-Agent: kube-lifecycle/1.33\r\n"));
  EXPECT_THAT(world_.Events("web"), Not(Contains(HasSubstr("FailedPreStopHook"))));
}

TEST_F(ProbeNetwork, AFailedLivenessProbeRunsThePreStopHookFirst) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("web", "nginx");
  auto* container = pod.mutable_spec()->mutable_containers(0);
  container->mutable_lifecycle()->mutable_pre_stop()->mutable_sleep()->set_seconds(5);
  *container->mutable_liveness_probe() = Http(80, "/missing");
  container->mutable_liveness_probe()->set_period_seconds(1);
  container->mutable_liveness_probe()->set_failure_threshold(1);
  world_.AddPod(pod);
  world_.Run(4s);
  const auto restarts = [&] {
    return world_.Pod("default/web").status().container_statuses(0).restart_count();
  };
  EXPECT_EQ(restarts(), 0);
  const std::vector<std::string> events = world_.Events("web");
  EXPECT_EQ(std::count(events.begin(), events.end(),
                       "Killing: Container c failed liveness probe, will be restarted"),
            1);
  world_.Run(3s);
  EXPECT_EQ(restarts(), 1);
}

TEST_F(ProbeNetwork, APostStartHookHoldsTheContainerUp) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("web", "nginx");
  auto* exec = pod.mutable_spec()
                   ->mutable_containers(0)
                   ->mutable_lifecycle()
                   ->mutable_post_start()
                   ->mutable_exec();
  exec->add_command("sleep");
  exec->add_command("3");
  world_.AddPod(pod);
  world_.Run(2500ms);
  EXPECT_EQ(world_.Pod("default/web").status().phase(), "Pending");
  EXPECT_THAT(world_.Events("web"), Contains("Started: Started container c"));
  world_.Run(1s);
  EXPECT_EQ(world_.Pod("default/web").status().phase(), "Running");
}

TEST_F(ProbeNetwork, AFailedPostStartHookKillsTheContainer) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("web", "nginx");
  pod.mutable_spec()
      ->mutable_containers(0)
      ->mutable_lifecycle()
      ->mutable_post_start()
      ->mutable_exec()
      ->add_command("false");
  world_.AddPod(pod);
  world_.Run(2s);
  EXPECT_THAT(world_.Events("web"), Contains("FailedPostStartHook: PostStartHook failed"));
  EXPECT_THAT(world_.Events("web"), Contains("Killing: FailedPostStartHook"));
  EXPECT_GE(world_.Pod("default/web").status().container_statuses(0).restart_count(), 1);
}

}  // namespace
}  // namespace kubemu
