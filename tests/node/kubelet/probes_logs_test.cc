// Probes, sidecars and logs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "tests/node/kubelet/node_world.h"

namespace kubemu {
namespace {

using testing::Contains;
using testing::HasSubstr;

k8s::core::v1::Probe HttpProbe(int port, const std::string& path) {
  k8s::core::v1::Probe probe;
  probe.mutable_handler()->mutable_http_get()->mutable_port()->set_int_val(port);
  probe.mutable_handler()->mutable_http_get()->set_path(path);
  probe.set_period_seconds(1);
  probe.set_timeout_seconds(1);
  probe.set_failure_threshold(3);
  probe.set_success_threshold(1);
  return probe;
}

class KubeletProbes : public testing::Test {
 protected:
  void SetUp() override { world_.Run(1s); }
  bool Ready(const std::string& key) {
    const k8s::core::v1::Pod pod = world_.Pod(key);
    return pod.status().container_statuses_size() > 0 && pod.status().container_statuses(0).ready();
  }
  std::string Logs(bus::LogRequest request) {
    const size_t before = world_.outside().size();
    request.set_request(77);
    request.set_namespace_("default");
    world_.Send("master/logs", "node-1/kubelet", request);
    world_.Run(Duration{});
    std::string text;
    for (size_t i = before; i < world_.outside().size(); ++i) {
      const Message& message = world_.outside()[i].message;
      if (message.kind != bus::LOG_RESPONSE) continue;
      const auto& response = message.As<bus::LogResponse>();
      EXPECT_EQ(response.request(), 77u);
      text += response.code() == 200 ? response.data() : "error: " + response.error();
    }
    return text;
  }
  bus::LogRequest LogsOf(const std::string& pod, const std::string& container = "") {
    bus::LogRequest request;
    request.set_pod(pod);
    request.set_container(container);
    return request;
  }
  NodeWorld world_;
};

TEST_F(KubeletProbes, AReadinessProbeDecidesReadyWithinTwoWrites) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("web", "kubemu/service", {"--ready-after", "3s"});
  *pod.mutable_spec()->mutable_containers(0)->mutable_readiness_probe() = HttpProbe(8080, "/");
  world_.AddPod(pod);
  world_.Run(2s);
  EXPECT_EQ(world_.Pod("default/web").status().phase(), "Running");
  EXPECT_FALSE(Ready("default/web"));
  world_.Run(3s);
  EXPECT_TRUE(Ready("default/web"));
  EXPECT_EQ(world_.StatusWrites("default/web"), 2);
  EXPECT_THAT(
      world_.Events("web"),
      Contains("Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503"));
}

// As upstream, which probes with every sync of the pod until the container is ready; a start brings
// one within a second (prober_manager.go, UpdatePodStatus).
TEST_F(KubeletProbes, ReadinessIsAskedAgainSoonAfterTheStart) {
  k8s::core::v1::Probe probe = HttpProbe(8080, "/");
  probe.set_period_seconds(60);
  const auto add = [&](const char* name, const char* ready_after) {
    k8s::core::v1::Pod pod =
        NodeWorld::MakePod(name, "kubemu/service", {"--ready-after", ready_after});
    *pod.mutable_spec()->mutable_containers(0)->mutable_readiness_probe() = probe;
    world_.AddPod(pod);
  };
  add("web", "500ms");
  add("slow", "1500ms");
  probe.set_initial_delay_seconds(10);  // it holds for that probe too
  add("delayed", "500ms");
  world_.Run(3s);
  EXPECT_TRUE(Ready("default/web"));
  EXPECT_FALSE(Ready("default/slow"));
  EXPECT_FALSE(Ready("default/delayed"));
  world_.Run(50s);
  EXPECT_FALSE(Ready("default/slow"));  // once, not again and again
  EXPECT_TRUE(Ready("default/delayed"));
  world_.Run(15s);
  EXPECT_TRUE(Ready("default/slow"));
}

TEST_F(KubeletProbes, ReadinessIsAskedWhenAnotherContainerOfThePodEnds) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("web", "kubemu/service", {"--ready-after", "5s"});
  auto* probe = pod.mutable_spec()->mutable_containers(0)->mutable_readiness_probe();
  *probe = HttpProbe(8080, "/");
  probe->set_period_seconds(60);
  auto* other = pod.mutable_spec()->add_containers();
  other->set_name("other");
  other->set_image("busybox");
  for (const char* word : {"sleep", "20"}) other->add_args(word);
  world_.AddPod(pod);
  world_.Run(19s);
  EXPECT_FALSE(Ready("default/web"));
  world_.Run(5s);
  EXPECT_TRUE(Ready("default/web"));
}

TEST_F(KubeletProbes, ALivenessProbeRestartsTheContainer) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("web", "nginx");
  *pod.mutable_spec()->mutable_containers(0)->mutable_liveness_probe() = HttpProbe(80, "/healthz");
  world_.AddPod(pod);
  world_.Run(5s);
  EXPECT_EQ(world_.Pod("default/web").status().container_statuses(0).restart_count(), 1);
  EXPECT_THAT(world_.Events("web"),
              Contains("Killing: Container c failed liveness probe, will be restarted"));
}

TEST_F(KubeletProbes, LivenessWaitsForTheStartupProbe) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("slow", "kubemu/service", {"--ready-after", "5s"});
  auto* container = pod.mutable_spec()->mutable_containers(0);
  *container->mutable_liveness_probe() = HttpProbe(8080, "/");
  *container->mutable_startup_probe() = HttpProbe(8080, "/");
  container->mutable_startup_probe()->set_failure_threshold(30);
  world_.AddPod(pod);
  world_.Run(3s);
  EXPECT_FALSE(world_.Pod("default/slow").status().container_statuses(0).started());
  world_.Run(10s);
  const auto status = world_.Pod("default/slow").status().container_statuses(0);
  EXPECT_TRUE(status.started());
  EXPECT_EQ(status.restart_count(), 0);
}

TEST_F(KubeletProbes, AProbeThatTakesTooLongHasFailed) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("slow", "kubemu/service", {"--delay", "3s"});
  *pod.mutable_spec()->mutable_containers(0)->mutable_readiness_probe() = HttpProbe(8080, "/");
  world_.AddPod(pod);
  world_.Run(6s);
  EXPECT_FALSE(Ready("default/slow"));
  EXPECT_THAT(world_.Events("slow"), Contains(HasSubstr("context deadline exceeded")));
}

TEST_F(KubeletProbes, TcpAndExecProbes) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("db", "postgres:16");
  auto* probe = pod.mutable_spec()->mutable_containers(0)->mutable_readiness_probe();
  probe->mutable_handler()->mutable_tcp_socket()->mutable_port()->set_int_val(5432);
  world_.AddPod(pod);
  pod = NodeWorld::MakePod("sick", "nginx");
  probe = pod.mutable_spec()->mutable_containers(0)->mutable_readiness_probe();
  for (const char* word : {"sh", "-c", "sleep 0.1 && exit 7"}) {
    probe->mutable_handler()->mutable_exec()->add_command(word);
  }
  world_.AddPod(pod);
  world_.Run(2s);
  EXPECT_TRUE(Ready("default/db"));
  EXPECT_FALSE(Ready("default/sick"));
  EXPECT_THAT(world_.Events("sick"),
              Contains("Unhealthy: Readiness probe failed: command failed with exit code 7"));
}

TEST_F(KubeletProbes, ASidecarStartsBeforeAndEndsAfterTheOthers) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("job", "busybox", {"sleep", "5"});
  pod.mutable_spec()->set_restart_policy("Never");
  auto* sidecar = pod.mutable_spec()->add_init_containers();
  sidecar->set_name("proxy");
  sidecar->set_image("kubemu/service");
  sidecar->set_restart_policy("Always");
  world_.AddPod(pod);
  world_.Run(1s);
  pod = world_.Pod("default/job");
  EXPECT_EQ(pod.status().phase(), "Running");
  EXPECT_TRUE(pod.status().init_container_statuses(0).ready());
  world_.Run(6s);
  pod = world_.Pod("default/job");
  EXPECT_EQ(pod.status().phase(), "Succeeded");
  EXPECT_TRUE(pod.status().init_container_statuses(0).state().has_terminated());
}

TEST_F(KubeletProbes, APreStopSleepComesBeforeTheEnd) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("web", "nginx");
  pod.mutable_spec()
      ->mutable_containers(0)
      ->mutable_lifecycle()
      ->mutable_pre_stop()
      ->mutable_sleep()
      ->set_seconds(5);
  world_.AddPod(pod);
  world_.Run(1s);
  world_.DeletePod("default/web", 30);
  world_.Run(4s);
  EXPECT_TRUE(world_.Exists("pods", "default/web"));
  world_.Run(2s);
  EXPECT_FALSE(world_.Exists("pods", "default/web"));
}

TEST_F(KubeletProbes, LogsOfARunningContainer) {
  world_.AddPod(NodeWorld::MakePod(
      "talk", "busybox", {"sh", "-c", "echo one; echo two; sleep 2; echo three; sleep 1h"}));
  world_.Run(5s);
  EXPECT_EQ(Logs(LogsOf("talk")), "one\ntwo\nthree\n");
  bus::LogRequest tail = LogsOf("talk", "c");
  tail.set_tail_lines(1);
  EXPECT_EQ(Logs(tail), "three\n");
  bus::LogRequest since = LogsOf("talk");
  since.set_since_seconds(4);
  EXPECT_EQ(Logs(since), "three\n");
  bus::LogRequest stamped = LogsOf("talk");
  stamped.set_tail_lines(1);
  stamped.set_timestamps(true);
  EXPECT_EQ(Logs(stamped), "2023-11-14T22:13:23.005000000Z three\n");
}

TEST_F(KubeletProbes, AFollowedLogComesLineByLineUntilTheEnd) {
  k8s::core::v1::Pod pod =
      NodeWorld::MakePod("talk", "busybox", {"sh", "-c", "echo one; sleep 2; echo two; sleep 2"});
  pod.mutable_spec()->set_restart_policy("Never");
  world_.AddPod(pod);
  world_.Run(1s);
  bus::LogRequest follow = LogsOf("talk");
  follow.set_follow(true);
  EXPECT_EQ(Logs(follow), "one\n");
  const size_t before = world_.outside().size();
  world_.Run(2s);
  ASSERT_EQ(world_.outside().size(), before + 1);
  EXPECT_EQ(world_.outside()[before].message.As<bus::LogResponse>().data(), "two\n");
  world_.Run(2s);
  ASSERT_EQ(world_.outside().size(), before + 2);
  EXPECT_TRUE(world_.outside()[before + 1].message.As<bus::LogResponse>().last());
}

TEST_F(KubeletProbes, PreviousLogsAfterARestart) {
  world_.AddPod(NodeWorld::MakePod("crash", "busybox", {"sh", "-c", "echo hello; exit 1"}));
  world_.Run(2s);
  EXPECT_EQ(Logs(LogsOf("crash")), "hello\n");
  bus::LogRequest previous = LogsOf("crash");
  previous.set_previous(true);
  EXPECT_EQ(Logs(previous), "hello\n");
}

TEST_F(KubeletProbes, WhyThereIsNoLog) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("two", "nginx");
  *pod.mutable_spec()->add_containers() = NodeWorld::MakePod("x", "redis").spec().containers(0);
  pod.mutable_spec()->mutable_containers(1)->set_name("d");
  world_.AddPod(pod);
  world_.AddPod(NodeWorld::MakePod("typo", "ngnix"));
  k8s::core::v1::Pod slow = NodeWorld::MakePod("slow", "kubemu/service", {"--start-delay", "1m"});
  world_.AddPod(slow);
  world_.Run(1s);
  EXPECT_EQ(Logs(LogsOf("two")),
            "error: a container name must be specified for pod two, choose one of: [c d]");
  EXPECT_EQ(Logs(LogsOf("two", "x")), "error: container x is not valid for pod two");
  EXPECT_EQ(
      Logs(LogsOf("typo")),
      "error: container \"c\" in pod \"typo\" is waiting to start: trying and failing to pull "
      "image");
  EXPECT_EQ(Logs(LogsOf("slow")),
            "error: container \"c\" in pod \"slow\" is waiting to start: ContainerCreating");
  bus::LogRequest previous = LogsOf("two", "c");
  previous.set_previous(true);
  EXPECT_EQ(Logs(previous), "error: previous terminated container \"c\" in pod \"two\" not found");
}

}  // namespace
}  // namespace kubemu
