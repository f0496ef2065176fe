#include "messages/api/selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace kubemu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Labels = std::map<std::string, std::string, std::less<>>;

bool Selects(std::string_view selector, const Labels& labels) {
  absl::StatusOr<LabelSelector> parsed = LabelSelector::Parse(selector);
  EXPECT_TRUE(parsed.ok()) << selector << ": " << parsed.status();
  return parsed.ok() && parsed->Matches([&labels](std::string_view key) -> const std::string* {
    const auto label = labels.find(key);
    return label == labels.end() ? nullptr : &label->second;
  });
}

std::string LabelError(std::string_view selector) {
  absl::StatusOr<LabelSelector> parsed = LabelSelector::Parse(selector);
  return parsed.ok() ? "parsed" : std::string(parsed.status().message());
}

TEST(LabelSelectorTest, EveryOperatorSelectsWhatItSays) {
  const Labels web = {{"app", "web"}, {"tier", "front"}, {"rank", "7"}, {"empty", ""}};
  EXPECT_TRUE(Selects("", web));
  EXPECT_TRUE(Selects("app=web", web));
  EXPECT_TRUE(Selects("app==web,tier = front", web));
  EXPECT_FALSE(Selects("app=db", web));
  EXPECT_TRUE(Selects("app!=db", web));
  EXPECT_TRUE(Selects("missing!=db", web));
  EXPECT_TRUE(Selects("app in (db, web)", web));
  EXPECT_FALSE(Selects("app notin (db,web)", web));
  EXPECT_TRUE(Selects("missing notin (a)", web));
  EXPECT_TRUE(Selects("tier,!missing", web));
  EXPECT_FALSE(Selects("!tier", web));
  EXPECT_TRUE(Selects("rank>6,rank<8", web));
  EXPECT_FALSE(Selects("app>6", web));
  EXPECT_TRUE(Selects("empty=", web));
  EXPECT_TRUE(Selects("empty in (,a)", web));
  EXPECT_TRUE(Selects("in in (x),app", Labels{{"in", "x"}, {"app", ""}}));
}

TEST(LabelSelectorTest, NothingMatchesNothing) {
  const Labels none;
  EXPECT_FALSE(LabelSelector::Nothing().Matches([](std::string_view) { return nullptr; }));
  EXPECT_FALSE(LabelSelector::Nothing().IsEverything());
  EXPECT_TRUE(LabelSelector().IsEverything());
}

TEST(LabelSelectorTest, PrintsSoThatItParsesToTheSame) {
  absl::StatusOr<LabelSelector> parsed =
      LabelSelector::Parse("z!=1,b in (y,x),!c,a,n>3,d notin (q,p)");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->ToString(), "a,b in (x,y),!c,d notin (p,q),n>3,z!=1");
}

TEST(LabelSelectorTest, ErrorsSayWhatWasFoundAndWhatWasExpected) {
  EXPECT_EQ(LabelError("a b"),
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
  EXPECT_EQ(LabelError("a=b,"), "found '', expected: identifier after ','");
  EXPECT_EQ(LabelError(",a"), "found ',', expected: !, identifier, or 'end of string'");
  EXPECT_EQ(LabelError("a=b c"), "found 'c', expected: ',' or 'end of string'");
  EXPECT_EQ(LabelError("a in b"), "unable to parse requirement: found 'b', expected: '('");
  EXPECT_EQ(LabelError("a in (b"), "unable to parse requirement: found '', expected: ',' or ')'");
  EXPECT_THAT(LabelError("a in ()"), HasSubstr("values set can't be empty"));
  EXPECT_THAT(LabelError("a>x"), HasSubstr("the value must be an integer"));
  EXPECT_THAT(LabelError("-a=b"), HasSubstr("key: Invalid value: \"-a\": name part must consist"));
  EXPECT_THAT(LabelError("a=-b"), HasSubstr("values[0][a]: Invalid value: \"-b\": a valid label"));
}

TEST(FieldSelectorTest, ReadsTermsAndEscapes) {
  absl::StatusOr<FieldSelector> parsed =
      FieldSelector::Parse("spec.nodeName=x,status.phase!=Failed,,a==b\\,c\\=d");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->terms(), ElementsAre(FieldTerm{"spec.nodeName", "x", false},
                                           FieldTerm{"status.phase", "Failed", true},
                                           FieldTerm{"a", "b,c=d", false}));
  EXPECT_EQ(parsed->ToString(), "spec.nodeName=x,status.phase!=Failed,a=b\\,c\\=d");
  ASSERT_NE(parsed->RequiredValue("spec.nodeName"), nullptr);
  EXPECT_EQ(*parsed->RequiredValue("spec.nodeName"), "x");
  EXPECT_EQ(parsed->RequiredValue("status.phase"), nullptr);
}

TEST(FieldSelectorTest, RefusesTermsWithoutAnOperatorAndBadEscapes) {
  EXPECT_EQ(FieldSelector::Parse("a=b,c").status().message(),
            "invalid selector: 'a=b,c'; can't understand 'c'");
  EXPECT_THAT(std::string(FieldSelector::Parse("a=b\\c").status().message()),
              HasSubstr("invalid escape sequence: \\c"));
  EXPECT_FALSE(FieldSelector::Parse("a=b\\").ok());
  EXPECT_FALSE(FieldSelector::Parse("a=b=c").ok());
}

}  // namespace
}  // namespace kubemu
