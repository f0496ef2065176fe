// A container's environment: where its variables come from, and what it waits for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_selector.pb.h"
#include "tests/node/kubelet/node_world.h"

namespace kubemu {
namespace {

using k8s::core::v1::EnvVarSource;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::Not;

class KubeletConfig : public testing::Test {
 protected:
  void SetUp() override { world_.Run(1s); }

  void PutMap(const std::string& name, const std::string& key, const std::string& value) {
    k8s::core::v1::ConfigMap map;
    map.mutable_metadata()->set_name(name);
    map.mutable_metadata()->set_namespace_("default");
    SetEntry(map.mutable_data(), key, value);
    world_.Put(Object::From(std::move(map)));
  }
  void PutSecret(const std::string& name, const std::string& key, const std::string& value) {
    k8s::core::v1::Secret secret;
    secret.mutable_metadata()->set_name(name);
    secret.mutable_metadata()->set_namespace_("default");
    auto* entry = secret.add_data();
    entry->set_key(key);
    entry->set_value(value);
    world_.Put(Object::From(std::move(secret)));
  }
  // A pod that prints its environment and then stays.
  static k8s::core::v1::Pod Printer() {
    return NodeWorld::MakePod("p", "busybox", {"sh", "-c", "env; sleep 1h"});
  }
  static EnvVarSource* Variable(k8s::core::v1::Pod* pod, const std::string& name) {
    auto* variable = pod->mutable_spec()->mutable_containers(0)->add_env();
    variable->set_name(name);
    return variable->mutable_value_from();
  }
  static void FromMap(k8s::core::v1::Pod* pod, const std::string& map, const std::string& key,
                      bool optional = false) {
    auto* ref = Variable(pod, "V")->mutable_config_map_key_ref();
    ref->mutable_local_object_reference()->set_name(map);
    ref->set_key(key);
    if (optional) ref->set_optional(true);
  }
  std::string Log() {
    const size_t before = world_.outside().size();
    bus::LogRequest request;
    request.set_request(77);
    request.set_namespace_("default");
    request.set_pod("p");
    world_.Send("master/logs", "node-1/kubelet", request);
    world_.Run(Duration{});
    std::string text;
    for (size_t i = before; i < world_.outside().size(); ++i) {
      const Message& message = world_.outside()[i].message;
      if (message.kind == bus::LOG_RESPONSE) text += message.As<bus::LogResponse>().data();
    }
    return text;
  }
  k8s::core::v1::ContainerState State() {
    const k8s::core::v1::Pod pod = world_.Pod("default/p");
    return pod.status().container_statuses().empty() ? k8s::core::v1::ContainerState()
                                                     : pod.status().container_statuses(0).state();
  }

  NodeWorld world_;
};

TEST_F(KubeletConfig, VariablesComeFromConfigMapsSecretsAndResources) {
  PutMap("all", "A", "from map");
  PutSecret("hidden", "B", "from secret");
  k8s::core::v1::Pod pod = Printer();
  auto* container = pod.mutable_spec()->mutable_containers(0);
  auto* all = container->add_env_from();
  all->set_prefix("P_");
  all->mutable_config_map_ref()->mutable_local_object_reference()->set_name("all");
  container->add_env_from()->mutable_secret_ref()->mutable_local_object_reference()->set_name(
      "hidden");
  FromMap(&pod, "all", "A");
  auto* secret = Variable(&pod, "S")->mutable_secret_key_ref();
  secret->mutable_local_object_reference()->set_name("hidden");
  secret->set_key("B");
  auto* expanded = container->add_env();
  expanded->set_name("E");
  expanded->set_value("<$(P_A)>");
  auto* limit = container->mutable_resources()->add_limits();
  limit->set_key("memory");
  limit->mutable_value()->set_string("130Mi");
  auto* memory = Variable(&pod, "MEMORY")->mutable_resource_field_ref();
  memory->set_resource("limits.memory");
  memory->mutable_divisor()->set_string("4Mi");
  Variable(&pod, "CPU")->mutable_resource_field_ref()->set_resource("limits.cpu");
  Variable(&pod, "ASKED")->mutable_resource_field_ref()->set_resource("requests.cpu");
  world_.AddPod(pod);
  world_.Run(1s);
  EXPECT_EQ(world_.Pod("default/p").status().phase(), "Running");
  EXPECT_THAT(Log(), HasSubstr("P_A=from map\nB=from secret\nV=from map\nS=from secret\n"
                               "E=<from map>\nMEMORY=33\nCPU=4\nASKED=0\n"));
}

TEST_F(KubeletConfig, WhatIsMissingIsSaidAndTriedAgain) {
  k8s::core::v1::Pod pod = Printer();
  FromMap(&pod, "late", "A");
  world_.AddPod(pod);
  world_.Run(5s);
  EXPECT_EQ(State().waiting().reason(), "CreateContainerConfigError");
  EXPECT_EQ(State().waiting().message(), "configmap \"late\" not found");
  EXPECT_THAT(world_.Events("p"), Contains("Failed: Error: configmap \"late\" not found"));
  PutMap("late", "B", "x");
  world_.Run(10s);
  EXPECT_EQ(State().waiting().message(), "couldn't find key A in ConfigMap default/late");
  PutMap("late", "A", "here");
  world_.Run(10s);
  EXPECT_TRUE(State().has_running());
  EXPECT_THAT(Log(), HasSubstr("V=here\n"));
}

TEST_F(KubeletConfig, WhatIsOptionalMayBeMissing) {
  k8s::core::v1::Pod pod = Printer();
  PutMap("there", "A", "x");
  FromMap(&pod, "none", "A", true);
  FromMap(&pod, "there", "B", true);
  auto* from = pod.mutable_spec()->mutable_containers(0)->add_env_from()->mutable_secret_ref();
  from->mutable_local_object_reference()->set_name("none");
  from->set_optional(true);
  world_.AddPod(pod);
  world_.Run(1s);
  EXPECT_TRUE(State().has_running());
  EXPECT_THAT(Log(), Not(HasSubstr("V=")));
}

TEST_F(KubeletConfig, EachStartReadsThemAnew) {
  PutMap("m", "A", "old");
  k8s::core::v1::Pod pod = NodeWorld::MakePod("p", "busybox", {"sh", "-c", "env; sleep 5"});
  FromMap(&pod, "m", "A");
  world_.AddPod(pod);
  world_.Run(1s);
  EXPECT_THAT(Log(), HasSubstr("V=old\n"));
  PutMap("m", "A", "new");
  world_.Run(6s);
  EXPECT_THAT(Log(), HasSubstr("V=new\n"));
}

TEST_F(KubeletConfig, APodThatWaitsForItsConfigurationCanBeDeleted) {
  k8s::core::v1::Pod pod = Printer();
  FromMap(&pod, "none", "A");
  world_.AddPod(pod);
  world_.Run(3s);
  world_.DeletePod("default/p", 30);
  EXPECT_TRUE(world_.RunUntil([&] { return !world_.Exists("pods", "default/p"); }, 10s));
}

TEST_F(KubeletConfig, AnApiServerThatDoesNotAnswerIsAskedAgain) {
  PutMap("m", "A", "x");
  k8s::core::v1::Pod pod = Printer();
  FromMap(&pod, "m", "A");
  world_.AddPod(pod);
  world_.settings().answers = false;
  world_.Run(15s);
  world_.settings().answers = true;
  EXPECT_TRUE(world_.RunUntil([&] { return State().has_running(); }, 30s));
}

}  // namespace
}  // namespace kubemu
