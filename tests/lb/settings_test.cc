// What annotations of a Service and of a node mean.
#include "lb/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/api/labels.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ServiceSettings Read(const std::map<std::string, std::string>& annotations) {
  k8s::core::v1::Service service;
  for (const auto& [key, value] : annotations) {
    SetEntry(service.mutable_metadata()->mutable_annotations(), key, value);
  }
  return ServiceSettings::From(service);
}

TEST(ServiceSettings, DefaultsAreInForceWithoutAnnotations) {
  const ServiceSettings settings = Read({{"other.io/lb-policy", "maglev"}});
  EXPECT_EQ(settings.policy, PolicyKind::kRoundRobin);
  EXPECT_EQ(settings.slow_start, 0s);
  EXPECT_EQ(settings.connections_max, 16384u);
  EXPECT_EQ(settings.idle_timeout, 350s);
  EXPECT_EQ(settings.drain_time, 60s);
  EXPECT_EQ(settings.ejection_failures, 5u);
  EXPECT_EQ(settings.proxy, ProxyVersion::kNone);
  EXPECT_EQ(settings.health_port, 10256);
  EXPECT_THAT(settings.complaints, IsEmpty());
}

TEST(ServiceSettings, AreReadFromAnnotations) {
  const ServiceSettings settings = Read({{"kubemu.io/lb-policy", "least-connections"},
                                         {"kubemu.io/lb-slow-start", "90s"},
                                         {"kubemu.io/lb-max-connections", "3"},
                                         {"kubemu.io/lb-idle-timeout", "0s"},
                                         {"kubemu.io/lb-drain-time", "1500ms"},
                                         {"kubemu.io/lb-ejection-failures", "0"},
                                         {"kubemu.io/lb-proxy-protocol", "v2"}});
  EXPECT_EQ(settings.policy, PolicyKind::kLeastConnections);
  EXPECT_EQ(settings.slow_start, 90s);
  EXPECT_EQ(settings.connections_max, 3u);
  EXPECT_EQ(settings.idle_timeout, 0s);
  EXPECT_EQ(settings.drain_time, 1500ms);
  EXPECT_EQ(settings.ejection_failures, 0u);
  EXPECT_EQ(settings.proxy, ProxyVersion::kV2);
  EXPECT_THAT(settings.complaints, IsEmpty());
}

TEST(ServiceSettings, AWrongValueSaysWhatIsAllowedAndLeavesTheDefault) {
  EXPECT_THAT(Read({{"kubemu.io/lb-policy", "best"}}).complaints,
              ElementsAre("annotation kubemu.io/lb-policy: \"best\" is not allowed: round-robin, "
                          "least-connections, random-two, weighted, source-hash, maglev; "
                          "round-robin is used"));
  EXPECT_THAT(Read({{"kubemu.io/lb-max-connections", "0"}}).complaints,
              ElementsAre("annotation kubemu.io/lb-max-connections: \"0\" is not allowed: a number "
                          "from 1 to 65536; 16384 is used"));
  EXPECT_THAT(Read({{"kubemu.io/lb-proxy-protocol", "v3"}}).complaints,
              ElementsAre("annotation kubemu.io/lb-proxy-protocol: \"v3\" is not allowed: none, "
                          "v1, v2; none is used"));
  EXPECT_THAT(Read({{"kubemu.io/lb-polcy", "maglev"}}).complaints,
              ElementsAre("annotation kubemu.io/lb-polcy is not known: known are policy, "
                          "slow-start, max-connections, idle-timeout, drain-time, "
                          "ejection-failures and proxy-protocol"));
}

TEST(ServiceSettings, ATimeIsAWholeNumberAndAUnit) {
  for (const char* bad :
       {"", "s", "5", "-5s", "1.5s", "5 s", "5sec", "25h", "99999999999999999h", "0x5s", "5us"}) {
    const ServiceSettings settings = Read({{"kubemu.io/lb-idle-timeout", bad}});
    EXPECT_THAT(settings.complaints,
                ElementsAre(std::string("annotation kubemu.io/lb-idle-timeout: \"") + bad +
                            "\" is not allowed: a whole number with ms, s, m or h, at most 24h; "
                            "350s is used"));
    EXPECT_EQ(settings.idle_timeout, 350s) << bad;
  }
  EXPECT_EQ(Read({{"kubemu.io/lb-idle-timeout", "24h"}}).idle_timeout, 24h);
  EXPECT_EQ(Read({{"kubemu.io/lb-idle-timeout", "5m"}}).idle_timeout, 5min);
}

TEST(ServiceSettings, SessionAffinityNeedsAHash) {
  k8s::core::v1::Service service;
  service.mutable_spec()->set_session_affinity("ClientIP");
  EXPECT_EQ(ServiceSettings::From(service).policy, PolicyKind::kSourceHash);
  SetEntry(service.mutable_metadata()->mutable_annotations(), "kubemu.io/lb-policy", "maglev");
  EXPECT_EQ(ServiceSettings::From(service).policy, PolicyKind::kMaglev);
}

TEST(ServiceSettings, TheSpecSaysWhoMayComeAndWhereToCheck) {
  k8s::core::v1::Service service;
  auto* spec = service.mutable_spec();
  spec->add_load_balancer_source_ranges("10.0.0.0/8");
  spec->add_load_balancer_source_ranges(" 192.168.1.7/32");
  spec->set_external_traffic_policy("Local");
  spec->set_health_check_node_port(32001);
  for (const auto& [protocol, number] :
       {std::pair("TCP", 80), std::pair("UDP", 53), std::pair("", 81)}) {
    auto* port = spec->add_ports();
    port->set_protocol(protocol);
    port->set_port(number);
    port->set_node_port(number + 30000);
  }
  const ServiceSettings settings = ServiceSettings::From(service);
  EXPECT_TRUE(settings.Admits(Ipv4(10, 200, 0, 1)));
  EXPECT_TRUE(settings.Admits(Ipv4(192, 168, 1, 7)));
  EXPECT_FALSE(settings.Admits(Ipv4(192, 168, 1, 8)));
  EXPECT_TRUE(ServiceSettings().Admits(Ipv4(1, 2, 3, 4)));
  EXPECT_EQ(settings.health_port, 32001);
  EXPECT_TRUE(settings.local);
  EXPECT_EQ(settings.ports, (std::map<uint16_t, uint16_t>{{80, 30080}, {81, 30081}}));
}

TEST(NodeWeight, IsAnAnnotationOrALabel) {
  k8s::core::v1::Node node;
  std::string complaint;
  EXPECT_EQ(NodeWeight(node, &complaint), 1u);
  SetEntry(node.mutable_metadata()->mutable_labels(), "kubemu.io/lb-weight", "7");
  EXPECT_EQ(NodeWeight(node, &complaint), 7u);
  SetEntry(node.mutable_metadata()->mutable_annotations(), "kubemu.io/lb-weight", "0");
  EXPECT_EQ(NodeWeight(node, &complaint), 0u);
  EXPECT_EQ(complaint, "");
  SetEntry(node.mutable_metadata()->mutable_annotations(), "kubemu.io/lb-weight", "257");
  EXPECT_EQ(NodeWeight(node, &complaint), 1u);
  EXPECT_EQ(complaint,
            "kubemu.io/lb-weight: \"257\" is not allowed: a number from 0 to 256; 1 is used");
}

TEST(DurationText, TakesTheLargestUnit) {
  EXPECT_EQ(DurationText(0s), "0s");
  EXPECT_EQ(DurationText(350s), "350s");
  EXPECT_EQ(DurationText(120s), "2m");
  EXPECT_EQ(DurationText(7200s), "2h");
  EXPECT_EQ(DurationText(1500ms), "1500ms");
}

}  // namespace
}  // namespace kubemu
