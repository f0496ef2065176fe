// Where packets go under the rules that kube-proxy writes: its own packetFlowTests in our words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "messages/core/strings.h"
#include "tests/node/iptables/cluster_fixture.h"

namespace kubemu {
namespace {

constexpr char kPod[] = "10.1.0.9";         // of this cluster
constexpr char kOutside[] = "203.0.113.9";  // not of this cluster
constexpr char kClusterIp[] = "172.30.0.41:80";
constexpr char kNodePort[] = "192.168.0.2:30080";
constexpr char kLoadBalancer[] = "1.2.3.4:80";

class PacketFlowTest : public testing::Test, protected ClusterFixture {
 protected:
  void AllFaces() {
    info.node_port = 30080;
    info.load_balancer_ips = {Ip("1.2.3.4")};
    info.external_ips = {Ip("198.51.100.7")};
  }
};

TEST_F(PacketFlowTest, ClusterIp) {
  AddEndpoint("10.180.0.1:80");
  Load();
  EXPECT_EQ(Flow(kPod, kClusterIp), "10.180.0.1:80");
  EXPECT_EQ(Flow(kOutside, kClusterIp), "10.180.0.1:80, masq");
  EXPECT_EQ(FlowFromNode(kClusterIp), "10.180.0.1:80, masq");
  EXPECT_EQ(Flow("10.180.0.1", kClusterIp), "10.180.0.1:80, masq");  // hairpin
  EXPECT_EQ(Flow(kPod, "172.30.0.41:81"), "as is");
  EXPECT_EQ(Flow(kPod, "10.180.0.1:80"), "as is");
}

TEST_F(PacketFlowTest, ExternalFacesWithPolicyCluster) {
  AddEndpoint("10.180.0.1:80", "node-2");
  AllFaces();
  Load();
  for (const char* face : {kNodePort, kLoadBalancer, "198.51.100.7:80"}) {
    EXPECT_EQ(Flow(kOutside, face), "10.180.0.1:80, masq") << face;
    EXPECT_EQ(Flow(kPod, face), "10.180.0.1:80, masq") << face;
    EXPECT_EQ(FlowFromNode(face), "10.180.0.1:80, masq") << face;
  }
  EXPECT_EQ(Flow(kOutside, "192.168.0.2:30081"), "as is");
  EXPECT_EQ(Flow(kOutside, "192.168.0.3:30080"), "as is");  // another node's
}

TEST_F(PacketFlowTest, ExternalFacesWithPolicyLocalAndALocalEndpoint) {
  AddEndpoint("10.180.0.1:80", "node-1");
  AllFaces();
  info.external_policy_local = true;
  Load();
  for (const char* face : {kNodePort, kLoadBalancer, "198.51.100.7:80"}) {
    EXPECT_EQ(Flow(kOutside, face), "10.180.0.1:80") << face;  // the client's address stays
    EXPECT_EQ(Flow(kPod, face), "10.180.0.1:80") << face;
    EXPECT_EQ(FlowFromNode(face), "10.180.0.1:80, masq") << face;
  }
}

TEST_F(PacketFlowTest, PolicyLocalWithoutALocalEndpointDropsOutsidersOnly) {
  AddEndpoint("10.180.0.1:80", "node-2");
  AllFaces();
  info.external_policy_local = true;
  Load();
  for (const char* face : {kNodePort, kLoadBalancer, "198.51.100.7:80"}) {
    EXPECT_EQ(Flow(kOutside, face), "DROP") << face;
    EXPECT_EQ(Flow(kPod, face), "10.180.0.1:80") << face;
    EXPECT_EQ(FlowFromNode(face), "10.180.0.1:80, masq") << face;
  }
  EXPECT_EQ(Flow(kPod, kClusterIp), "10.180.0.1:80");
}

TEST_F(PacketFlowTest, InternalPolicyLocal) {
  AddEndpoint("10.180.0.1:80", "node-2");
  info.internal_policy_local = true;
  Load();
  EXPECT_EQ(Flow(kPod, kClusterIp), "DROP");
  EXPECT_EQ(FlowFromNode(kClusterIp), "DROP");
  AddEndpoint("10.180.0.2:80", "node-1");
  Load();
  EXPECT_EQ(Flow(kPod, kClusterIp), "10.180.0.2:80");
}

TEST_F(PacketFlowTest, NoEndpointsRejectsEverywhere) {
  AllFaces();
  Load();
  for (const char* face : {kClusterIp, kNodePort, kLoadBalancer, "198.51.100.7:80"}) {
    EXPECT_EQ(Flow(kOutside, face), "REJECT") << face;
    EXPECT_EQ(Flow(kPod, face), "REJECT") << face;
  }
  EXPECT_EQ(FlowFromNode(kClusterIp), "REJECT");
}

TEST_F(PacketFlowTest, SourceRangesBindTheLoadBalancerOnly) {
  AddEndpoint("10.180.0.1:80");
  AllFaces();
  info.source_ranges = {Net("203.0.113.0/24")};
  Load();
  EXPECT_EQ(Flow(kOutside, kLoadBalancer), "10.180.0.1:80, masq");
  EXPECT_EQ(Flow("198.18.0.1", kLoadBalancer), "DROP");
  EXPECT_EQ(Flow("198.18.0.1", kNodePort), "10.180.0.1:80, masq");
}

TEST_F(PacketFlowTest, TerminatingEndpointsServeOnlyIfNobodyIsReady) {
  AddEndpoint("10.180.0.1:80");
  proxy::EndpointInfo& leaving = AddEndpoint("10.180.0.2:80");
  leaving.ready = false;
  leaving.terminating = true;
  Load();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Flow(kPod, kClusterIp), "10.180.0.1:80");
  endpoints[0].ready = false;
  endpoints[0].serving = false;
  Load();
  EXPECT_EQ(Flow(kPod, kClusterIp), "10.180.0.2:80");
  endpoints[1].serving = false;
  Load();
  EXPECT_EQ(Flow(kPod, kClusterIp), "REJECT");
}

TEST_F(PacketFlowTest, ZoneHintsAreFollowedIfAllHaveThem) {
  AddEndpoint("10.180.0.1:80").zone_hints = {"a"};
  AddEndpoint("10.180.0.2:80").zone_hints = {"b"};
  node.zone = "b";
  Load();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Flow(kPod, kClusterIp), "10.180.0.2:80");
  AddEndpoint("10.180.0.3:80");
  Load();
  std::map<std::string, int> seen;
  for (int i = 0; i < 100; ++i) ++seen[Flow(kPod, kClusterIp)];
  EXPECT_EQ(seen.size(), 3u);
}

TEST_F(PacketFlowTest, LocalnetIsClosedToOthers) {
  AddEndpoint("10.180.0.1:80");
  Load();
  EXPECT_EQ(Flow(kOutside, "127.0.0.1:10249"), "DROP");
  EXPECT_EQ(Flow("127.0.0.1", "127.0.0.1:10249"), "as is");
}

// Chi-square over n endpoints: 1e-6 quantiles of the distribution with n - 1 degrees of freedom.
TEST_F(PacketFlowTest, EveryEndpointGetsItsShare) {
  const std::map<int, double> kQuantile = {{2, 23.93}, {3, 27.63}, {5, 33.38}, {10, 45.08}};
  for (const auto& [count, quantile] : kQuantile) {
    endpoints.clear();
    for (int i = 0; i < count; ++i) AddEndpoint(StrCat("10.180.0.", i + 1, ":80"));
    Load();
    constexpr int kPackets = 20000;
    std::map<std::string, int> seen;
    for (int i = 0; i < kPackets; ++i) ++seen[Flow(kPod, kClusterIp)];
    ASSERT_EQ(seen.size(), static_cast<size_t>(count));
    const double expected = static_cast<double>(kPackets) / count;
    double chi_square = 0;
    for (const auto& [pod, hits] : seen) chi_square += std::pow(hits - expected, 2) / expected;
    EXPECT_LT(chi_square, quantile) << count << " endpoints";
  }
}

TEST_F(PacketFlowTest, AffinityHoldsAClientUntilItWasSilentForLong) {
  for (int i = 1; i <= 5; ++i) AddEndpoint(StrCat("10.180.0.", i, ":80"));
  info.affinity_seconds = 100;
  Load();
  const std::string first = Flow(kPod, kClusterIp);
  for (int i = 0; i < 50; ++i) {
    now += 99s;  // each connection begins the time again
    EXPECT_EQ(Flow(kPod, kClusterIp), first);
  }
  std::map<std::string, int> others;
  for (int i = 0; i < 50; ++i) ++others[Flow(StrCat("10.1.1.", i), kClusterIp)];
  EXPECT_EQ(others.size(), 5u);
  std::map<std::string, int> later;
  for (int i = 0; i < 50; ++i) {
    now += 101s;
    ++later[Flow(kPod, kClusterIp)];
  }
  EXPECT_EQ(later.size(), 5u);
}

TEST_F(PacketFlowTest, ExplainShowsTheWholeWay) {
  AddEndpoint("10.180.0.1:80");
  AllFaces();
  Load();
  iptables::PacketTrace trace;
  Send(kOutside, kNodePort, &trace);
  std::vector<std::string> way;
  for (const iptables::TraceStep& step : trace) {
    if (step.matched && step.rule != nullptr) way.push_back(StrCat(step.chain, step.rule_number));
  }
  EXPECT_THAT(way, testing::ElementsAre("PREROUTING1", "KUBE-SERVICES4", "KUBE-NODEPORTS1",
                                        "KUBE-EXT-XPGD46QRK7WJZT7O1", "KUBE-MARK-MASQ1",
                                        "KUBE-EXT-XPGD46QRK7WJZT7O2", "KUBE-SVC-XPGD46QRK7WJZT7O2",
                                        "KUBE-SEP-SXIVWICOYRO3J4NJ2", "FORWARD1", "FORWARD2",
                                        "KUBE-FORWARD2", "POSTROUTING1", "KUBE-POSTROUTING2",
                                        "KUBE-POSTROUTING3"));
}

}  // namespace
}  // namespace kubemu
