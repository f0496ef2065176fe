// The kernel's data plane without a kernel: the test is the door. Rules and routes; for pods and
// connections see kernel_pods_test.cc.
#include "node/kernel/kernel_dataplane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "tests/node/kernel/fake_door.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kRules[] = "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n";
constexpr char kMoreRules[] = "*nat\n:KUBE-SVC-A - [0:0]\nCOMMIT\n";

class KernelDataplaneTest : public KernelDoorTest {
 protected:
  // kube-proxy sends a rule set.
  void Restore(uint64_t revision, bool full, const std::string& rules) {
    bus::IptablesRestore restore;
    restore.set_revision(revision);
    restore.set_full(full);
    restore.set_rules(rules);
    bus_.Send(kProxy, kPart, restore);
  }
  void SetNetwork(uint64_t revision, const std::vector<std::string>& peers) {
    bus::IptablesRestore restore;
    restore.set_revision(revision);
    restore.set_full(false);
    bus::NodeNetwork& network = *restore.mutable_network();
    network.set_node_ip(Ipv4(10, 77, 0, 1).bits());
    network.set_pod_cidr("10.244.1.0/24");
    for (size_t i = 0; i < peers.size(); ++i) {
      auto* peer = network.add_peers();
      peer->set_process(StrCat("node-", i + 2));
      peer->set_ip(Ipv4(10, 77, 0, static_cast<uint8_t>(i + 2)).bits());
      peer->set_pod_cidr(peers[i]);
    }
    bus_.Send(kProxy, kPart, restore);
  }
  // What kube-proxy has heard since the last call: "1: " or "1: error".
  std::vector<std::string> Answers() {
    std::vector<std::string> answers;
    for (const auto& [message, restored] : bus_.Take<bus::IptablesRestored>()) {
      answers.push_back(StrCat(restored.revision(), ": ", restored.error()));
    }
    return answers;
  }
};

TEST_F(KernelDataplaneTest, AWholeRuleSetIsMergedIntoWhatTheKernelHas) {
  Restore(1, true, kRules);
  EXPECT_THAT(Run("iptables-save", "*nat\n:KUBE-OLD - [0:0]\nCOMMIT\n"), "");
  EXPECT_THAT(Answers(), IsEmpty());
  const std::string input = Run("iptables-restore --noflush --wait 5");
  EXPECT_THAT(input, HasSubstr(":KUBE-SERVICES - [0:0]\n"));
  EXPECT_THAT(input, HasSubstr("-X KUBE-OLD\n"));
  EXPECT_THAT(Answers(), ElementsAre("1: "));
}

TEST_F(KernelDataplaneTest, APartialOneGoesToTheKernelAsItIs) {
  Restore(1, true, kRules);
  Run("iptables-save");
  Run("iptables-restore --noflush --wait 5");
  Restore(2, false, kMoreRules);
  EXPECT_EQ(Run("iptables-restore --noflush --wait 5"), kMoreRules);
  EXPECT_THAT(Answers(), ElementsAre("1: ", "2: "));
}

TEST_F(KernelDataplaneTest, APartialOneOnTopOfAnotherRevisionIsRefused) {
  Restore(5, false, kMoreRules);
  EXPECT_THAT(Commands(), IsEmpty());
  EXPECT_THAT(Answers(), ElementsAre(HasSubstr("send a full one")));
}

TEST_F(KernelDataplaneTest, WhatIptablesRestoreSaysReachesKubeProxy) {
  Restore(1, true, kRules);
  Run("iptables-save");
  Fail("iptables-restore --noflush --wait 5", "exit code 2: line 4 failed");
  EXPECT_THAT(Answers(), ElementsAre("1: iptables-restore: exit code 2: line 4 failed"));
  Restore(2, true, kRules);
  Run("iptables-save");
  Run("iptables-restore --noflush --wait 5");
  EXPECT_THAT(Answers(), ElementsAre("2: "));
}

// kube-proxy waits 1 s for an answer and sends again, under a new number.
TEST_F(KernelDataplaneTest, RulesThatTakeLongAreNotLoadedAgainAndAgain) {
  Restore(1, true, kRules);
  Restore(2, true, kRules);
  Restore(3, true, kRules);
  Restore(3, true, kRules);  // doubled
  Run("iptables-save");
  Run("iptables-restore --noflush --wait 5");
  EXPECT_THAT(Answers(), ElementsAre("1: ", "3: "));
  EXPECT_THAT(Commands(), IsEmpty());
}

TEST_F(KernelDataplaneTest, ACommandOfWhichNothingIsHeardHasFailed) {
  Restore(1, true, kRules);
  EXPECT_THAT(Commands(), SizeIs(1));
  bus_.Pass(CommandLane::kAnswerTimeout);
  EXPECT_THAT(Answers(), ElementsAre(HasSubstr("no answer")));
}

TEST_F(KernelDataplaneTest, OnlyRoutesThatChangedAreSet) {
  SetNetwork(1, {"10.244.2.0/24", "10.244.3.0/24"});
  Run("sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1");
  EXPECT_EQ(Run("ip -force -batch -"),
            "link set lo up\n"
            "route flush proto 77\n"
            "route replace unreachable 10.244.1.0/24 proto 77\n"
            "route replace 10.244.2.0/24 via 10.77.0.2 proto 77\n"
            "route replace 10.244.3.0/24 via 10.77.0.3 proto 77\n");
  SetNetwork(2, {"10.244.2.0/24", "10.244.4.0/24"});
  EXPECT_EQ(Run("ip -force -batch -"),
            "route flush exact 10.244.3.0/24 proto 77\n"
            "route replace 10.244.4.0/24 via 10.77.0.3 proto 77\n");
  SetNetwork(3, {"10.244.2.0/24", "10.244.4.0/24"});
  EXPECT_THAT(Commands(), IsEmpty());
}

TEST_F(KernelDataplaneTest, RoutesThatFailAreTriedAgainLaterAndLater) {
  SetNetwork(1, {"10.244.2.0/24"});
  Run("sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1");
  Fail("ip -force -batch -", "exit code 1: Nexthop has invalid gateway");
  EXPECT_THAT(Commands(), IsEmpty());
  bus_.Pass(PeerRoutes::kRetryMin);
  Fail("ip -force -batch -", "exit code 1: Nexthop has invalid gateway");
  bus_.Pass(PeerRoutes::kRetryMin);
  EXPECT_THAT(Commands(), IsEmpty());
  bus_.Pass(PeerRoutes::kRetryMin);
  EXPECT_THAT(Run("ip -force -batch -"), HasSubstr("10.244.2.0/24 via 10.77.0.2"));
  EXPECT_THAT(Commands(), IsEmpty());
}

}  // namespace
}  // namespace kubemu
