// A pod from its binding to its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "tests/node/kubelet/node_world.h"

namespace kubemu {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

std::string Condition(const k8s::core::v1::Pod& pod, const std::string& type) {
  for (const auto& condition : pod.status().conditions()) {
    if (condition.type() == type) return condition.status();
  }
  return "none";
}

const k8s::core::v1::ContainerStatus& Container(const k8s::core::v1::Pod& pod, int i = 0) {
  return pod.status().container_statuses(i);
}

class KubeletPod : public testing::Test {
 protected:
  void SetUp() override { world_.Run(1s); }
  bool Phase(const std::string& key, const std::string& phase, Duration limit = 60s) {
    return world_.RunUntil([&] { return world_.Pod(key).status().phase() == phase; }, limit);
  }
  NodeWorld world_;
};

TEST_F(KubeletPod, RunsAfterOneStatusWrite) {
  world_.AddPod(NodeWorld::MakePod("web", "nginx:1.27"));
  EXPECT_TRUE(Phase("default/web", "Running", 100ms));
  world_.Run(5s);
  EXPECT_EQ(world_.StatusWrites("default/web"), 1);
  const k8s::core::v1::Pod pod = world_.Pod("default/web");
  EXPECT_EQ(pod.status().pod_ip(), "10.244.1.2");
  EXPECT_EQ(pod.status().host_ip(), "127.1.0.1");
  for (const char* type :
       {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"}) {
    EXPECT_EQ(Condition(pod, type), "True") << type;
  }
  const auto& status = Container(pod);
  EXPECT_TRUE(status.ready());
  EXPECT_TRUE(status.started());
  EXPECT_TRUE(status.has_restart_count());
  EXPECT_TRUE(status.state().has_running());
  EXPECT_THAT(status.container_id(), AllOf(StartsWith("kubemu://"), SizeIs(9 + 64)));
  EXPECT_THAT(status.image_id(), StartsWith("docker.io/library/nginx@sha256:"));
  EXPECT_THAT(world_.Events("web"),
              ElementsAre("Pulling: Pulling image \"nginx:1.27\"",
                          "Pulled: Successfully pulled image \"nginx:1.27\" in 0s (0s including "
                          "waiting). Image size: 72000000 bytes.",
                          "Created: Created container: c", "Started: Started container c"));
}

TEST_F(KubeletPod, TheSecondPodOfAnImageFindsItOnTheNode) {
  world_.AddPod(NodeWorld::MakePod("a", "nginx:1.27"));
  ASSERT_TRUE(Phase("default/a", "Running"));
  world_.AddPod(NodeWorld::MakePod("b", "nginx:1.27"));
  ASSERT_TRUE(Phase("default/b", "Running"));
  EXPECT_THAT(world_.Events("b"), Contains("Pulled: Container image \"nginx:1.27\" already present "
                                           "on machine"));
  EXPECT_EQ(world_.Pod("default/b").status().pod_ip(), "10.244.1.3");
}

TEST_F(KubeletPod, ACrashingContainerWaitsTenThenTwentyThenFortySeconds) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("crash", "busybox", {"sh", "-c", "exit 3"});
  world_.AddPod(pod);
  std::vector<Time> starts;
  int32_t seen = -1;
  world_.RunUntil(
      [&] {
        const auto& events = world_.Events("crash");
        const auto count = static_cast<int32_t>(
            std::count(events.begin(), events.end(), "Started: Started container c"));
        if (count != seen) starts.push_back(world_.now());
        seen = count;
        return false;
      },
      80s);
  ASSERT_GE(starts.size(), 6u);  // before the first, first, second, after 10, 20, 40 s
  const auto rounded = [&](size_t i) {
    return std::chrono::round<std::chrono::seconds>(starts[i] - starts[i - 1]);
  };
  EXPECT_EQ(rounded(2), 0s);
  EXPECT_EQ(rounded(3), 10s);
  EXPECT_EQ(rounded(4), 20s);
  EXPECT_EQ(rounded(5), 40s);
  const k8s::core::v1::Pod now = world_.Pod("default/crash");
  EXPECT_EQ(Container(now).restart_count(), 4);
  EXPECT_EQ(Container(now).state().waiting().reason(), "CrashLoopBackOff");
  EXPECT_EQ(Container(now).state().waiting().message(),
            StrCat("back-off 1m20s restarting failed container=c pod=crash_default(",
                   now.metadata().uid(), ")"));
  EXPECT_EQ(Container(now).last_state().terminated().exit_code(), 3);
  EXPECT_EQ(now.status().phase(), "Running");
  EXPECT_EQ(Condition(now, "Ready"), "False");
}

TEST_F(KubeletPod, RestartPolicyNeverEndsInSucceededOrFailed) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("good", "busybox", {"echo", "hi"});
  pod.mutable_spec()->set_restart_policy("Never");
  world_.AddPod(pod);
  pod = NodeWorld::MakePod("bad", "busybox", {"sh", "-c", "exit 4"});
  pod.mutable_spec()->set_restart_policy("Never");
  world_.AddPod(pod);
  EXPECT_TRUE(Phase("default/good", "Succeeded"));
  EXPECT_TRUE(Phase("default/bad", "Failed"));
  EXPECT_EQ(Container(world_.Pod("default/bad")).state().terminated().exit_code(), 4);
  EXPECT_EQ(Container(world_.Pod("default/good")).state().terminated().reason(), "Completed");
}

TEST_F(KubeletPod, InitContainersRunOneAfterTheOther) {
  k8s::core::v1::Pod pod = NodeWorld::MakePod("init", "nginx");
  for (const char* name : {"first", "second"}) {
    auto* init = pod.mutable_spec()->add_init_containers();
    init->set_name(name);
    init->set_image("busybox");
    init->set_image_pull_policy("IfNotPresent");
    init->add_command("sleep");
    init->add_command("2");
  }
  world_.AddPod(pod);
  world_.Run(1s);
  pod = world_.Pod("default/init");
  EXPECT_TRUE(pod.status().init_container_statuses(0).state().has_running());
  EXPECT_EQ(pod.status().init_container_statuses(1).state().waiting().reason(),
            "ContainerCreating");
  EXPECT_EQ(Container(pod).state().waiting().reason(), "PodInitializing");
  EXPECT_EQ(Condition(pod, "Initialized"), "False");
  world_.Run(2s);
  pod = world_.Pod("default/init");
  EXPECT_TRUE(pod.status().init_container_statuses(0).state().has_terminated());
  EXPECT_TRUE(pod.status().init_container_statuses(1).state().has_running());
  EXPECT_TRUE(Phase("default/init", "Running", 3s));
  EXPECT_EQ(Condition(world_.Pod("default/init"), "Initialized"), "True");
}

TEST_F(KubeletPod, DeletionEndsContainersThenWritesThenDeletes) {
  world_.AddPod(NodeWorld::MakePod("web", "nginx"));
  ASSERT_TRUE(Phase("default/web", "Running"));
  const std::string uid = world_.Pod("default/web").metadata().uid();
  world_.DeletePod("default/web", 30);
  EXPECT_TRUE(world_.RunUntil([&] { return !world_.Exists("pods", "default/web"); }, 1s));
  EXPECT_THAT(world_.Events("web"), Contains("Killing: Stopping container c"));
  const auto& calls = world_.calls();
  ASSERT_GE(calls.size(), 2u);
  const auto& last = calls.back().message.As<bus::ApiRequest>();
  EXPECT_EQ(last.verb(), bus::DELETE);
  EXPECT_EQ(last.grace_period_seconds(), 0);
  EXPECT_EQ(last.precondition_uid(), uid);
  const Message& before = calls[calls.size() - 2].message;
  EXPECT_EQ(before.As<bus::ApiRequest>().subresource(), "status");
  EXPECT_EQ(before.objects[0].As<k8s::core::v1::Pod>().status().phase(), "Succeeded");
}

TEST_F(KubeletPod, AProcessThatIgnoresSigtermTakesTheWholeGracePeriod) {
  world_.AddPod(NodeWorld::MakePod("sleeper", "busybox", {"sleep", "infinity"}));
  ASSERT_TRUE(Phase("default/sleeper", "Running"));
  world_.DeletePod("default/sleeper", 30);
  world_.Run(29s);
  EXPECT_TRUE(world_.Exists("pods", "default/sleeper"));
  world_.Run(2s);
  EXPECT_FALSE(world_.Exists("pods", "default/sleeper"));
}

TEST_F(KubeletPod, ASecondDeletionShortensTheGrace) {
  world_.AddPod(NodeWorld::MakePod("sleeper", "busybox", {"sleep", "infinity"}));
  ASSERT_TRUE(Phase("default/sleeper", "Running"));
  world_.DeletePod("default/sleeper", 30);
  world_.Run(5s);
  world_.DeletePod("default/sleeper", 1);
  world_.Run(1s);
  EXPECT_FALSE(world_.Exists("pods", "default/sleeper"));
}

TEST_F(KubeletPod, AForcedDeletionFreesTheAddressAndWritesNothing) {
  world_.AddPod(NodeWorld::MakePod("gone", "busybox", {"sleep", "infinity"}));
  ASSERT_TRUE(Phase("default/gone", "Running"));
  const int writes = world_.StatusWrites("default/gone");
  world_.iptables().clear();
  world_.Remove("pods", "default/gone");
  world_.Run(1s);
  ASSERT_THAT(world_.iptables(), SizeIs(1));
  EXPECT_TRUE(world_.iptables()[0].message.As<bus::PodNetworkUpdate>().removed());
  EXPECT_EQ(world_.StatusWrites("default/gone"), writes);
}

TEST_F(KubeletPod, ANewPodOfTheSameNameWaitsForTheOldOnesEnd) {
  world_.AddPod(NodeWorld::MakePod("db-0", "busybox", {"sleep", "infinity"}));
  ASSERT_TRUE(Phase("default/db-0", "Running"));
  world_.Remove("pods", "default/db-0");
  world_.AddPod(NodeWorld::MakePod("db-0", "nginx"));
  EXPECT_TRUE(Phase("default/db-0", "Running", 1s));
}

TEST_F(KubeletPod, AnUnknownImageBacksOff) {
  world_.AddPod(NodeWorld::MakePod("typo", "ngnix"));
  world_.Run(1s);
  EXPECT_EQ(Container(world_.Pod("default/typo")).state().waiting().reason(), "ErrImagePull");
  world_.Run(3s);
  const k8s::core::v1::Pod pod = world_.Pod("default/typo");
  EXPECT_EQ(Container(pod).state().waiting().reason(), "ImagePullBackOff");
  EXPECT_THAT(
      Container(pod).state().waiting().message(),
      StartsWith("Back-off pulling image \"ngnix\": ErrImagePull: rpc error: code = NotFound"));
  EXPECT_THAT(world_.Events("typo"),
              testing::IsSupersetOf({"Failed: Error: ErrImagePull",
                                     "BackOff: Back-off pulling image \"ngnix\"",
                                     "Failed: Error: ImagePullBackOff"}));
  world_.AddPod(NodeWorld::MakePod("upper", "Nginx"));
  world_.Run(1s);
  EXPECT_EQ(Container(world_.Pod("default/upper")).state().waiting().reason(), "InvalidImageName");
}

TEST_F(KubeletPod, ACommandThatDoesNotExistCannotBeStarted) {
  world_.AddPod(NodeWorld::MakePod("nosuch", "busybox", {"frobnicate"}));
  world_.Run(5s);
  const k8s::core::v1::Pod pod = world_.Pod("default/nosuch");
  EXPECT_EQ(Container(pod).last_state().terminated().exit_code(), 128);
  EXPECT_EQ(Container(pod).last_state().terminated().reason(), "StartError");
  EXPECT_THAT(world_.Events("nosuch"),
              Contains(HasSubstr("exec: \"frobnicate\": executable file not found in $PATH")));
}

TEST(KubeletAdmission, APodThatDoesNotFitFails) {
  NodeWorld world({.cpu = "2"});
  world.Run(1s);
  k8s::core::v1::Pod pod = NodeWorld::MakePod("big", "nginx");
  auto* request = pod.mutable_spec()->mutable_containers(0)->mutable_resources()->add_requests();
  request->set_key("cpu");
  request->mutable_value()->set_string("1500m");
  world.AddPod(pod);
  world.Run(1s);
  pod.mutable_metadata()->set_name("second");
  world.AddPod(pod);
  world.Run(1s);
  EXPECT_EQ(world.Pod("default/big").status().phase(), "Running");
  const k8s::core::v1::Pod refused = world.Pod("default/second");
  EXPECT_EQ(refused.status().phase(), "Failed");
  EXPECT_EQ(refused.status().reason(), "OutOfcpu");
  EXPECT_EQ(refused.status().message(),
            "Pod was rejected: Node didn't have enough resource: cpu, requested: 1500, used: 1500, "
            "capacity: 2000");
}

TEST_F(KubeletPod, AfterTheNodesRestartContainersRunAgainUnderTheirAddress) {
  world_.AddPod(NodeWorld::MakePod("a", "nginx"));
  world_.AddPod(NodeWorld::MakePod("b", "nginx"));
  ASSERT_TRUE(Phase("default/b", "Running"));
  const std::string ip = world_.Pod("default/b").status().pod_ip();
  world_.RestartNode();
  EXPECT_TRUE(world_.RunUntil(
      [&] {
        const k8s::core::v1::Pod pod = world_.Pod("default/b");
        return Container(pod).restart_count() == 1 && Container(pod).ready();
      },
      2s));
  EXPECT_EQ(world_.Pod("default/b").status().pod_ip(), ip);
}

}  // namespace
}  // namespace kubemu
