#include "node/iptables/ruleset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"

namespace kubemu::iptables {
namespace {

using testing::HasSubstr;

class RulesetTest : public testing::Test {
 protected:
  std::string Restore(std::string_view text, bool noflush = true) {
    const absl::StatusOr<RestoreInput> input = ParseRestore(text);
    if (!input.ok()) return std::string(input.status().message());
    return std::string(ruleset_.Restore(*input, noflush).message());
  }

  Ruleset ruleset_;
};

TEST_F(RulesetTest, BeginsWithEmptyBuiltinChains) {
  EXPECT_EQ(ruleset_.Save(Table::kFilter, false),
            "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n");
}

TEST_F(RulesetTest, NoflushReplacesOnlyTheDeclaredChains) {
  ASSERT_EQ(Restore("*nat\n:A - [0:0]\n:B - [0:0]\n-A OUTPUT -j A\n-A A -j RETURN\n-A B -j "
                    "RETURN\nCOMMIT\n"),
            "");
  ASSERT_EQ(Restore("*nat\n:A - [0:0]\n-A A -j ACCEPT\nCOMMIT\n"), "");
  EXPECT_EQ(ruleset_.Save(Table::kNat, false),
            "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
            ":POSTROUTING ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n"
            "-A OUTPUT -j A\n-A A -j ACCEPT\n-A B -j RETURN\nCOMMIT\n");
}

TEST_F(RulesetTest, NoflushAppendsToBuiltinChainsAndToUndeclaredOnes) {
  ASSERT_EQ(Restore("*nat\n:A - [0:0]\n-A A -j RETURN\n-A OUTPUT -j A\nCOMMIT\n"), "");
  ASSERT_EQ(Restore("*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j ACCEPT\n-A A -j ACCEPT\nCOMMIT\n"),
            "");
  EXPECT_EQ(ruleset_.Find(Table::kNat, "OUTPUT")->rules.size(), 2u);
  EXPECT_EQ(ruleset_.Find(Table::kNat, "A")->rules.size(), 2u);
}

TEST_F(RulesetTest, WithoutNoflushTheTableBeginsEmptyAndOthersStay) {
  ASSERT_EQ(Restore("*nat\n:A - [0:0]\n-A OUTPUT -j A\nCOMMIT\n*filter\n:F - [0:0]\nCOMMIT\n"), "");
  ASSERT_EQ(Restore("*nat\n:B - [0:0]\n-A B -j ACCEPT\nCOMMIT\n", false), "");
  EXPECT_EQ(ruleset_.Find(Table::kNat, "A"), nullptr);
  EXPECT_NE(ruleset_.Find(Table::kNat, "B"), nullptr);
  EXPECT_TRUE(ruleset_.Find(Table::kNat, "OUTPUT")->rules.empty());
  EXPECT_NE(ruleset_.Find(Table::kFilter, "F"), nullptr);
}

TEST_F(RulesetTest, AFailedRestoreChangesNothing) {
  ASSERT_EQ(Restore("*nat\n:A - [0:0]\n-A OUTPUT -j A\nCOMMIT\n"), "");
  const std::string before = ruleset_.Save(Table::kNat, false);
  EXPECT_THAT(Restore("*nat\n:A - [0:0]\n-A A -j ACCEPT\n-A A -j NOBODY\nCOMMIT\n"),
              HasSubstr("chain A jumps to \"NOBODY\""));
  EXPECT_THAT(Restore("*nat\n:A - [0:0]\n-A A -j ACCEPT\nCOMMIT\n*filter\n-A INPUT -j A\nCOMMIT\n"),
              HasSubstr("table filter"));
  EXPECT_EQ(ruleset_.Save(Table::kNat, false), before);
}

TEST_F(RulesetTest, AChainInUseCannotBeDeleted) {
  ASSERT_EQ(Restore("*nat\n:A - [0:0]\n-A OUTPUT -j A\nCOMMIT\n"), "");
  EXPECT_THAT(Restore("*nat\n-X A\nCOMMIT\n"), HasSubstr("other rules jump to it"));
  EXPECT_EQ(Restore("*nat\n-F OUTPUT\n-X A\nCOMMIT\n"), "");
  EXPECT_EQ(ruleset_.Find(Table::kNat, "A"), nullptr);
  EXPECT_THAT(Restore("*nat\n-X A\nCOMMIT\n"), HasSubstr("is not there"));
  EXPECT_THAT(Restore("*nat\n-X OUTPUT\nCOMMIT\n"), HasSubstr("built-in"));
}

TEST_F(RulesetTest, DeclaredAndDeletedInOneInputIsGone) {
  ASSERT_EQ(Restore("*nat\n:A - [0:0]\n:B - [0:0]\n-A A -j B\nCOMMIT\n"), "");
  EXPECT_EQ(Restore("*nat\n:A - [0:0]\n:B - [0:0]\n:C - [0:0]\n-X A\n-X B\n-X C\nCOMMIT\n"), "");
  EXPECT_EQ(ruleset_.ChainCount(Table::kNat), 4u);
}

TEST_F(RulesetTest, LoopsAreRefused) {
  EXPECT_THAT(Restore("*nat\n:A - [0:0]\n:B - [0:0]\n-A A -j B\n-A B -j A\nCOMMIT\n"),
              HasSubstr("leads back to itself"));
  ASSERT_EQ(Restore("*nat\n:A - [0:0]\n:B - [0:0]\n-A A -j B\nCOMMIT\n"), "");
  EXPECT_THAT(Restore("*nat\n-A B -j A\nCOMMIT\n"), HasSubstr("leads back to itself"));
  EXPECT_THAT(Restore("*nat\n-A B -j OUTPUT\nCOMMIT\n"), HasSubstr("built-in chain"));
}

TEST_F(RulesetTest, JumpsAreAtMostSixteenDeep) {
  const auto ladder = [](int depth) {
    std::string declare = "*nat\n";
    std::string rules;
    for (int i = 0; i <= depth; ++i) {
      StrAppend(&declare, ":C", i, " - [0:0]\n");
      if (i > 0) StrAppend(&rules, "-A C", i - 1, " -j C", i, "\n");
    }
    return declare + rules + "COMMIT\n";
  };
  EXPECT_EQ(Restore(ladder(16)), "");
  EXPECT_THAT(Restore(ladder(17)), HasSubstr("16 jumps deep"));
}

TEST_F(RulesetTest, ARecentListLivesAsLongAsARuleNamesIt) {
  const std::string rule = "-A A -m recent --set --name L\n";
  ASSERT_EQ(Restore("*nat\n:A - [0:0]\n" + rule + "COMMIT\n"), "");
  ruleset_.recent().Set("L", Ipv4(10, 0, 0, 1), Time{});
  ASSERT_EQ(Restore("*nat\n:A - [0:0]\n" + rule + rule + "COMMIT\n"), "");
  EXPECT_EQ(ruleset_.recent().EntryCount("L"), 1u);
  ASSERT_EQ(Restore("*nat\n:A - [0:0]\nCOMMIT\n"), "");
  EXPECT_EQ(ruleset_.recent().EntryCount("L"), 0u);
}

TEST(RecentLists, TheLongestUnsetEntryMakesRoomAndOldOnesAreReaped) {
  RecentLists lists;
  lists.Reference("L");
  for (uint8_t i = 0; i < 101; ++i) lists.Set("L", Ipv4(10, 0, 0, i), Time(1s * i));
  EXPECT_EQ(lists.EntryCount("L"), RecentLists::kEntriesMax);
  EXPECT_FALSE(lists.Check("L", Ipv4(10, 0, 0, 0), 0, false, Time(101s)));
  EXPECT_TRUE(lists.Check("L", Ipv4(10, 0, 0, 50), 60, true, Time(110s)));
  EXPECT_FALSE(lists.Check("L", Ipv4(10, 0, 0, 50), 60, true, Time(111s)));
  EXPECT_EQ(lists.EntryCount("L"), RecentLists::kEntriesMax - 2);
}

}  // namespace
}  // namespace kubemu::iptables
