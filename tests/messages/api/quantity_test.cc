#include "messages/api/quantity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

using ::testing::HasSubstr;

Quantity ParsedQuantity(std::string_view text) {
  absl::StatusOr<Quantity> quantity = Quantity::Parse(text);
  EXPECT_TRUE(quantity.ok()) << text << ": " << quantity.status();
  return quantity.value_or(Quantity());
}

std::string QuantityErrorOf(std::string_view text) {
  absl::StatusOr<Quantity> quantity = Quantity::Parse(text);
  return quantity.ok() ? "parsed" : std::string(quantity.status().message());
}

TEST(QuantityTest, ShortFormsAreCanonicalAsTheLongWayFindsThem) {
  for (int number = 0; number <= 1100; ++number) {
    for (const char* suffix : {"", "m", "k", "M", "G", "Ki", "Mi", "Gi"}) {
      const std::string text = StrCat(number, suffix);
      const absl::StatusOr<Quantity> parsed = Quantity::Parse(text);
      ASSERT_TRUE(parsed.ok());
      EXPECT_EQ(*CanonicalQuantity(text), parsed->ToString()) << text;
    }
  }
}

TEST(QuantityTest, PrintsTheCanonicalFormOfTheFamilyItWasWrittenIn) {
  EXPECT_EQ(ParsedQuantity("100m").ToString(), "100m");
  EXPECT_EQ(ParsedQuantity("1000m").ToString(), "1");
  EXPECT_EQ(ParsedQuantity("0.1").ToString(), "100m");
  EXPECT_EQ(ParsedQuantity("1.5").ToString(), "1500m");
  EXPECT_EQ(ParsedQuantity("1500").ToString(), "1500");
  EXPECT_EQ(ParsedQuantity("12000").ToString(), "12k");
  EXPECT_EQ(ParsedQuantity("1.5Gi").ToString(), "1536Mi");
  EXPECT_EQ(ParsedQuantity("1024Mi").ToString(), "1Gi");
  EXPECT_EQ(ParsedQuantity("2e3").ToString(), "2e3");
  EXPECT_EQ(ParsedQuantity("20e2").ToString(), "2e3");
  EXPECT_EQ(ParsedQuantity("5e+3").ToString(), "5e3");
  EXPECT_EQ(ParsedQuantity("1E").ToString(), "1E");
  EXPECT_EQ(ParsedQuantity("-0.25").ToString(), "-250m");
  EXPECT_EQ(ParsedQuantity("000").ToString(), "0");
  EXPECT_EQ(ParsedQuantity("0Gi").ToString(), "0");
  EXPECT_EQ(ParsedQuantity(".5").ToString(), "500m");
  EXPECT_EQ(ParsedQuantity("1.").ToString(), "1");
}

TEST(QuantityTest, ABinaryAmountBelow1024IsPrintedWithDecimalSuffixes) {
  EXPECT_EQ(ParsedQuantity("0.5Ki").ToString(), "512");
  EXPECT_EQ(ParsedQuantity("0.0001Ki").ToString(), "102400u");
}

TEST(QuantityTest, RoundsUpToNanoAndStopsAtTheLargestInteger) {
  EXPECT_EQ(ParsedQuantity("0.0000000001").ToString(), "1n");
  EXPECT_EQ(ParsedQuantity("1e-30").ToString(), "1e-9");
  EXPECT_EQ(ParsedQuantity("9999999999999999999999").ToString(), "9223372036854775807");
  EXPECT_EQ(ParsedQuantity("100Ei").Value(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ParsedQuantity("1e1000000000").Value(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ParsedQuantity("1e1000000000").MilliValue(), std::numeric_limits<int64_t>::max());
}

TEST(QuantityTest, ValueAndMilliValueRoundAwayFromZero) {
  EXPECT_EQ(ParsedQuantity("1100m").Value(), 2);
  EXPECT_EQ(ParsedQuantity("-1100m").Value(), -2);
  EXPECT_EQ(ParsedQuantity("1u").MilliValue(), 1);
  EXPECT_EQ(ParsedQuantity("250m").MilliValue(), 250);
  EXPECT_EQ(ParsedQuantity("64Mi").Value(), 64 * 1024 * 1024);
}

TEST(QuantityTest, ComparesAmountsNotTexts) {
  EXPECT_EQ(ParsedQuantity("1"), ParsedQuantity("1000m"));
  EXPECT_EQ(ParsedQuantity("1Ki"), ParsedQuantity("1024"));
  EXPECT_LT(ParsedQuantity("1G"), ParsedQuantity("1Gi"));
  EXPECT_LT(ParsedQuantity("-1"), ParsedQuantity("0"));
}

TEST(QuantityTest, SumsKeepTheFirstNonZeroFormat) {
  Quantity sum;
  sum += ParsedQuantity("512Mi");
  sum += ParsedQuantity("512Mi");
  EXPECT_EQ(sum.ToString(), "1Gi");
  EXPECT_EQ((ParsedQuantity("1") - ParsedQuantity("250m")).ToString(), "750m");
  EXPECT_EQ((ParsedQuantity("1") - ParsedQuantity("2")).ToString(), "-1");
}

TEST(QuantityTest, RefusesWhatIsNoQuantityInUpstreamsWords) {
  EXPECT_EQ(QuantityErrorOf("abc"),
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  EXPECT_THAT(QuantityErrorOf(""), HasSubstr("must match the regular expression"));
  EXPECT_THAT(QuantityErrorOf("1 Gi"), HasSubstr("must match the regular expression"));
  EXPECT_THAT(QuantityErrorOf("1.2.3"), HasSubstr("must match the regular expression"));
  EXPECT_EQ(QuantityErrorOf("1Kii"), "unable to parse quantity's suffix");
  EXPECT_EQ(QuantityErrorOf("10K"), "unable to parse quantity's suffix");
  EXPECT_EQ(QuantityErrorOf("."), "unable to parse numeric part of quantity");
  EXPECT_EQ(QuantityErrorOf("Ki"), "unable to parse numeric part of quantity");
}

}  // namespace
}  // namespace kubemu
