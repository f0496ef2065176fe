#include "messages/api/quantity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace kubemu {
namespace {

using ::testing::HasSubstr;

Quantity Parsed(std::string_view text) {
  absl::StatusOr<Quantity> quantity = Quantity::Parse(text);
  EXPECT_TRUE(quantity.ok()) << text << ": " << quantity.status();
  return quantity.value_or(Quantity());
}

std::string ErrorOf(std::string_view text) {
  absl::StatusOr<Quantity> quantity = Quantity::Parse(text);
  return quantity.ok() ? "parsed" : std::string(quantity.status().message());
}

TEST(QuantityTest, PrintsTheCanonicalFormOfTheFamilyItWasWrittenIn) {
  EXPECT_EQ(Parsed("100m").ToString(), "100m");
  EXPECT_EQ(Parsed("1000m").ToString(), "1");
  EXPECT_EQ(Parsed("0.1").ToString(), "100m");
  EXPECT_EQ(Parsed("1.5").ToString(), "1500m");
  EXPECT_EQ(Parsed("1500").ToString(), "1500");
  EXPECT_EQ(Parsed("12000").ToString(), "12k");
  EXPECT_EQ(Parsed("1.5Gi").ToString(), "1536Mi");
  EXPECT_EQ(Parsed("1024Mi").ToString(), "1Gi");
  EXPECT_EQ(Parsed("2e3").ToString(), "2e3");
  EXPECT_EQ(Parsed("20e2").ToString(), "2e3");
  EXPECT_EQ(Parsed("5e+3").ToString(), "5e3");
  EXPECT_EQ(Parsed("1E").ToString(), "1E");
  EXPECT_EQ(Parsed("-0.25").ToString(), "-250m");
  EXPECT_EQ(Parsed("000").ToString(), "0");
  EXPECT_EQ(Parsed("0Gi").ToString(), "0");
  EXPECT_EQ(Parsed(".5").ToString(), "500m");
  EXPECT_EQ(Parsed("1.").ToString(), "1");
}

TEST(QuantityTest, ABinaryAmountBelow1024IsPrintedWithDecimalSuffixes) {
  EXPECT_EQ(Parsed("0.5Ki").ToString(), "512");
  EXPECT_EQ(Parsed("0.0001Ki").ToString(), "102400u");
}

TEST(QuantityTest, RoundsUpToNanoAndStopsAtTheLargestInteger) {
  EXPECT_EQ(Parsed("0.0000000001").ToString(), "1n");
  EXPECT_EQ(Parsed("1e-30").ToString(), "1e-9");
  EXPECT_EQ(Parsed("9999999999999999999999").ToString(), "9223372036854775807");
  EXPECT_EQ(Parsed("100Ei").Value(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Parsed("1e1000000000").Value(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Parsed("1e1000000000").MilliValue(), std::numeric_limits<int64_t>::max());
}

TEST(QuantityTest, ValueAndMilliValueRoundAwayFromZero) {
  EXPECT_EQ(Parsed("1100m").Value(), 2);
  EXPECT_EQ(Parsed("-1100m").Value(), -2);
  EXPECT_EQ(Parsed("1u").MilliValue(), 1);
  EXPECT_EQ(Parsed("250m").MilliValue(), 250);
  EXPECT_EQ(Parsed("64Mi").Value(), 64 * 1024 * 1024);
}

TEST(QuantityTest, ComparesAmountsNotTexts) {
  EXPECT_EQ(Parsed("1"), Parsed("1000m"));
  EXPECT_EQ(Parsed("1Ki"), Parsed("1024"));
  EXPECT_LT(Parsed("1G"), Parsed("1Gi"));
  EXPECT_LT(Parsed("-1"), Parsed("0"));
}

TEST(QuantityTest, SumsKeepTheFirstNonZeroFormat) {
  Quantity sum;
  sum += Parsed("512Mi");
  sum += Parsed("512Mi");
  EXPECT_EQ(sum.ToString(), "1Gi");
  EXPECT_EQ((Parsed("1") - Parsed("250m")).ToString(), "750m");
  EXPECT_EQ((Parsed("1") - Parsed("2")).ToString(), "-1");
}

TEST(QuantityTest, RefusesWhatIsNoQuantityInUpstreamsWords) {
  EXPECT_EQ(ErrorOf("abc"),
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  EXPECT_THAT(ErrorOf(""), HasSubstr("must match the regular expression"));
  EXPECT_THAT(ErrorOf("1 Gi"), HasSubstr("must match the regular expression"));
  EXPECT_THAT(ErrorOf("1.2.3"), HasSubstr("must match the regular expression"));
  EXPECT_EQ(ErrorOf("1Kii"), "unable to parse quantity's suffix");
  EXPECT_EQ(ErrorOf("10K"), "unable to parse quantity's suffix");
  EXPECT_EQ(ErrorOf("."), "unable to parse numeric part of quantity");
  EXPECT_EQ(ErrorOf("Ki"), "unable to parse numeric part of quantity");
}

}  // namespace
}  // namespace kubemu
