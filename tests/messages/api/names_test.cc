#include "messages/api/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kubemu {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST(NamesTest, ASubdomainMayHaveDotsALabelMayNot) {
  EXPECT_THAT(CheckDns1123Subdomain("web-1.example.com"), IsEmpty());
  EXPECT_THAT(CheckDns1123Label("web-1"), IsEmpty());
  EXPECT_THAT(
      CheckDns1123Label("a.b"),
      ElementsAre("a lowercase RFC 1123 label must consist of lower case alphanumeric characters "
                  "or '-', and must start and end with an alphanumeric character (e.g. "
                  "'my-name',  or '123-abc', regex used for validation is "
                  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"));
  EXPECT_THAT(CheckDns1123Subdomain("Web"),
              ElementsAre("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                          "characters, '-' or '.', and must start and end with an alphanumeric "
                          "character (e.g. 'example.com', regex used for validation is "
                          "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"));
  EXPECT_EQ(CheckDns1123Subdomain("").size(), 1);
  EXPECT_EQ(CheckDns1123Subdomain("a..b").size(), 1);
  EXPECT_EQ(CheckDns1123Subdomain("-a").size(), 1);
}

TEST(NamesTest, SaysWhenANameIsTooLong) {
  EXPECT_THAT(CheckDns1123Label(std::string(64, 'a')),
              ElementsAre("must be no more than 63 characters"));
  EXPECT_THAT(CheckDns1123Subdomain(std::string(254, 'a')),
              ElementsAre("must be no more than 253 characters"));
}

TEST(NamesTest, AServiceNameBeginsWithALetter) {
  EXPECT_THAT(CheckDns1035Label("web-1"), IsEmpty());
  EXPECT_THAT(CheckDns1035Label("1web"), ElementsAre(StartsWith("a DNS-1035 label must consist")));
}

TEST(NamesTest, AQualifiedNameMayHaveADomainBeforeTheSlash) {
  EXPECT_THAT(CheckQualifiedName("app"), IsEmpty());
  EXPECT_THAT(CheckQualifiedName("kubernetes.io/My_Name"), IsEmpty());
  EXPECT_THAT(CheckQualifiedName("/app"), ElementsAre("prefix part must be non-empty"));
  EXPECT_THAT(CheckQualifiedName("Up.io/app"),
              ElementsAre(StartsWith("prefix part a lowercase RFC 1123 subdomain")));
  EXPECT_THAT(CheckQualifiedName("a/b/c"),
              ElementsAre(StartsWith("a qualified name must consist")));
  EXPECT_THAT(CheckQualifiedName(""),
              ElementsAre("name part must be non-empty", StartsWith("name part must consist of")));
}

TEST(NamesTest, ALabelValueMayBeEmpty) {
  EXPECT_THAT(CheckLabelValue(""), IsEmpty());
  EXPECT_THAT(CheckLabelValue("v1.2_3"), IsEmpty());
  EXPECT_THAT(CheckLabelValue("-v"), ElementsAre(StartsWith("a valid label must be an empty")));
}

TEST(NamesTest, APortNameNeedsALetterAndNoDoubleHyphen) {
  EXPECT_THAT(CheckPortName("http-80"), IsEmpty());
  EXPECT_THAT(CheckPortName("80"), ElementsAre("must contain at least one letter (a-z)"));
  EXPECT_THAT(CheckPortName("a--b"), ElementsAre("must not contain consecutive hyphens"));
  EXPECT_THAT(CheckPortName("a-"), ElementsAre("must not begin or end with a hyphen"));
  EXPECT_THAT(
      CheckPortName("sixteen-letters-"),
      ElementsAre("must be no more than 15 characters", "must not begin or end with a hyphen"));
}

TEST(NamesTest, PortNumbersAndConfigKeysHaveRanges) {
  EXPECT_THAT(CheckPortNumber(65535), IsEmpty());
  EXPECT_THAT(CheckPortNumber(0), ElementsAre("must be between 1 and 65535, inclusive"));
  EXPECT_THAT(CheckConfigKey("game.properties"), IsEmpty());
  EXPECT_THAT(CheckConfigKey(".."), ElementsAre("must not be '..'"));
  EXPECT_THAT(CheckConfigKey("a/b"), ElementsAre(StartsWith("a valid config key")));
}

TEST(NamesTest, KnowsBothFamiliesOfAddresses) {
  for (const char* good :
       {"10.9.8.7", "::", "::1", "2001:db8::ffff", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1"}) {
    EXPECT_THAT(CheckIp(good), IsEmpty()) << good;
  }
  for (const char* bad : {"", "10.0.0", "10.0.0.256", "1::2::3", "1:2:3:4:5:6:7", ":1",
                          "12345::", "1:2:3:4:5:6:7:8::", "example.com"}) {
    EXPECT_THAT(CheckIp(bad),
                ElementsAre("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"))
        << bad;
  }
}

}  // namespace
}  // namespace kubemu
