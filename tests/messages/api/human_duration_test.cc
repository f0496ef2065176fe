#include "messages/api/human_duration.h"

#include <gtest/gtest.h>

namespace kubemu {
namespace {

constexpr Duration kDay = 24h;

TEST(HumanDurationTest, WritesAgesAsKubectlDoes) {
  EXPECT_EQ(HumanDuration(0s), "0s");
  EXPECT_EQ(HumanDuration(119s), "119s");
  EXPECT_EQ(HumanDuration(120s), "2m");
  EXPECT_EQ(HumanDuration(5min + 3s), "5m3s");
  EXPECT_EQ(HumanDuration(10min + 3s), "10m");
  EXPECT_EQ(HumanDuration(179min), "179m");
  EXPECT_EQ(HumanDuration(3h), "3h");
  EXPECT_EQ(HumanDuration(3h + 2min), "3h2m");
  EXPECT_EQ(HumanDuration(47h + 59min), "47h");
  EXPECT_EQ(HumanDuration(2 * kDay), "2d");
  EXPECT_EQ(HumanDuration(7 * kDay + 3h), "7d3h");
  EXPECT_EQ(HumanDuration(8 * kDay + 3h), "8d");
  EXPECT_EQ(HumanDuration(700 * kDay), "700d");
  EXPECT_EQ(HumanDuration((3 * 365 + 40) * kDay), "3y40d");
  EXPECT_EQ(HumanDuration(9 * 365 * kDay), "9y");
}

TEST(HumanDurationTest, ToleratesAClockThatIsASecondAhead) {
  EXPECT_EQ(HumanDuration(-500ms), "0s");
  EXPECT_EQ(HumanDuration(-1s), "0s");
  EXPECT_EQ(HumanDuration(-2s), "<invalid>");
}

TEST(HumanDurationTest, AnAgeWithoutACreationTimeIsUnknown) {
  const WallTime now = WallTime{} + 1000s;
  EXPECT_EQ(HumanAge(WallTime{}, now), "<unknown>");
  EXPECT_EQ(HumanAge(now - 5s, now), "5s");
}

}  // namespace
}  // namespace kubemu
