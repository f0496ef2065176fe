#include "master/controllers/pod_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/master/workloads/objects.h"

namespace kubemu {
namespace {

constexpr int64_t kNow = 1'000'000;

struct PodShape {
  std::string node = "a";
  std::string phase = "Running";
  int64_t ready_for = 0;  // seconds; 0: not ready
  std::string cost = "";
  int restarts = 0;
  int64_t age = 1000;
};

Object MakePod(const std::string& name, const PodShape& shape) {
  Pod pod;
  pod.mutable_metadata()->set_name(name);
  pod.mutable_metadata()->set_namespace_("default");
  pod.mutable_metadata()->set_uid(name);
  pod.mutable_metadata()->mutable_creation_timestamp()->set_seconds(kNow - shape.age);
  if (!shape.cost.empty()) {
    SetEntry(pod.mutable_metadata()->mutable_annotations(),
             "controller.kubernetes.io/pod-deletion-cost", shape.cost);
  }
  pod.mutable_spec()->set_node_name(shape.node);
  pod.mutable_status()->set_phase(shape.phase);
  pod.mutable_status()->add_container_statuses()->set_restart_count(shape.restarts);
  if (shape.ready_for > 0) {
    auto* ready = pod.mutable_status()->add_conditions();
    ready->set_type("Ready");
    ready->set_status("True");
    ready->mutable_last_transition_time()->set_seconds(kNow - shape.ready_for);
  }
  return Object::From(std::move(pod));
}

struct OrderCase {
  const char* what;
  PodShape first;
  PodShape second;
};

TEST(DeletionOrder, TheLeastUsefulPodGoesFirst) {
  const OrderCase cases[] = {
      {"without a node", {.node = ""}, {}},
      {"pending", {.phase = "Pending"}, {}},
      {"of unknown state", {.phase = "Unknown"}, {}},
      {"not ready", {}, {.ready_for = 100}},
      {"of lower cost", {.ready_for = 500, .cost = "-5"}, {.ready_for = 100}},
      {"ready for a shorter time", {.ready_for = 10}, {.ready_for = 500}},
      {"restarted more often", {.restarts = 3}, {.restarts = 1}},
      {"younger", {.age = 10}, {.age = 1000}},
  };
  for (const OrderCase& test : cases) {
    const std::vector<Object> pods = {MakePod("keep", test.second), MakePod("go", test.first)};
    const std::vector<Object> ordered =
        InDeletionOrder(pods, pods, WallTime(std::chrono::seconds(kNow)));
    EXPECT_EQ(ordered[0].meta().name(), "go") << test.what;
  }
}

TEST(DeletionOrder, TheNodeWithMorePodsOfTheGroupGivesUpOneFirst) {
  const Object alone = MakePod("alone", {.node = "a", .ready_for = 10});
  const Object beside = MakePod("beside", {.node = "b", .ready_for = 500});
  const Object sibling = MakePod("sibling", {.node = "b", .ready_for = 500});
  const std::vector<Object> ordered = InDeletionOrder({alone, beside}, {alone, beside, sibling},
                                                      WallTime(std::chrono::seconds(kNow)));
  EXPECT_EQ(ordered[0].meta().name(), "beside");
}

TEST(DeletionOrder, IsTheSameWhateverOrderThePodsComeIn) {
  std::vector<Object> pods;
  for (int i = 0; i < 20; ++i) {
    pods.push_back(MakePod("pod-" + std::to_string(i),
                           {.ready_for = 1 + i * 37 % 100, .restarts = i % 3, .age = 200 + i}));
  }
  const WallTime now{std::chrono::seconds(kNow)};
  const std::vector<Object> ordered = InDeletionOrder(pods, pods, now);
  std::reverse(pods.begin(), pods.end());
  const std::vector<Object> again = InDeletionOrder(pods, pods, now);
  for (size_t i = 0; i < ordered.size(); ++i) EXPECT_EQ(ordered[i].key(), again[i].key());
}

}  // namespace
}  // namespace kubemu
