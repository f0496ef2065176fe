#include "master/scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "tests/master/fake_api.h"
#include "tests/master/scheduler/fixtures.h"

namespace kubemu {
namespace {

class SchedulerTest : public testing::Test {
 protected:
  SchedulerTest() { api.Settle(); }

  void Put(const Node& node) { api.Put(Object::From(node)); }
  void Put(const Pod& pod) { api.Put(Object::From(pod)); }

  // The bindings that were asked for since the last time.
  std::vector<OnePart::Call> TakeBindings() {
    std::vector<OnePart::Call> bindings;
    for (OnePart::Call& call : api.TakeCalls()) {
      if (call.request.subresource() == "binding") bindings.push_back(std::move(call));
    }
    return bindings;
  }
  static std::string NodeIn(const OnePart::Call& binding) {
    return binding.object.As<Pod>().spec().node_name();
  }

  Scheduler scheduler;
  OnePart api{std::string(Scheduler::kAddress), &scheduler};
};

TEST_F(SchedulerTest, BindsAPodAndSaysSo) {
  Put(MakeNode("node-1"));
  Put(MakePod("web"));
  api.Settle();
  const std::vector<OnePart::Call> bindings = TakeBindings();
  ASSERT_EQ(bindings.size(), 1u);
  EXPECT_EQ(bindings[0].request.verb(), bus::CREATE);
  EXPECT_EQ(bindings[0].request.name(), "web");
  EXPECT_EQ(bindings[0].request.namespace_(), "default");
  EXPECT_EQ(NodeIn(bindings[0]), "node-1");
  EXPECT_TRUE(api.TakeEvents().empty());  // not before it is done
  api.Answer(bindings[0], 201);
  const std::vector<Object> events = api.TakeEvents();
  ASSERT_EQ(events.size(), 1u);
  const auto& event = events[0].As<k8s::core::v1::Event>();
  EXPECT_EQ(event.reason(), "Scheduled");
  EXPECT_EQ(event.message(), "Successfully assigned default/web to node-1");
}

TEST_F(SchedulerTest, LeavesOtherSchedulersPodsAndGatedPodsAlone) {
  Put(MakeNode("node-1"));
  Pod other = MakePod("other");
  other.mutable_spec()->set_scheduler_name("mine");
  Put(other);
  Pod gated = MakePod("gated");
  gated.mutable_spec()->add_scheduling_gates()->set_name("wait");
  Put(gated);
  api.Settle();
  EXPECT_TRUE(TakeBindings().empty());
  gated.mutable_spec()->clear_scheduling_gates();
  Put(gated);
  api.Settle();
  EXPECT_EQ(TakeBindings().size(), 1u);
}

TEST_F(SchedulerTest, SaysWhyNoNodeFitsAndTriesAgainWhenOneDoes) {
  Put(MakeNode("node-1", "1"));
  Put(MakePod("big", "2"));
  api.Settle();
  const std::string why =
      "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 "
      "Preemption is not helpful for scheduling.";
  const std::vector<Object> events = api.TakeEvents();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].As<k8s::core::v1::Event>().reason(), "FailedScheduling");
  EXPECT_EQ(events[0].As<k8s::core::v1::Event>().message(), why);
  const std::vector<OnePart::Call> calls = api.TakeCalls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].request.subresource(), "status");
  const auto& condition = calls[0].object.As<Pod>().status().conditions(0);
  EXPECT_EQ(condition.type(), "PodScheduled");
  EXPECT_EQ(condition.status(), "False");
  EXPECT_EQ(condition.reason(), "Unschedulable");
  EXPECT_EQ(condition.message(), why);
  api.Put(calls[0].object);  // its own status update is no reason to try again
  api.Advance(20s);
  EXPECT_TRUE(TakeBindings().empty());
  Put(MakeNode("node-2", "4"));
  api.Settle();
  const std::vector<OnePart::Call> bindings = TakeBindings();
  ASSERT_EQ(bindings.size(), 1u);
  EXPECT_EQ(NodeIn(bindings[0]), "node-2");
}

TEST_F(SchedulerTest, CountsAPodBeforeItsBindingIsAnswered) {
  Put(MakeNode("node-1", "1"));
  Put(MakePod("first", "600m"));
  Put(MakePod("second", "600m"));
  api.Settle();
  EXPECT_EQ(TakeBindings().size(), 1u);
  EXPECT_EQ(scheduler.queue().unschedulable(), 1u);
}

TEST_F(SchedulerTest, ARefusedBindingFreesThePlaceAndIsTriedAgainLater) {
  Put(MakeNode("node-1", "1"));
  Put(MakePod("web", "600m"));
  api.Settle();
  api.Answer(TakeBindings().at(0), 403, "Forbidden");
  EXPECT_EQ(scheduler.cluster().pod_count(), 0u);
  api.Settle();
  EXPECT_TRUE(TakeBindings().empty());
  api.Advance(1s);
  EXPECT_EQ(TakeBindings().size(), 1u);
}

TEST_F(SchedulerTest, AnUnansweredBindingIsRepeatedOnTheSameNode) {
  Put(MakeNode("node-1"));
  Put(MakeNode("node-2"));
  Put(MakePod("web", "1"));
  api.Settle();
  const std::string node = NodeIn(TakeBindings().at(0));
  api.Advance(Calls::kTimeout + Scheduler::kBindingRetry);
  EXPECT_TRUE(scheduler.cluster().IsAssumed("default/web"));
  const std::vector<OnePart::Call> again = TakeBindings();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(NodeIn(again[0]), node);
}

TEST_F(SchedulerTest, AConflictKeepsThePlaceUntilTheNextTry) {
  Put(MakeNode("node-1", "1"));
  Put(MakePod("web", "600m"));
  api.Settle();
  api.Answer(TakeBindings().at(0), 409, "Conflict");
  EXPECT_EQ(scheduler.cluster().NodeOf("default/web"), "node-1");
  Put(On(MakePod("web", "600m"), "node-1"));  // it was bound after all
  api.Advance(5s);
  EXPECT_TRUE(TakeBindings().empty());
  EXPECT_EQ(scheduler.queue().size(), 0u);
}

TEST_F(SchedulerTest, AFinishedPodFreesItsPlace) {
  Put(MakeNode("node-1", "1"));
  Pod job = On(MakePod("job", "800m"), "node-1");
  Put(job);
  Put(MakePod("web", "800m"));
  api.Settle();
  EXPECT_TRUE(TakeBindings().empty());
  job.mutable_status()->set_phase("Succeeded");
  Put(job);
  api.Advance(2s);
  EXPECT_EQ(TakeBindings().size(), 1u);
}

TEST_F(SchedulerTest, APodDeletedDuringItsBindingFreesItsPlace) {
  Put(MakeNode("node-1"));
  Put(MakePod("web", "1"));
  api.Settle();
  const OnePart::Call binding = TakeBindings().at(0);
  api.Delete(Object::From(MakePod("web", "1")));
  EXPECT_EQ(scheduler.cluster().pod_count(), 0u);
  api.Answer(binding, 404, "NotFound");
  api.Advance(10s);
  EXPECT_TRUE(TakeBindings().empty());
}

TEST_F(SchedulerTest, PodsOfAServiceAreSpreadOverTheNodes) {
  for (const char* node : {"node-1", "node-2", "node-3"}) Put(MakeNode(node));
  k8s::core::v1::Service service;
  service.mutable_metadata()->set_name("web");
  service.mutable_metadata()->set_namespace_("default");
  SetEntry(service.mutable_spec()->mutable_selector(), "app", "web");
  api.Put(Object::From(service));
  std::map<std::string, int> pods;
  for (int i = 0; i < 6; ++i) Put(Labelled(MakePod(StrCat("web-", i)), "app", "web"));
  api.Settle();
  for (const OnePart::Call& binding : TakeBindings()) ++pods[NodeIn(binding)];
  EXPECT_THAT(pods, testing::ElementsAre(testing::Pair("node-1", 2), testing::Pair("node-2", 2),
                                         testing::Pair("node-3", 2)));
}

// Random pods come and go, bindings succeed, fail or are answered with an error although they were
// done: what is placed or decided never exceeds a node.
TEST_F(SchedulerTest, ANodesCapacityIsNeverExceeded) {
  constexpr int64_t kMilliCpu = 2000;
  constexpr size_t kPods = 8;
  for (int i = 0; i < 5; ++i) Put(MakeNode(StrCat("node-", i), "2", "4Gi", "8"));
  Random random(42);
  std::map<std::string, Pod> pods;
  std::map<std::string, Pod> bound;
  std::vector<OnePart::Call> open;
  size_t most_bound = 0;
  for (int round = 0; round < 400; ++round) {
    const std::string name = StrCat("pod-", round);
    pods[name] = MakePod(name, StrCat(100 + random.Uniform(900), "m"));
    Put(pods[name]);
    api.Advance(Duration(random.Uniform(300'000'000)));
    for (OnePart::Call& call : TakeBindings()) open.push_back(std::move(call));
    while (!open.empty() && random.Chance(0.7)) {
      const OnePart::Call call = open.back();
      open.pop_back();
      const std::string wanted = call.request.name();
      const bool is_new = bound.try_emplace(wanted, On(pods[wanted], NodeIn(call))).second;
      const bool done = is_new && random.Chance(0.9);
      if (!done && is_new) bound.erase(wanted);
      api.Answer(call, done ? 201 : is_new ? 500 : 409, done ? "" : "Conflict");
      if (done) Put(bound[wanted]);
    }
    if (!bound.empty() && random.Chance(0.5)) {
      api.Delete(Object::From(bound.begin()->second));
      bound.erase(bound.begin());
    }
    most_bound = std::max(most_bound, bound.size());
    for (const NodeInfo* node : scheduler.cluster().nodes()) {
      int64_t asked = 0;
      for (const auto& pod : node->pods()) asked += pod->requests.milli_cpu;
      ASSERT_LE(asked, kMilliCpu) << node->name() << " in round " << round;
      ASSERT_EQ(asked, node->requested().milli_cpu);
      ASSERT_LE(node->pods().size(), kPods);
    }
  }
  EXPECT_GT(most_bound, 10u);
}

// The promise is 2,000 pods a second on 100 nodes; a debug or shared machine gets room.
TEST_F(SchedulerTest, ThousandsOfPodsOnAHundredNodesAreDecidedQuickly) {
  k8s::core::v1::Service service;
  service.mutable_metadata()->set_name("web");
  service.mutable_metadata()->set_namespace_("default");
  SetEntry(service.mutable_spec()->mutable_selector(), "app", "web");
  api.Put(Object::From(service));
  for (int i = 0; i < 100; ++i) Put(MakeNode(StrCat("node-", i)));
  for (int i = 0; i < 3000; ++i) {
    Put(Labelled(MakePod(StrCat("web-", i), "10m", "10Mi"), "app", "web"));
  }
  const auto begin = std::chrono::steady_clock::now();
  api.Advance(1ms);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(TakeBindings().size(), 3000u);
  EXPECT_LT(took.count(), 3.0);
  RecordProperty("pods_per_second", std::to_string(3000 / took.count()));
}

// Which node each of some equal pods gets: chance decides, from the seed.
std::string DecisionsFrom(uint64_t seed) {
  Scheduler scheduler;
  OnePart api(std::string(Scheduler::kAddress), &scheduler, seed);
  api.Settle();
  for (int i = 0; i < 8; ++i) api.Put(Object::From(MakeNode(StrCat("node-", i))));
  for (int i = 0; i < 20; ++i) api.Put(Object::From(MakePod(StrCat("pod-", i), "100m")));
  api.Advance(1ms);
  std::string decisions;
  for (const OnePart::Call& call : api.TakeCalls()) {
    StrAppend(&decisions, call.object.As<Pod>().spec().node_name(), " ");
  }
  return decisions;
}

TEST(SchedulerChance, DecidesTheSameFromTheSameSeed) {
  EXPECT_EQ(DecisionsFrom(5), DecisionsFrom(5));
  EXPECT_NE(DecisionsFrom(5), DecisionsFrom(6));
}

}  // namespace
}  // namespace kubemu
