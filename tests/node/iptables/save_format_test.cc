#include "node/iptables/save_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kubemu::iptables {
namespace {

using testing::HasSubstr;

std::string Reprint(std::string_view text) {
  const absl::StatusOr<Rule> rule = ParseRule(text);
  return rule.ok() ? RuleText(*rule) : std::string(rule.status().message());
}

std::string ErrorOf(std::string_view text) {
  const absl::StatusOr<RestoreInput> input = ParseRestore(text);
  return input.ok() ? "no error" : std::string(input.status().message());
}

// Each pair was made with iptables-restore and iptables-save 1.8.9 (nf_tables).
TEST(RuleText, IsWhatIptablesSavePrints) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {R"(-m comment --comment "ns1/svc1:p80 has no endpoints" -m tcp -p tcp -d 172.30.0.41 --dport 80 -j REJECT)",
       R"(-d 172.30.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable)"},
      {R"(-m addrtype --dst-type LOCAL -m tcp -p tcp --dport 3001 -j REJECT)",
       R"(-p tcp -m addrtype --dst-type LOCAL -m tcp --dport 3001 -j REJECT --reject-with icmp-port-unreachable)"},
      {R"(-d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP)",
       R"(! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP)"},
      {"-j MARK --xor-mark 0x4000", "-j MARK --set-xmark 0x4000/0x0"},
      {"-j MARK --or-mark 0x4000", "-j MARK --set-xmark 0x4000/0x4000"},
      {"-j MARK --set-mark 0x4000", "-j MARK --set-xmark 0x4000/0xffffffff"},
      {"-j MARK --and-mark 0x4000", "-j MARK --set-xmark 0x0/0xffffbfff"},
      {"-j MARK --set-xmark 0x4000/0xff", "-j MARK --set-xmark 0x4000/0xff"},
      {"-m mark ! --mark 0x4000/0x4000 -j RETURN", "-m mark ! --mark 0x4000/0x4000 -j RETURN"},
      {"-m statistic --mode random --probability 0.3333333333 -j KUBE-SEP-B",
       "-m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-B"},
      {"-m recent --name KUBE-SEP-B --rcheck --seconds 10800 --reap -j KUBE-SEP-B",
       "-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-B --mask 255.255.255.255 "
       "--rsource -j KUBE-SEP-B"},
      {"-m comment --comment ns1/svc1:p80 -m recent --name KUBE-SEP-B --set -m tcp -p tcp -j DNAT "
       "--to-destination 10.180.0.1:80",
       R"(-p tcp -m comment --comment "ns1/svc1:p80" -m recent --set --name KUBE-SEP-B --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.180.0.1:80)"},
      {R"(-m comment --comment "quo\"te back\\slash it's" -p udp --sport 53:60 -s 0.0.0.0/0 -j DNAT --to-destination 10.180.0.1:80)",
       R"(-p udp -m comment --comment "quo\"te back\\slash it\'s" -m udp --sport 53:60 -j DNAT --to-destination 10.180.0.1:80)"},
      {"-i eth0 ! -p tcp -j KUBE-MARK-MASQ", "-i eth0 ! -p tcp -j KUBE-MARK-MASQ"},
      {"-p tcp -m tcp ! --dport 80 -j RETURN", "-p tcp -m tcp ! --dport 80 -j RETURN"},
      {"-j MASQUERADE --random-fully", "-j MASQUERADE --random-fully"},
      {"-m comment --comment plain", "-m comment --comment plain"},
  };
  for (const auto& [input, saved] : kCases) EXPECT_EQ(Reprint(input), saved);
}

TEST(RuleText, ProbabilitiesOfUpToTenEndpointsAreTheKernels) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"0.5000000000", "0.50000000000"}, {"0.3333333333", "0.33333333349"},
      {"0.2500000000", "0.25000000000"}, {"0.2000000000", "0.20000000019"},
      {"0.1666666667", "0.16666666651"}, {"0.1428571429", "0.14285714272"},
      {"0.1250000000", "0.12500000000"}, {"0.1111111111", "0.11111111101"},
      {"0.1000000000", "0.10000000009"}};
  for (const auto& [input, saved] : kCases) {
    const std::string head = "-m statistic --mode random --probability ";
    EXPECT_EQ(Reprint(head + std::string(input)), head + std::string(saved));
  }
}

TEST(ParseRestore, ReadsSectionsAndPrintsThemBack) {
  constexpr std::string_view kText =
      "*filter\n"
      ":INPUT DROP [3:180]\n"
      ":KUBE-X - [0:0]\n"
      "-A INPUT -j KUBE-X\n"
      "-A KUBE-X -j ACCEPT\n"
      "COMMIT\n"
      "*nat\n"
      ":KUBE-Y - [0:0]\n"
      "-F PREROUTING\n"
      "-A KUBE-Y -j MASQUERADE\n"
      "-X KUBE-OLD\n"
      "COMMIT\n";
  const absl::StatusOr<RestoreInput> input = ParseRestore(kText);
  ASSERT_TRUE(input.ok()) << input.status();
  ASSERT_EQ(input->size(), 2u);
  EXPECT_EQ((*input)[0].chains[0].content.policy_accept, false);
  EXPECT_EQ((*input)[0].chains[0].counters, (Counters{3, 180}));
  EXPECT_EQ((*input)[1].removed, std::vector<std::string>{"KUBE-OLD"});
  const absl::StatusOr<RestoreInput> again = ParseRestore(PrintRestore(*input));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *input);
}

TEST(ParseRestore, SkipsCommentsAndRuleCounters) {
  const absl::StatusOr<RestoreInput> input = ParseRestore(
      "# Generated\n*nat\n\n[12:720] -A POSTROUTING -j MASQUERADE\nCOMMIT\n# Completed\n");
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ((*input)[0].chains[0].content.rules.size(), 1u);
}

TEST(ParseRestore, ErrorsNameTheLineAndWhatIsNotSupported) {
  EXPECT_EQ(ErrorOf("*broute\nCOMMIT\n"),
            "line 1: table \"broute\" is not supported; filter and nat are (in: *broute)");
  EXPECT_THAT(ErrorOf("*nat\n:A - [0:0]\n-A A -m string --string x -j ACCEPT\nCOMMIT\n"),
              HasSubstr("line 3: match \"string\" is not supported"));
  EXPECT_THAT(ErrorOf("*nat\n-A OUTPUT --tos 3\nCOMMIT\n"),
              HasSubstr("line 2: \"--tos\" is not a supported option"));
  EXPECT_THAT(ErrorOf("*nat\n-A OUTPUT -s 10.0.0.256\nCOMMIT\n"), HasSubstr("10.0.0.256"));
  EXPECT_THAT(ErrorOf("*nat\n-A OUTPUT --dport 80\nCOMMIT\n"), HasSubstr("needs \"-p tcp\""));
  EXPECT_THAT(ErrorOf("*nat\n-A OUTPUT -p tcp --dport 80000\nCOMMIT\n"), HasSubstr("80000"));
  EXPECT_THAT(ErrorOf("*filter\n-A INPUT -j MASQUERADE\nCOMMIT\n"), HasSubstr("table nat"));
  EXPECT_THAT(ErrorOf("*nat\n-A OUTPUT -j REJECT\nCOMMIT\n"), HasSubstr("table filter"));
  EXPECT_THAT(ErrorOf("*nat\n-A OUTPUT -j DNAT\nCOMMIT\n"), HasSubstr("--to-destination"));
  EXPECT_THAT(ErrorOf("*nat\n-A OUTPUT -m comment --comment \"open\nCOMMIT\n"),
              HasSubstr("line 2: a quote"));
  EXPECT_THAT(ErrorOf("*nat\n:KUBE-X ACCEPT [0:0]\nCOMMIT\n"), HasSubstr("policy \"ACCEPT\""));
  EXPECT_THAT(ErrorOf("-A INPUT -j ACCEPT\n"), HasSubstr("has to come first"));
  EXPECT_THAT(ErrorOf("*nat\n-I INPUT -j ACCEPT\nCOMMIT\n"), HasSubstr("\"-I\""));
  EXPECT_THAT(ErrorOf("*nat\n:A - [0:0]\n"), HasSubstr("not ended by COMMIT"));
  EXPECT_THAT(ErrorOf("*nat\n-A OUTPUT -m recent --set --reap\nCOMMIT\n"), HasSubstr("--seconds"));
  EXPECT_THAT(ErrorOf("*nat\n-A OUTPUT !\nCOMMIT\n"), HasSubstr("not followed"));
  EXPECT_THAT(ErrorOf("*nat\n-A OUTPUT -j\nCOMMIT\n"), HasSubstr("needs a value"));
  EXPECT_THAT(ErrorOf("*nat\n-A\nCOMMIT\n"), HasSubstr("not a whole command"));
}

TEST(ParseRestore, TargetsThatAreNotSupportedAreNamedWithTheirLine) {
  EXPECT_EQ(ErrorOf("*filter\n:MINE - [0:0]\n-A MINE -j LOG\nCOMMIT\n"),
            "line 3: target \"LOG\" is not supported; ACCEPT, DROP, RETURN, REJECT, MARK, "
            "MASQUERADE, DNAT and the names of chains are (in: -A MINE -j LOG)");
  EXPECT_THAT(ErrorOf("*nat\n-A OUTPUT -p tcp -j REDIRECT --to-ports 15001\nCOMMIT\n"),
              HasSubstr("line 2: target \"REDIRECT\""));
  EXPECT_THAT(ErrorOf("*filter\n-A INPUT -g MINE\nCOMMIT\n"), HasSubstr("\"-g\""));
}

TEST(ParseRestore, Ip6tablesTextIsRefusedAsSuch) {
  EXPECT_EQ(ErrorOf("*filter\n-A INPUT -s fd00::/8 -j ACCEPT\nCOMMIT\n"),
            "line 2: \"-s fd00::/8\" is IPv6, which is not supported; this text is for ip6tables "
            "(in: -A INPUT -s fd00::/8 -j ACCEPT)");
  EXPECT_THAT(ErrorOf("*filter\n-A INPUT -j REJECT --reject-with icmp6-port-unreachable\nCOMMIT\n"),
              HasSubstr("is IPv6"));
}

// iptables-save prints every table that somebody has touched.
TEST(ParseRestore, TablesWithoutRulesAreSkipped) {
  const absl::StatusOr<RestoreInput> input = ParseRestore(
      "*raw\n:PREROUTING ACCEPT [1:2]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n*mangle\n:PREROUTING ACCEPT "
      "[0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n*filter\n-A INPUT -j ACCEPT\nCOMMIT\n");
  ASSERT_TRUE(input.ok()) << input.status();
  ASSERT_EQ(input->size(), 1u);
  EXPECT_EQ((*input)[0].table, Table::kFilter);
  EXPECT_EQ(ErrorOf("*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j ACCEPT\nCOMMIT\n"),
            "line 3: table \"mangle\" is not supported unless it has no rules and policy ACCEPT; "
            "filter and nat are (in: -A FORWARD -j ACCEPT)");
  EXPECT_THAT(ErrorOf("*raw\n:OUTPUT DROP [0:0]\nCOMMIT\n"), HasSubstr("line 2: table \"raw\""));
  EXPECT_THAT(ErrorOf("*raw\n:OUTPUT ACCEPT [0:0]\n"), HasSubstr("not ended by COMMIT"));
}

// Lines are shown in errors, but not without end.
TEST(ParseRestore, LongLinesAreShownInPart) {
  const std::string error = ErrorOf(
      StrCat("*filter\n-A INPUT -j LOG --log-prefix ", std::string(1000, 'x'), "\nCOMMIT\n"));
  EXPECT_THAT(error, HasSubstr("xxx...)"));
  EXPECT_LT(error.size(), 400u);
}

TEST(ParseRestore, OptionsComeInAnyOrderAndSpelling) {
  const auto one = ParseRule(
      "-s 10.1.0.0/16 -d 10.2.0.1/32 -i eth0 -p tcp -m tcp --dport 80 -m comment --comment \"a b\" "
      "-j ACCEPT");
  const auto two = ParseRule(
      "--jump ACCEPT --in-interface eth0 --protocol 6 --match tcp --destination-port 80:80 -m "
      "comment --comment \"a\\ b\" --dst 10.2.0.1 --source 10.1.0.0/255.255.0.0");
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(RuleText(*two), RuleText(*one));
  for (
      const char* text : {
          R"(-m comment --comment "say \"hi\" it\'s a back\\slash")",
          R"(-m comment --comment plain -m mark ! --mark 0x1/0xff -m comment --comment "two words")",
          R"(! -s 10.0.0.0/8 ! -d 10.9.0.0/16 ! -i lo ! -o cbr+ ! -p udp -j DROP)",
          R"(-p udp -m udp ! --sport 1000:2000 --dport 0:1023 -j RETURN)",
          R"(-j MARK --set-xmark 0x10/0x30)",
      }) {
    const auto rule = ParseRule(text);
    ASSERT_TRUE(rule.ok()) << text << ": " << rule.status();
    EXPECT_EQ(RuleText(*rule), text);
  }
}

// No text, whatever it is, ends the program: every prefix and every one-byte change of a good one.
TEST(ParseRestore, SurvivesDamagedText) {
  const std::string good =
      "*nat\n:KUBE-X - [0:0]\n-A KUBE-X ! -s 10.0.0.0/8 -p tcp -m comment --comment \"a b\" -m tcp "
      "--dport 80:90 -m statistic --mode random --probability 0.5 -j DNAT --to-destination "
      "10.0.0.1:80\n[1:2] -A KUBE-X -m recent --rcheck --seconds 5 --reap --name N -m mark --mark "
      "0x1/0x1 -j MARK --or-mark 0x4000\n-X KUBE-X\nCOMMIT\n";
  ASSERT_TRUE(ParseRestore(good).ok());
  size_t refused = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    refused += !ParseRestore(good.substr(0, i)).ok();
    for (char c : {'\0', '"', '!', '-', ' ', '\n', '9', '\xff'}) {
      std::string damaged = good;
      damaged[i] = c;
      refused += !ParseRestore(damaged).ok();
    }
  }
  EXPECT_GT(refused, good.size());
}

}  // namespace
}  // namespace kubemu::iptables
