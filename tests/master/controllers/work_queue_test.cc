#include "master/controllers/work_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace kubemu {
namespace {

using ::testing::ElementsAre;

constexpr Time kStart{1s};

std::vector<std::string> TakeAll(WorkQueue& queue, Time now) {
  std::vector<std::string> keys;
  while (auto item = queue.Take(now)) keys.push_back(item->key);
  return keys;
}

TEST(WorkQueue, GivesEachKeyOnceInTheOrderOfAdding) {
  WorkQueue queue;
  queue.Add("b", {});
  queue.Add("a", {});
  queue.Add("b", {});
  EXPECT_EQ(queue.NextWake(), Time{});
  EXPECT_THAT(TakeAll(queue, kStart), ElementsAre("b", "a"));
  EXPECT_EQ(queue.NextWake(), kNever);
}

TEST(WorkQueue, AKeyAddedWhileInWorkIsGivenAgainAfterDone) {
  WorkQueue queue;
  queue.Add("a", {});
  queue.Take(kStart);
  queue.Add("a", {});
  EXPECT_TRUE(queue.InWork("a"));
  EXPECT_EQ(queue.Take(kStart), std::nullopt);
  queue.Done("a");
  EXPECT_THAT(TakeAll(queue, kStart), ElementsAre("a"));
}

TEST(WorkQueue, KeepsTheTraceOfTheFirstCause) {
  WorkQueue queue;
  queue.Add("a", Trace{});
  queue.Add("a", Trace{7, 1});
  queue.Add("a", Trace{8, 2});
  EXPECT_EQ(queue.Take(kStart)->trace, (Trace{7, 1}));
}

TEST(WorkQueue, AnAddPullsALaterDateForward) {
  WorkQueue queue;
  queue.AddAt("a", {}, kStart + 10s);
  EXPECT_EQ(queue.NextWake(), kStart + 10s);
  queue.AddAt("a", {}, kStart + 20s);
  EXPECT_EQ(queue.NextWake(), kStart + 10s);
  queue.Add("a", {});
  EXPECT_THAT(TakeAll(queue, kStart), ElementsAre("a"));
  queue.Done("a");
  EXPECT_EQ(queue.NextWake(), kNever);
}

TEST(WorkQueue, FailuresWaitTwiceAsLongEachTimeUpToAThousandSeconds) {
  WorkQueue queue;
  Time now = kStart;
  queue.Add("a", {});
  for (Duration expected : {5ms, 10ms, 20ms, 40ms, 80ms}) {
    queue.Take(now);
    queue.Fail("a", {}, now);
    EXPECT_EQ(queue.NextWake(), now + expected);
    now += expected;
  }
  for (int i = 0; i < 30; ++i) {
    queue.Take(now);
    queue.Fail("a", {}, now);
    now = queue.NextWake();
  }
  queue.Take(now);
  queue.Fail("a", {}, now);
  EXPECT_EQ(queue.NextWake(), now + 1000s);
}

TEST(WorkQueue, SuccessBeginsTheBackOffAnew) {
  WorkQueue queue;
  queue.Add("a", {});
  for (int i = 0; i < 5; ++i) {
    queue.Take(kStart + 1000s);
    queue.Fail("a", {}, kStart);
  }
  queue.Take(kStart + 1000s);
  queue.Done("a");
  queue.Add("a", {});
  queue.Take(kStart);
  queue.Fail("a", {}, kStart);
  EXPECT_EQ(queue.NextWake(), kStart + 5ms);
}

TEST(WorkQueue, AKeyAddedDuringFailedWorkIsDueAtOnce) {
  WorkQueue queue;
  queue.Add("a", {});
  queue.Take(kStart);
  queue.Add("a", {});
  queue.Fail("a", {}, kStart);
  EXPECT_THAT(TakeAll(queue, kStart), ElementsAre("a"));
}

}  // namespace
}  // namespace kubemu
