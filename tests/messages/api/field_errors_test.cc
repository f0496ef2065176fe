#include "messages/api/field_errors.h"

#include <gtest/gtest.h>

namespace kubemu {
namespace {

TEST(FieldErrorsTest, PathsNameChildrenIndexesAndKeys) {
  const FieldPath path = FieldPath("spec").Child("containers").Index(0).Child("ports");
  EXPECT_EQ(path.text(), "spec.containers[0].ports");
  EXPECT_EQ(FieldPath("metadata").Child("labels").Key("a/b").text(), "metadata.labels[a/b]");
}

TEST(FieldErrorsTest, EachTypePrintsAsUpstreamDoes) {
  FieldErrorList errors;
  const FieldPath path("f");
  errors.Required(path);
  errors.Required(path, "say more");
  errors.Invalid(path, "a\"b", "is wrong");
  errors.Invalid(path, -1, "must be greater than or equal to 0");
  errors.NotSupported(path, "x", {"B", "A"});
  errors.Duplicate(path, "x");
  errors.Forbidden(path, "no");
  errors.TooLong(path, 10);
  ASSERT_EQ(errors.size(), 8);
  const auto& all = errors.errors();
  EXPECT_EQ(all[0].ToString(), "f: Required value");
  EXPECT_EQ(all[1].Body(), "Required value: say more");
  EXPECT_EQ(all[2].Body(), "Invalid value: \"a\\\"b\": is wrong");
  EXPECT_EQ(all[3].Body(), "Invalid value: -1: must be greater than or equal to 0");
  EXPECT_EQ(all[4].Body(), "Unsupported value: \"x\": supported values: \"A\", \"B\"");
  EXPECT_EQ(all[5].Body(), "Duplicate value: \"x\"");
  EXPECT_EQ(all[6].Body(), "Forbidden: no");
  EXPECT_EQ(all[7].Body(), "Too long: may not be more than 10 bytes");
  EXPECT_EQ(FieldErrorReason(all[0].type), "FieldValueRequired");
  EXPECT_EQ(FieldErrorReason(all[4].type), "FieldValueNotSupported");
}

TEST(FieldErrorsTest, OneErrorStandsAloneSeveralInBracketsEqualOnesOnce) {
  FieldErrorList errors;
  EXPECT_EQ(errors.ToString(), "");
  errors.Required(FieldPath("a"));
  errors.Required(FieldPath("a"));
  EXPECT_EQ(errors.ToString(), "a: Required value");
  errors.Required(FieldPath("b"));
  EXPECT_EQ(errors.ToString(), "[a: Required value, b: Required value]");
}

TEST(FieldErrorsTest, ControlCharactersOfAValueAreEscaped) {
  EXPECT_EQ(Quoted("a\n\x01\\"), "\"a\\n\\x01\\\\\"");
}

}  // namespace
}  // namespace kubemu
