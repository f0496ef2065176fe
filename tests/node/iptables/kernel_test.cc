// Our text against the real tools: iptables-restore and iptables-save in a network namespace of the
// test's own. Skipped, loudly, where that is not allowed.
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "node/iptables/ruleset.h"
#include "tests/node/iptables/kernel_net.h"
#include "tests/node/iptables/random_cluster.h"

namespace kubemu {
namespace {

using iptables::Ruleset;
using iptables::Table;

std::vector<Ipv4> KernelPods() {
  std::vector<Ipv4> pods;
  for (int i = 0; i < KernelNet::kPodCount; ++i) pods.push_back(KernelNet::Pod(i));
  return pods;
}

class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!net_.missing().empty()) {
      GTEST_SKIP() << "NOT TESTED against the kernel: " << net_.missing();
    }
  }

  void LoadBoth(const std::string& text, bool noflush, Ruleset* ruleset) {
    const std::string said = net_.Restore(text, noflush);
    ASSERT_EQ(said, "") << text;
    const auto input = iptables::ParseRestore(text);
    ASSERT_TRUE(input.ok()) << input.status();
    const absl::Status status = ruleset->Restore(*input, noflush);
    ASSERT_TRUE(status.ok()) << status;
  }

  void ExpectSameSave(const Ruleset& ruleset) {
    for (Table table : iptables::kAllTables) {
      ASSERT_EQ(net_.Save(iptables::TableName(table)), ruleset.Save(table, false));
    }
  }

  KernelNet net_;
};

// Whole rule sets of random Services, and after each the changes of a few steps: the kernel gives
// back, to the byte, what we print.
TEST_F(KernelTest, TakesTheRulesOfRandomServicesAndGivesThemBackAsWePrintThem) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    RandomCluster cluster(seed, KernelPods());
    for (int i = 0; i < 12; ++i) cluster.AddService();
    Ruleset ruleset;
    proxy::CompiledRules before = cluster.Compile();
    LoadBoth(proxy::RestoreText(before), false, &ruleset);
    ExpectSameSave(ruleset);
    for (int step = 0; step < 4; ++step) {
      for (int i = 0; i < 3; ++i) cluster.ChangeOne();
      proxy::CompiledRules after = cluster.Compile();
      const std::string diff = proxy::DiffText(before, after);
      if (!diff.empty()) LoadBoth(diff, true, &ruleset);
      ExpectSameSave(ruleset);
      before = std::move(after);
    }
    if (HasFatalFailure()) return;
  }
}

// What people put beside kube-proxy's rules, in all spellings that people use.
constexpr char kForeign[] = R"(# a comment
*filter
:INPUT DROP [5:300]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:MINE - [0:0]
[3:180] -A INPUT -p tcp --dport 22 -j ACCEPT
-A INPUT ! -s 10.0.0.0/8 -d 192.168.0.0/16 -p udp --sport 1000:2000 ! --dport 53 -j DROP
-A INPUT --protocol tcp --source 10.1.0.0/255.255.0.0 --destination-port 80 --jump ACCEPT
-A INPUT -j ACCEPT -i eth+ ! -o lo0
-A FORWARD -i eth+ ! -o lo0 -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p 17 -j ACCEPT
-A INPUT ! -p tcp -j RETURN
-A INPUT -m comment --comment "say \"hello\" to back\\slash, it's me" -j MINE
-A INPUT -m comment --comment plain-word_1 -m mark ! --mark 0x1/0xff -m comment --comment "two" -j ACCEPT
-A INPUT -m conntrack ! --ctstate NEW,INVALID -j ACCEPT
-A INPUT -m addrtype ! --dst-type LOCAL --src-type LOCAL -j DROP
-A INPUT -p tcp -m tcp --sport :1023 --dport 8000: -j REJECT --reject-with tcp-reset
-A INPUT -j REJECT --reject-with icmp-host-unreachable
-A INPUT -m recent --name seen --set
-A INPUT -m recent --rcheck --seconds 5 --reap --name seen --rsource -j DROP
-A INPUT -m statistic --mode random ! --probability 0.25 -j DROP
-A INPUT -p sctp --dport 99 -j ACCEPT
-A FORWARD -o cbr0 -j ACCEPT
-A FORWARD -j MARK --set-mark 0x10/0x30
-A FORWARD -j MARK --or-mark 16
-A FORWARD -j MARK --and-mark 0xff
-A FORWARD -j MARK --set-xmark 0x4000/0x0
-A MINE -m mark --mark 7
COMMIT
*nat
-A POSTROUTING -s 10.180.0.0/16 ! -d 10.180.0.0/16 -j MASQUERADE
-A POSTROUTING -s 10.181.0.0/16 -j MASQUERADE --random-fully
-A OUTPUT -p tcp -d 10.9.9.9 --dport 80 -j DNAT --to-destination 10.180.0.1:8080
-A OUTPUT -d 10.9.9.8 -j DNAT --to-destination 10.180.0.2
COMMIT
)";

TEST_F(KernelTest, OtherPeoplesRulesAreReadAsTheToolReadsThem) {
  std::string text = kForeign;
  // -o says nothing in INPUT: the tool refuses it, we take it as it stands.
  const std::string odd = "-A INPUT -j ACCEPT -i eth+ ! -o lo0\n";
  text.erase(text.find(odd), odd.size());
  Ruleset ruleset;
  LoadBoth(text, false, &ruleset);
  ExpectSameSave(ruleset);
  for (Table table : iptables::kAllTables) {
    const std::string saved = net_.Save(iptables::TableName(table), /*counters=*/true);
    const auto input = iptables::ParseRestore(saved);
    ASSERT_TRUE(input.ok()) << input.status() << "\n" << saved;
    Ruleset again;
    ASSERT_TRUE(again.Restore(*input, false).ok());
    EXPECT_EQ(again.Save(table, false), net_.Save(iptables::TableName(table)));
  }
}

TEST_F(KernelTest, WhatIsNotSupportedIsNamedWithItsLine) {
  ASSERT_EQ(net_.Run("iptables -A INPUT -p tcp -j ACCEPT; iptables -A INPUT -j LOG --log-prefix x"),
            "");
  const auto input = iptables::ParseRestore(net_.Save("filter"));
  ASSERT_FALSE(input.ok());
  EXPECT_EQ(std::string(input.status().message()).substr(0, 7), "line 6:") << input.status();
  EXPECT_NE(std::string(input.status().message()).find("LOG"), std::string::npos);
}

}  // namespace
}  // namespace kubemu
