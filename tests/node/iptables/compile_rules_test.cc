#include "node/proxy/compile_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "node/iptables/save_format.h"
#include "node/proxy/chain_names.h"
#include "tests/node/iptables/cluster_fixture.h"

namespace kubemu::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string HexOf(std::string_view text) {
  std::string hex;
  for (uint8_t byte : Sha256(text)) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

TEST(ChainNames, Sha256IsThatOfFips180) {
  EXPECT_EQ(HexOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(HexOf(std::string(1000, 'a')),
            "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}

TEST(ChainNames, AreUpstreams) {
  EXPECT_EQ(ClusterPolicyChain("ns1/svc1:p80", "tcp"), "KUBE-SVC-XPGD46QRK7WJZT7O");
  EXPECT_EQ(LocalPolicyChain("ns1/svc1:p80", "tcp"), "KUBE-SVL-XPGD46QRK7WJZT7O");
  EXPECT_EQ(ExternalChain("ns1/svc1:p80", "tcp"), "KUBE-EXT-XPGD46QRK7WJZT7O");
  EXPECT_EQ(FirewallChain("ns1/svc1:p80", "tcp"), "KUBE-FW-XPGD46QRK7WJZT7O");
  EXPECT_EQ(EndpointChain("ns1/svc1:p80", "tcp", "10.180.0.1:80"), "KUBE-SEP-SXIVWICOYRO3J4NJ");
  EXPECT_EQ(ClusterPolicyChain("default/kubernetes:https", "tcp"), "KUBE-SVC-NPX46M4PTMTKRN6Y");
  EXPECT_EQ(ClusterPolicyChain("kube-system/kube-dns:dns", "udp"), "KUBE-SVC-TCOU7JCQXEZGVUNU");
}

class CompileRulesTest : public testing::Test, protected ClusterFixture {};

TEST_F(CompileRulesTest, ClusterIpIsWrittenAsUpstreamWritesIt) {
  AddEndpoint("10.180.0.1:80");
  AddEndpoint("10.180.0.2:80", "node-2");
  CompiledRules rules = Compile();
  EXPECT_THAT(
      rules.nat["KUBE-SERVICES"],
      ElementsAre(
          R"(-d 172.30.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp --dport 80 -j KUBE-SVC-XPGD46QRK7WJZT7O)",
          R"(-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS)"));
  EXPECT_THAT(
      rules.nat["KUBE-SVC-XPGD46QRK7WJZT7O"],
      ElementsAre(
          R"(! -s 10.0.0.0/8 -d 172.30.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ)",
          R"(-m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-SXIVWICOYRO3J4NJ)",
          R"(-m comment --comment "ns1/svc1:p80 -> 10.180.0.2:80" -j KUBE-SEP-LXVODXWDISEETFEF)"));
  EXPECT_THAT(
      rules.nat["KUBE-SEP-SXIVWICOYRO3J4NJ"],
      ElementsAre(
          R"(-s 10.180.0.1/32 -m comment --comment "ns1/svc1:p80" -j KUBE-MARK-MASQ)",
          R"(-p tcp -m comment --comment "ns1/svc1:p80" -m tcp -j DNAT --to-destination 10.180.0.1:80)"));
  EXPECT_THAT(rules.filter["KUBE-SERVICES"], IsEmpty());
  EXPECT_THAT(rules.filter["KUBE-EXTERNAL-SERVICES"], IsEmpty());
}

TEST_F(CompileRulesTest, TheFixedPartIsWholeAndInUpstreamsOrder) {
  EXPECT_EQ(RestoreText(FixedChains(node)),
            R"(*filter
:FORWARD ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-PROXY-CANARY - [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A OUTPUT -j KUBE-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
COMMIT
*nat
:INPUT ACCEPT [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-PROXY-CANARY - [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:PREROUTING ACCEPT [0:0]
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
COMMIT
)");
}

TEST_F(CompileRulesTest, NodePortAndLoadBalancerWithPolicyCluster) {
  AddEndpoint("10.180.0.1:80");
  info.node_port = 30080;
  info.load_balancer_ips = {Ip("1.2.3.4")};
  CompiledRules rules = Compile();
  EXPECT_THAT(
      rules.nat["KUBE-NODEPORTS"],
      ElementsAre(
          R"(-p tcp -m comment --comment "ns1/svc1:p80" -m tcp --dport 30080 -j KUBE-EXT-XPGD46QRK7WJZT7O)"));
  EXPECT_EQ(
      rules.nat["KUBE-SERVICES"][1],
      R"(-d 1.2.3.4/32 -p tcp -m comment --comment "ns1/svc1:p80 loadbalancer IP" -m tcp --dport 80 -j KUBE-EXT-XPGD46QRK7WJZT7O)");
  EXPECT_THAT(
      rules.nat["KUBE-EXT-XPGD46QRK7WJZT7O"],
      ElementsAre(
          R"(-m comment --comment "masquerade traffic for ns1/svc1:p80 external destinations" -j KUBE-MARK-MASQ)",
          "-j KUBE-SVC-XPGD46QRK7WJZT7O"));
}

TEST_F(CompileRulesTest, PolicyLocalKeepsTheSourceAndTheShortcuts) {
  AddEndpoint("10.180.0.1:80", "node-1");
  AddEndpoint("10.180.0.2:80", "node-2");
  info.node_port = 30080;
  info.external_policy_local = true;
  info.health_check_node_port = 31000;
  CompiledRules rules = Compile();
  EXPECT_THAT(
      rules.nat["KUBE-EXT-XPGD46QRK7WJZT7O"],
      ElementsAre(
          R"(-s 10.0.0.0/8 -m comment --comment "pod traffic for ns1/svc1:p80 external destinations" -j KUBE-SVC-XPGD46QRK7WJZT7O)",
          R"(-m comment --comment "masquerade LOCAL traffic for ns1/svc1:p80 external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ)",
          R"(-m comment --comment "route LOCAL traffic for ns1/svc1:p80 external destinations" -m addrtype --src-type LOCAL -j KUBE-SVC-XPGD46QRK7WJZT7O)",
          "-j KUBE-SVL-XPGD46QRK7WJZT7O"));
  EXPECT_THAT(
      rules.nat["KUBE-SVL-XPGD46QRK7WJZT7O"],
      ElementsAre(
          R"(-m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -j KUBE-SEP-SXIVWICOYRO3J4NJ)"));
  EXPECT_THAT(
      rules.filter["KUBE-NODEPORTS"],
      ElementsAre(
          R"(-p tcp -m comment --comment "ns1/svc1:p80 health check node port" -m tcp --dport 31000 -j ACCEPT)"));
}

TEST_F(CompileRulesTest, SourceRangesGoThroughTheFirewallChain) {
  AddEndpoint("10.180.0.1:80");
  info.load_balancer_ips = {Ip("1.2.3.4")};
  info.source_ranges = {Net("203.0.113.0/25"), Net("192.168.0.0/24")};
  CompiledRules rules = Compile();
  EXPECT_THAT(
      rules.nat["KUBE-FW-XPGD46QRK7WJZT7O"],
      ElementsAre(
          R"(-s 203.0.113.0/25 -m comment --comment "ns1/svc1:p80 loadbalancer IP" -j KUBE-EXT-XPGD46QRK7WJZT7O)",
          R"(-s 192.168.0.0/24 -m comment --comment "ns1/svc1:p80 loadbalancer IP" -j KUBE-EXT-XPGD46QRK7WJZT7O)",
          R"(-s 1.2.3.4/32 -m comment --comment "ns1/svc1:p80 loadbalancer IP" -j KUBE-EXT-XPGD46QRK7WJZT7O)",
          R"(-m comment --comment "other traffic to ns1/svc1:p80 will be dropped by KUBE-PROXY-FIREWALL")"));
  EXPECT_THAT(
      rules.filter["KUBE-PROXY-FIREWALL"],
      ElementsAre(
          R"(-d 1.2.3.4/32 -p tcp -m comment --comment "ns1/svc1:p80 traffic not accepted by KUBE-FW-XPGD46QRK7WJZT7O" -m tcp --dport 80 -j DROP)"));
}

TEST_F(CompileRulesTest, WithoutEndpointsEveryAddressIsRejected) {
  info.node_port = 30080;
  info.external_ips = {Ip("198.51.100.7")};
  CompiledRules rules = Compile();
  EXPECT_THAT(rules.nat["KUBE-SERVICES"], testing::SizeIs(1));  // the node port rule
  EXPECT_FALSE(rules.nat.contains("KUBE-SVC-XPGD46QRK7WJZT7O"));
  EXPECT_THAT(
      rules.filter["KUBE-SERVICES"],
      ElementsAre(
          R"(-d 172.30.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable)"));
  EXPECT_THAT(
      rules.filter["KUBE-EXTERNAL-SERVICES"],
      ElementsAre(
          R"(-d 198.51.100.7/32 -p tcp -m comment --comment "ns1/svc1:p80 has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable)",
          R"(-p tcp -m comment --comment "ns1/svc1:p80 has no endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j REJECT --reject-with icmp-port-unreachable)"));
}

TEST_F(CompileRulesTest, AffinityRulesComeBeforeAllDraws) {
  AddEndpoint("10.180.0.1:80");
  AddEndpoint("10.180.0.2:80");
  info.affinity_seconds = 10800;
  CompiledRules rules = Compile();
  const Rules& chain = rules.nat["KUBE-SVC-XPGD46QRK7WJZT7O"];
  ASSERT_EQ(chain.size(), 5u);
  EXPECT_EQ(
      chain[1],
      R"(-m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-SXIVWICOYRO3J4NJ --mask 255.255.255.255 --rsource -j KUBE-SEP-SXIVWICOYRO3J4NJ)");
  EXPECT_THAT(chain[2], testing::HasSubstr("--rcheck"));
  EXPECT_THAT(chain[3], testing::HasSubstr("--probability"));
  EXPECT_EQ(
      rules.nat["KUBE-SEP-SXIVWICOYRO3J4NJ"][1],
      R"(-p tcp -m comment --comment "ns1/svc1:p80" -m recent --set --name KUBE-SEP-SXIVWICOYRO3J4NJ --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.180.0.1:80)");
}

TEST_F(CompileRulesTest, LargeClustersHaveNoCommentsAtEndpoints) {
  for (int i = 0; i < 1001; ++i) AddEndpoint(StrCat("10.180.", i / 250, ".", i % 250 + 1, ":80"));
  CompiledRules rules = Compile();
  EXPECT_EQ(rules.nat["KUBE-SVC-XPGD46QRK7WJZT7O"][1].substr(0, 12), "-m statistic");
  EXPECT_EQ(rules.nat["KUBE-SEP-SXIVWICOYRO3J4NJ"][0], "-s 10.180.0.1/32 -j KUBE-MARK-MASQ");
}

TEST_F(CompileRulesTest, ThousandEndpointsAreNotYetALargeCluster) {
  for (int i = 0; i < 1000; ++i) AddEndpoint(StrCat("10.180.", i / 250, ".", i % 250 + 1, ":80"));
  CompiledRules rules = Compile();
  EXPECT_EQ(rules.nat["KUBE-SVC-XPGD46QRK7WJZT7O"][1].substr(0, 10), "-m comment");
}

TEST_F(CompileRulesTest, LargeClustersKeepTheAffinityRulesWithoutComments) {
  info.affinity_seconds = 60;
  for (int i = 0; i < 1001; ++i) AddEndpoint(StrCat("10.180.", i / 250, ".", i % 250 + 1, ":80"));
  CompiledRules rules = Compile();
  EXPECT_EQ(rules.nat["KUBE-SVC-XPGD46QRK7WJZT7O"][1].substr(0, 20), "-m recent --rcheck -");
}

TEST_F(CompileRulesTest, MasqueradeAllMarksEverybody) {
  AddEndpoint("10.180.0.1:80");
  node.masquerade_all = true;
  CompiledRules rules = Compile();
  EXPECT_EQ(
      rules.nat["KUBE-SVC-XPGD46QRK7WJZT7O"][0],
      R"(-d 172.30.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ)");
}

TEST_F(CompileRulesTest, WithoutAClusterCidrNobodyIsMarkedForItsSource) {
  AddEndpoint("10.180.0.1:80");
  info.node_port = 30080;
  info.external_policy_local = true;
  node.cluster_cidr = Ipv4Network();
  CompiledRules rules = Compile();
  EXPECT_THAT(rules.nat["KUBE-SVC-XPGD46QRK7WJZT7O"], testing::SizeIs(1));
  EXPECT_THAT(rules.nat["KUBE-EXT-XPGD46QRK7WJZT7O"][0],
              testing::HasSubstr("masquerade LOCAL traffic"));
}

constexpr char kNodePortRest[] =
    R"(-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain")";

TEST_F(CompileRulesTest, LocalhostNodePortsCanBeSwitchedOff) {
  node.localhost_node_ports = false;
  EXPECT_THAT(Compile().nat["KUBE-SERVICES"],
              ElementsAre(StrCat("! -d 127.0.0.0/8 ", kNodePortRest,
                                 " -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")));
}

TEST_F(CompileRulesTest, NodePortAddressesNameTheAddressesThatServeThem) {
  node.node_port_addresses = {Net("192.168.0.0/16")};
  const std::string own = StrCat("-d 192.168.0.2/32 ", kNodePortRest, " -j KUBE-NODEPORTS");
  const std::string loopback = StrCat("-d 127.0.0.1/32 ", kNodePortRest, " -j KUBE-NODEPORTS");
  EXPECT_THAT(Compile().nat["KUBE-SERVICES"], ElementsAre(own));
  node.node_port_addresses.push_back(Net("127.0.0.0/8"));
  EXPECT_THAT(Compile().nat["KUBE-SERVICES"], ElementsAre(loopback, own));
  node.localhost_node_ports = false;
  EXPECT_THAT(Compile().nat["KUBE-SERVICES"], ElementsAre(own));
  node.node_port_addresses = {Net("10.0.0.0/8")};
  EXPECT_THAT(Compile().nat["KUBE-SERVICES"], IsEmpty());
}

TEST_F(CompileRulesTest, InternalPolicyLocalHasItsOwnChainAndDropsWithoutLocalEndpoints) {
  AddEndpoint("10.180.0.1:80", "node-2");
  info.internal_policy_local = true;
  CompiledRules rules = Compile();
  EXPECT_FALSE(rules.nat.contains("KUBE-SVC-XPGD46QRK7WJZT7O"));
  EXPECT_FALSE(rules.nat.contains("KUBE-SVL-XPGD46QRK7WJZT7O"));
  EXPECT_THAT(
      rules.filter["KUBE-SERVICES"],
      ElementsAre(
          R"(-d 172.30.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 has no local endpoints" -m tcp --dport 80 -j DROP)"));
  endpoints[0].node = "node-1";
  rules = Compile();
  EXPECT_THAT(rules.nat["KUBE-SERVICES"][0], testing::HasSubstr("-j KUBE-SVL-XPGD46QRK7WJZT7O"));
  EXPECT_THAT(rules.nat["KUBE-SVL-XPGD46QRK7WJZT7O"], testing::SizeIs(2));
  EXPECT_FALSE(rules.nat.contains("KUBE-SVC-XPGD46QRK7WJZT7O"));
}

TEST_F(CompileRulesTest, PolicyLocalWithoutLocalEndpointsKeepsTheShortcutsAndDropsTheRest) {
  AddEndpoint("10.180.0.2:80", "node-2");
  info.node_port = 30080;
  info.load_balancer_ips = {Ip("1.2.3.4")};
  info.external_ips = {Ip("198.51.100.7")};
  info.external_policy_local = true;
  CompiledRules rules = Compile();
  EXPECT_THAT(rules.nat["KUBE-EXT-XPGD46QRK7WJZT7O"], testing::SizeIs(3));
  EXPECT_THAT(
      rules.filter["KUBE-EXTERNAL-SERVICES"],
      ElementsAre(
          R"(-d 198.51.100.7/32 -p tcp -m comment --comment "ns1/svc1:p80 has no local endpoints" -m tcp --dport 80 -j DROP)",
          R"(-d 1.2.3.4/32 -p tcp -m comment --comment "ns1/svc1:p80 has no local endpoints" -m tcp --dport 80 -j DROP)",
          R"(-p tcp -m comment --comment "ns1/svc1:p80 has no local endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j DROP)"));
}

TEST_F(CompileRulesTest, AWholeWorldSourceRangeHasNoSourceAndLetsTheNodeIn) {
  AddEndpoint("10.180.0.1:80");
  info.load_balancer_ips = {Ip("1.2.3.4")};
  info.source_ranges = {Net("0.0.0.0/0")};
  CompiledRules rules = Compile();
  EXPECT_EQ(rules.nat["KUBE-FW-XPGD46QRK7WJZT7O"][0],
            R"(-m comment --comment "ns1/svc1:p80 loadbalancer IP" -j KUBE-EXT-XPGD46QRK7WJZT7O)");
  EXPECT_THAT(rules.nat["KUBE-FW-XPGD46QRK7WJZT7O"][1], testing::StartsWith("-s 1.2.3.4/32 "));
}

TEST_F(CompileRulesTest, ProbabilitiesAreOneOfThoseThatAreLeft) {
  for (int i = 1; i <= 4; ++i) AddEndpoint(StrCat("10.180.0.", i, ":80"));
  CompiledRules rules = Compile();
  const Rules& chain = rules.nat["KUBE-SVC-XPGD46QRK7WJZT7O"];
  ASSERT_EQ(chain.size(), 5u);
  EXPECT_THAT(chain[1], testing::HasSubstr("--probability 0.25000000000 "));
  EXPECT_THAT(chain[2], testing::HasSubstr("--probability 0.33333333349 "));
  EXPECT_THAT(chain[3], testing::HasSubstr("--probability 0.50000000000 "));
  EXPECT_THAT(chain[4], testing::Not(testing::HasSubstr("statistic")));
}

// The compiler writes what the printer would: reading and printing changes no byte.
TEST_F(CompileRulesTest, TheTextIsInIptablesSavesForm) {
  AddEndpoint("10.180.0.1:80");
  AddEndpoint("10.180.0.2:80");
  AddEndpoint("10.180.0.3:80", "node-2");
  info.node_port = 30080;
  info.load_balancer_ips = {Ip("1.2.3.4")};
  info.source_ranges = {Net("0.0.0.0/0"), Net("203.0.113.0/25")};
  info.external_policy_local = true;
  info.affinity_seconds = 60;
  name.protocol = Protocol::kUdp;
  const std::string text = RestoreText(Compile());
  const auto input = iptables::ParseRestore(text);
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(iptables::PrintRestore(*input), text);
}

}  // namespace
}  // namespace kubemu::proxy
