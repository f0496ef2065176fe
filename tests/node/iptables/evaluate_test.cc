#include "node/iptables/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "node/iptables/fast_rule.h"
#include "node/iptables/rule_match.h"
#include "node/iptables/save_format.h"
#include "tests/node/iptables/cluster_fixture.h"

namespace kubemu::iptables {
namespace {

using testing::HasSubstr;

class EvaluateTest : public testing::Test {
 protected:
  EvaluateTest() { local_.Add(Net("192.168.0.2")); }

  void Load(std::string_view text) {
    const absl::StatusOr<RestoreInput> input = ParseRestore(text);
    ASSERT_TRUE(input.ok()) << input.status();
    const absl::Status status = ruleset_.Restore(*input, false);
    ASSERT_TRUE(status.ok()) << status;
  }

  Verdict Send(Packet packet, PacketTrace* trace = nullptr) {
    return Evaluate(ruleset_, packet, {local_, random_, now_}, trace);
  }
  static Packet To(std::string_view address) {
    Packet packet;
    packet.source = Ip("203.0.113.9");
    packet.source_port = 5000;
    packet.destination = At(address).ip;
    packet.destination_port = At(address).port;
    return packet;
  }

  Ruleset ruleset_;
  LocalAddresses local_;
  Random random_{1};
  Time now_{};
};

TEST_F(EvaluateTest, WithoutRulesEverythingIsAccepted) {
  EXPECT_EQ(FlowText(Send(To("10.0.0.1:80"))), "as is");
  EXPECT_FALSE(Send(To("10.0.0.1:80")).to_local);
  EXPECT_TRUE(Send(To("192.168.0.2:80")).to_local);
}

TEST_F(EvaluateTest, EachWayMeetsItsHooksInTheKernelsOrder) {
  Load("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n*nat\n:INPUT ACCEPT [0:0]\nCOMMIT\n");
  const auto hooks = [this](Packet packet) {
    PacketTrace trace;
    Send(packet, &trace);
    std::string text;
    for (const TraceStep& step : trace) {
      StrAppend(&text, TableName(step.table), " ", step.hook, "; ");
    }
    return text;
  };
  EXPECT_EQ(hooks(To("192.168.0.2:80")), "nat PREROUTING; filter INPUT; nat INPUT; ");
  EXPECT_EQ(hooks(To("10.0.0.1:80")), "nat PREROUTING; filter FORWARD; nat POSTROUTING; ");
  Packet own = To("10.0.0.1:80");
  own.local_process = true;
  EXPECT_EQ(hooks(own), "nat OUTPUT; filter OUTPUT; nat POSTROUTING; ");
  Packet to_itself = To("192.168.0.2:80");
  to_itself.local_process = true;
  EXPECT_EQ(hooks(to_itself), "nat OUTPUT; filter OUTPUT; nat POSTROUTING; filter INPUT; ");
  Packet established = To("10.0.0.1:80");
  established.ct_state = kCtEstablished;
  EXPECT_EQ(hooks(established), "filter FORWARD; ");
}

TEST_F(EvaluateTest, DnatDecidesTheRouteAndIsSeenByLaterRules) {
  Load(
      "*nat\n-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.7:8080\n"
      "COMMIT\n*filter\n-A FORWARD -d 10.0.0.7 -p tcp -m tcp --dport 8080 -m conntrack --ctstate "
      "DNAT -j DROP\nCOMMIT\n");
  const Verdict verdict = Send(To("192.168.0.2:80"));
  EXPECT_EQ(verdict.action, Verdict::Action::kDrop);
  EXPECT_EQ(verdict.chain, "FORWARD");
  EXPECT_EQ(verdict.rule_number, 1u);
  EXPECT_FALSE(verdict.to_local);
}

TEST_F(EvaluateTest, PolicyDropEndsThePacket) {
  Load("*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n");
  EXPECT_EQ(FlowText(Send(To("192.168.0.2:22"))), "as is");
  const Verdict verdict = Send(To("192.168.0.2:23"));
  EXPECT_EQ(FlowText(verdict), "DROP");
  EXPECT_EQ(verdict.rule_number, 0u);
  EXPECT_EQ(ruleset_.Find(Table::kFilter, "INPUT")->policy_counters.packets, 1u);
}

TEST_F(EvaluateTest, ReturnGoesBackToTheCallerAndAcceptEndsTheTable) {
  Load(
      "*filter\n:A - [0:0]\n:B - [0:0]\n-A INPUT -j A\n-A INPUT -j DROP\n-A A -j B\n-A A -p tcp -m "
      "tcp --dport 80 -j ACCEPT\n-A B -p tcp -m tcp --dport 81 -j RETURN\n-A B -p tcp -m tcp "
      "--dport 82 -j ACCEPT\nCOMMIT\n");
  EXPECT_EQ(FlowText(Send(To("192.168.0.2:80"))), "as is");
  EXPECT_EQ(FlowText(Send(To("192.168.0.2:81"))), "DROP");
  EXPECT_EQ(FlowText(Send(To("192.168.0.2:82"))), "as is");
}

TEST_F(EvaluateTest, MarksAreSetAndXoredAndMatched) {
  Load(
      "*nat\n-A PREROUTING -j MARK --or-mark 0x4000\n-A POSTROUTING -m mark ! --mark "
      "0x4000/0x4000 -j RETURN\n-A POSTROUTING -j MARK --xor-mark 0x4000\n-A POSTROUTING -j "
      "MASQUERADE --random-fully\nCOMMIT\n");
  Packet packet = To("10.0.0.1:80");
  packet.mark = 0x1;
  const Verdict verdict = Send(packet);
  EXPECT_TRUE(verdict.masquerade);
  EXPECT_TRUE(verdict.random_fully);
  EXPECT_EQ(verdict.mark, 0x1u);
}

TEST_F(EvaluateTest, InterfacesMatchWithAndWithoutPlus) {
  Load("*filter\n-A FORWARD -i eth+ -o cbr0 -j DROP\nCOMMIT\n");
  Packet packet = To("10.0.0.1:80");
  EXPECT_EQ(FlowText(Send(packet)), "as is");
  packet.in_interface = "eth1";
  packet.out_interface = "cbr0";
  EXPECT_EQ(FlowText(Send(packet)), "DROP");
}

TEST_F(EvaluateTest, CountersCountMatchedRulesOnly) {
  Load("*filter\n-A INPUT -p udp -j DROP\n-A INPUT -p tcp\nCOMMIT\n");
  Packet packet = To("192.168.0.2:80");
  packet.bytes = 100;
  Send(packet);
  Send(packet);
  EXPECT_THAT(ruleset_.Save(Table::kFilter, true),
              HasSubstr("[0:0] -A INPUT -p udp -j DROP\n[2:200] -A INPUT -p tcp\n"));
}

TEST_F(EvaluateTest, ExplainSaysWhyEachRuleMatchedOrNot) {
  Load(
      "*filter\n-A INPUT -s 10.0.0.0/8 -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 81 -j ACCEPT\n-A "
      "INPUT -p tcp -m tcp --dport 80 -j DROP\nCOMMIT\n");
  PacketTrace trace;
  Send(To("192.168.0.2:80"), &trace);
  const std::string text = TraceText(trace);
  EXPECT_THAT(text,
              HasSubstr("#1 [0:0] no match: -s 10.0.0.0/8 -j ACCEPT  <- source 203.0.113.9 is not "
                        "10.0.0.0/8"));
  EXPECT_THAT(text, HasSubstr("<- destination port 80 is not 81"));
  EXPECT_THAT(text, HasSubstr("#3 [1:60] matched: -p tcp -m tcp --dport 80 -j DROP  <- protocol is "
                              "tcp, destination port 80 is 80"));
}

// The index must not change which rule is the first to match, in chains of all sorts of rules.
TEST_F(EvaluateTest, IndexAndLinearReadingAgree) {
  Random random(42);
  for (int round = 0; round < 50; ++round) {
    std::string text = "*filter\n";
    for (int i = 0; i < 60; ++i) {
      text += "-A INPUT";
      if (random.Chance(0.7)) StrAppend(&text, " -d 192.168.0.", random.Uniform(4));
      const uint64_t kind = random.Uniform(10);
      if (kind < 8) StrAppend(&text, " -p tcp -m tcp --dport ", 80 + random.Uniform(6));
      if (kind == 8) StrAppend(&text, " -p tcp -m tcp --dport 80:", 80 + random.Uniform(6));
      if (random.Chance(0.3)) StrAppend(&text, " -s 203.0.113.", random.Uniform(12));
      StrAppend(&text, random.Chance(0.3) ? "\n" : " -j DROP\n");
    }
    Load(text + "COMMIT\n");
    for (uint64_t host = 0; host < 4; ++host) {
      local_.Add(Net(StrCat("192.168.0.", host)));
      for (uint64_t port = 79; port < 87; ++port) {
        const Packet packet = To(StrCat("192.168.0.", host, ":", port));
        PacketTrace trace;
        const Verdict linear = Send(packet, &trace);
        const Verdict indexed = Send(packet);
        EXPECT_EQ(indexed.action, linear.action);
        EXPECT_EQ(indexed.rule_number, linear.rule_number);
      }
    }
    // Both ways counted the same rules.
    for (const Ruleset::LoadedRule& rule : ruleset_.Find(Table::kFilter, "INPUT")->loaded()) {
      EXPECT_EQ(rule.counters.packets % 2, 0u);
    }
  }
}

// The short form of a rule says what the rule says.
TEST(FastRule, SaysTheSameAsTheWholeRule) {
  Random random(5);
  const LocalAddresses nothing;
  int usable = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    if (random.Chance(0.5)) {
      StrAppend(&text, random.Chance(0.3) ? "! " : "", "-s 10.0.0.", random.Uniform(4), "/",
                29 + random.Uniform(4), " ");
    }
    if (random.Chance(0.5)) StrAppend(&text, "-d 10.0.1.", random.Uniform(4), " ");
    if (random.Chance(0.6)) StrAppend(&text, random.Chance(0.5) ? "-p tcp " : "-p udp -m udp ");
    if (random.Chance(0.3)) text += "-m comment --comment x ";
    if (random.Chance(0.4)) {
      StrAppend(&text, "-m mark ", random.Chance(0.4) ? "! " : "", "--mark ", random.Uniform(3),
                random.Chance(0.5) ? "/1 " : " ");
    }
    if (random.Chance(0.4)) {
      StrAppend(&text, "-m conntrack ", random.Chance(0.4) ? "! " : "", "--ctstate ",
                random.Chance(0.5) ? "NEW,DNAT " : "ESTABLISHED ");
    }
    if (text.find("-p ") != std::string::npos && random.Chance(0.6)) {
      StrAppend(&text, random.Chance(0.2) ? "! " : "", "--dport ", 80 + random.Uniform(3));
    }
    const absl::StatusOr<Rule> rule = ParseRule(text);
    ASSERT_TRUE(rule.ok()) << text << rule.status();
    const FastRule fast = FastRule::Of(*rule);
    if (!fast.usable()) continue;
    ++usable;
    Packet packet;
    packet.protocol = random.Chance(0.7) ? Protocol::kTcp : Protocol::kUdp;
    packet.source = Ipv4(10, 0, 0, static_cast<uint8_t>(random.Uniform(6)));
    packet.destination = Ipv4(10, 0, 1, static_cast<uint8_t>(random.Uniform(4)));
    packet.destination_port = static_cast<uint16_t>(80 + random.Uniform(3));
    packet.mark = static_cast<uint32_t>(random.Uniform(4));
    packet.ct_state = random.Chance(0.5) ? kCtNew : kCtEstablished | kCtDnat;
    RecentLists recent;
    EXPECT_EQ(fast.Matches(packet, random),
              RuleMatches(*rule, packet, {nothing, random, Time{}}, recent, nullptr))
        << text;
  }
  EXPECT_GT(usable, 10000);
}

TEST(FastRule, DrawsAsOftenAsTheWholeRule) {
  const Rule rule = ParseRule("-p tcp -m statistic --mode random --probability 0.3").value();
  const FastRule fast = FastRule::Of(rule);
  ASSERT_TRUE(fast.usable());
  Packet packet;
  Random one(9);
  Random two(9);
  const LocalAddresses nothing;
  RecentLists recent;
  for (int i = 0; i < 1000; ++i) {
    packet.protocol = i % 3 == 0 ? Protocol::kUdp : Protocol::kTcp;
    ASSERT_EQ(fast.Matches(packet, one),
              RuleMatches(rule, packet, {nothing, two, Time{}}, recent, nullptr));
  }
  EXPECT_EQ(one.Next(), two.Next());
  // Behind a draw nothing is asked: it would have to fail without one.
  EXPECT_FALSE(FastRule::Of(ParseRule("-m statistic --mode random --probability 0.3 -m mark "
                                      "--mark 0x1")
                                .value())
                   .usable());
  EXPECT_FALSE(FastRule::Of(ParseRule("-m mark --mark 1/1 -m mark --mark 2/2").value()).usable());
  EXPECT_FALSE(FastRule::Of(ParseRule("-m recent --set").value()).usable());
  EXPECT_FALSE(FastRule::Of(ParseRule("! -p tcp").value()).usable());
}

}  // namespace
}  // namespace kubemu::iptables
