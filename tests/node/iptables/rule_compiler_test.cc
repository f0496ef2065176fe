#include "node/proxy/rule_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/random.h"
#include "messages/core/strings.h"
#include "node/iptables/ruleset.h"
#include "tests/node/iptables/cluster_fixture.h"

namespace kubemu::proxy {
namespace {

using testing::HasSubstr;
using testing::Not;

// Services and slices that change at random.
class Churn {
 public:
  explicit Churn(uint64_t seed) : random_(seed) {}

  void Step(ServiceMap* map) {
    const uint64_t i = random_.Uniform(6);
    const std::string service = StrCat("ns", i % 2, "/svc", i);
    const ServicePortName name{service, i == 3 ? "" : "web", Protocol::kTcp};
    if (random_.Chance(0.3)) {
      ServicePorts ports;
      if (random_.Chance(0.8)) ports[name] = Port(i);
      return map->SetService(service, ports);
    }
    EndpointsByPort endpoints;
    for (uint64_t n = random_.Uniform(5); n > 0; --n) {
      EndpointInfo endpoint;
      endpoint.address = {Ipv4(10, 244, static_cast<uint8_t>(random_.Uniform(3)),
                               static_cast<uint8_t>(random_.Uniform(20))),
                          8080};
      endpoint.node = StrCat("node-", random_.Uniform(3));
      endpoint.ready = random_.Chance(0.8);
      endpoint.terminating = !endpoint.ready;
      endpoints[name].push_back(endpoint);
    }
    map->SetSlice(StrCat(service, "-", random_.Uniform(2)), service, endpoints);
  }

 private:
  ServicePortInfo Port(uint64_t i) {
    ServicePortInfo info;
    info.cluster_ip = Ipv4(10, 96, 0, static_cast<uint8_t>(i));
    info.port = 80;
    info.node_port = random_.Chance(0.5) ? static_cast<uint16_t>(30000 + i) : uint16_t{0};
    if (random_.Chance(0.3)) info.load_balancer_ips = {Ipv4(127, 2, 0, static_cast<uint8_t>(i))};
    if (random_.Chance(0.3)) info.source_ranges = {Net("203.0.113.0/24")};
    info.external_policy_local = random_.Chance(0.3);
    info.internal_policy_local = random_.Chance(0.1);
    info.affinity_seconds = random_.Chance(0.2) ? 10800 : 0;
    return info;
  }
  Random random_;
};

void Restore(iptables::Ruleset* ruleset, const std::string& text, bool noflush) {
  const auto input = iptables::ParseRestore(text);
  ASSERT_TRUE(input.ok()) << input.status() << "\n" << text;
  const absl::Status status = ruleset->Restore(*input, noflush);
  ASSERT_TRUE(status.ok()) << status << "\n" << text;
}

std::string Save(const iptables::Ruleset& ruleset) {
  return ruleset.Save(iptables::Table::kFilter, false) + ruleset.Save(iptables::Table::kNat, false);
}

TEST(RuleCompiler, PartialUpdatesLeadWhereAFullOneLeads) {
  ProxyNode node;
  node.name = "node-1";
  node.cluster_cidr = Net("10.244.0.0/16");
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Churn churn(seed);
    ServiceMap map;
    RuleCompiler compiler;
    iptables::Ruleset partial;
    Restore(&partial, compiler.Full(map, node), false);
    for (int step = 0; step < 60; ++step) {
      const CompiledRules before = CompileRules(map, node);
      churn.Step(&map);
      const std::set<std::string> changed = map.TakeChanged();
      const CompiledRules after = CompileRules(map, node);
      const std::string text = compiler.Partial(map, node, changed);
      EXPECT_EQ(text, DiffText(before, after));
      if (!text.empty()) Restore(&partial, text, true);
      iptables::Ruleset full;
      Restore(&full, RestoreText(after), false);
      ASSERT_EQ(Save(partial), Save(full)) << "seed " << seed << " step " << step;
    }
  }
}

class RuleCompilerTest : public testing::Test, protected ClusterFixture {
 protected:
  std::string Update() {
    map_.SetService(name.service, {{name, info}});
    map_.SetSlice("ns1/svc1-a", name.service, {{name, endpoints}});
    return compiler_.Partial(map_, node, map_.TakeChanged());
  }
  ServiceMap map_;
  RuleCompiler compiler_;
};

TEST_F(RuleCompilerTest, OneMoreEndpointChangesItsServiceAndNothingElse) {
  compiler_.Full(map_, node);
  AddEndpoint("10.180.0.1:80");
  Update();
  AddEndpoint("10.180.0.2:80");
  EXPECT_EQ(Update(),
            R"(*nat
:KUBE-SEP-LXVODXWDISEETFEF - [0:0]
:KUBE-SVC-XPGD46QRK7WJZT7O - [0:0]
-A KUBE-SEP-LXVODXWDISEETFEF -s 10.180.0.2/32 -m comment --comment "ns1/svc1:p80" -j KUBE-MARK-MASQ
-A KUBE-SEP-LXVODXWDISEETFEF -p tcp -m comment --comment "ns1/svc1:p80" -m tcp -j DNAT --to-destination 10.180.0.2:80
-A KUBE-SVC-XPGD46QRK7WJZT7O ! -s 10.0.0.0/8 -d 172.30.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-SXIVWICOYRO3J4NJ
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.2:80" -j KUBE-SEP-LXVODXWDISEETFEF
COMMIT
)");
  EXPECT_EQ(Update(), "");
}

TEST_F(RuleCompilerTest, TheLastEndpointsEndMovesTheServiceFromNatToFilter) {
  compiler_.Full(map_, node);
  AddEndpoint("10.180.0.1:80");
  Update();
  endpoints.clear();
  const std::string text = Update();
  EXPECT_THAT(text, HasSubstr("*filter\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -d 172.30.0.41"));
  EXPECT_THAT(text, HasSubstr("-X KUBE-SEP-SXIVWICOYRO3J4NJ\n-X KUBE-SVC-XPGD46QRK7WJZT7O\n"));
  EXPECT_THAT(text, Not(HasSubstr("KUBE-NODEPORTS - ")));
}

// What one endpoint's change sends does not depend on how many other Services there are.
TEST(RuleCompiler, AChangeIsAsLongWithManyServicesAsWithFew) {
  ProxyNode node;
  node.name = "node-1";
  node.cluster_cidr = Net("10.244.0.0/16");
  std::vector<std::string> texts;
  for (const uint32_t services : {400u, 3000u}) {  // both are large clusters
    ServiceMap map;
    const auto set = [&map](uint32_t number, uint32_t last_host) {
      const ServicePortName name{StrCat("ns/svc-", number), "", Protocol::kTcp};
      ServicePortInfo info;
      info.cluster_ip = Ipv4(Ipv4(172, 16, 0, 0).bits() + number);
      info.port = 80;
      std::vector<EndpointInfo> endpoints;
      for (uint32_t host : {1u, 2u, last_host}) {
        endpoints.push_back({.address = {Ipv4(Ipv4(10, 244, 0, 0).bits() + host), 80}});
      }
      map.SetService(name.service, {{name, info}});
      map.SetSlice(name.service, name.service, {{name, endpoints}});
    };
    for (uint32_t i = 0; i < services; ++i) set(i, 3);
    RuleCompiler compiler;
    compiler.Full(map, node);
    map.TakeChanged();
    set(200, 4);
    texts.push_back(compiler.Partial(map, node, map.TakeChanged()));
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_LT(texts[0].size(), 1500u);
}

TEST_F(RuleCompilerTest, BecomingLargeRewritesEveryService) {
  compiler_.Full(map_, node);
  AddEndpoint("10.180.0.1:80");
  Update();
  const ServicePortName other{"ns2/big", "", Protocol::kTcp};
  EndpointsByPort many;
  for (int i = 0; i < 1001; ++i) {
    EndpointInfo endpoint;
    endpoint.address = {Ipv4(Ipv4(10, 181, 0, 0).bits() + static_cast<uint32_t>(i)), 80};
    many[other].push_back(endpoint);
  }
  ServicePortInfo big = info;
  big.cluster_ip = Ip("172.30.0.42");
  map_.SetService("ns2/big", {{other, big}});
  map_.SetSlice("ns2/big-a", "ns2/big", many);
  const std::string text = compiler_.Partial(map_, node, map_.TakeChanged());
  EXPECT_THAT(text, HasSubstr("-A KUBE-SEP-SXIVWICOYRO3J4NJ -s 10.180.0.1/32 -j KUBE-MARK-MASQ"));
}

}  // namespace
}  // namespace kubemu::proxy
