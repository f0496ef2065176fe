#include "master/scheduler/scheduling_queue.h"

#include <gtest/gtest.h>

#include "tests/master/scheduler/fixtures.h"

namespace kubemu {
namespace {

constexpr Time kStart{};
constexpr uint32_t kFit = 1;
constexpr uint32_t kPorts = 2;

std::shared_ptr<const PodInfo> WithPriority(const std::string& name, int priority) {
  Pod pod = MakePod(name);
  pod.mutable_spec()->set_priority(priority);
  return std::make_shared<PodInfo>(Object::From(pod));
}

TEST(SchedulingQueue, HighestPriorityComesFirstThenTheLongestWaiting) {
  SchedulingQueue queue;
  queue.Add(WithPriority("second", 0), {}, kStart);
  queue.Add(WithPriority("third", 0), {}, kStart + 1s);
  queue.Add(WithPriority("first", 10), {}, kStart + 2s);
  EXPECT_EQ(queue.Pop()->pod->key, "default/first");
  EXPECT_EQ(queue.Pop()->pod->key, "default/second");
  EXPECT_EQ(queue.Pop()->pod->key, "default/third");
  EXPECT_FALSE(queue.Pop());
}

TEST(SchedulingQueue, BackOffDoublesUpToTenSeconds) {
  SchedulingQueue queue;
  queue.Add(WithPriority("p", 0), {}, kStart);
  Time now = kStart;
  for (const Duration expected : {1s, 2s, 4s, 8s, 10s, 10s}) {
    queue.Retry(*queue.Pop(), now);
    EXPECT_EQ(queue.NextWake() - now, expected);
    now = queue.NextWake();
    queue.Flush(now);
    ASSERT_EQ(queue.active(), 1u);
  }
}

TEST(SchedulingQueue, OnlyEventsOfThePluginThatRefusedMoveAPod) {
  SchedulingQueue queue;
  queue.Add(WithPriority("p", 0), {}, kStart);
  queue.Park(*queue.Pop(), kFit, kStart);
  queue.MoveFor(kPorts, {}, kStart + 20s);
  EXPECT_EQ(queue.unschedulable(), 1u);
  queue.MoveFor(kFit | kPorts, {}, kStart + 20s);
  EXPECT_EQ(queue.active(), 1u);
}

TEST(SchedulingQueue, AMovedPodWaitsForTheEndOfItsBackOff) {
  SchedulingQueue queue;
  queue.Add(WithPriority("p", 0), {}, kStart);
  queue.Park(*queue.Pop(), kFit, kStart);
  queue.MoveFor(kFit, {}, kStart + 100ms);
  EXPECT_EQ(queue.backing_off(), 1u);
  EXPECT_EQ(queue.NextWake(), kStart + 1s);
}

TEST(SchedulingQueue, NothingStaysUnschedulableForMoreThanFiveMinutes) {
  SchedulingQueue queue;
  queue.Add(WithPriority("p", 0), {}, kStart);
  queue.Park(*queue.Pop(), kFit, kStart);
  queue.Flush(kStart + 4min);
  EXPECT_EQ(queue.unschedulable(), 1u);
  queue.Flush(kStart + 5min);
  EXPECT_EQ(queue.active(), 1u);
}

TEST(SchedulingQueue, ARemovedPodIsInNoPlace) {
  SchedulingQueue queue;
  queue.Add(WithPriority("p", 0), {}, kStart);
  queue.Remove("default/p");
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_FALSE(queue.Pop());
}

TEST(SchedulingQueue, ANewVersionKeepsThePlaceUnlessItMayHelp) {
  SchedulingQueue queue;
  queue.Add(WithPriority("p", 0), {}, kStart);
  queue.Park(*queue.Pop(), kFit, kStart);
  queue.Update(WithPriority("p", 0), false, {}, kStart + 20s);
  EXPECT_EQ(queue.unschedulable(), 1u);
  queue.Update(WithPriority("p", 5), true, {}, kStart + 20s);
  EXPECT_EQ(queue.Pop()->pod->priority, 5);
}

}  // namespace
}  // namespace kubemu
