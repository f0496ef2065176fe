#include "master/apiserver/service_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "tests/master/apiserver/master_harness.h"

namespace kubemu {
namespace {

using ::testing::HasSubstr;

constexpr const char* kServices = "/api/v1/namespaces/default/services";

std::string ServiceBody(const std::string& name, const std::string& spec) {
  return StrCat(R"({"kind":"Service","apiVersion":"v1","metadata":{"name":")", name,
                R"("},"spec":{"ports":[{"port":80)", spec, "}}");
}

class ServiceAddressesTest : public ::testing::Test {
 protected:
  MasterHarness::Answer Make(const std::string& name, const std::string& spec) {
    return master_.Post(kServices, ServiceBody(name, spec));
  }

  MasterHarness master_;
};

TEST_F(ServiceAddressesTest, EachServiceGetsAnAddressAboveTheStaticBand) {
  EXPECT_EQ(Make("a", "}]").Text("/spec/clusterIP"), "10.96.1.0");
  const auto second = Make("b", "}]");
  EXPECT_EQ(second.Text("/spec/clusterIP"), "10.96.1.1");
  EXPECT_EQ(second.Text("/spec/clusterIPs/0"), "10.96.1.1");
  EXPECT_EQ(second.Text("/spec/ipFamilies/0"), "IPv4");
  EXPECT_EQ(Make("headless", "}],\"clusterIP\":\"None\"").Text("/spec/clusterIPs/0"), "None");
}

TEST_F(ServiceAddressesTest, ATakenAddressIsRefusedUntilItsServiceIsGone) {
  EXPECT_EQ(Make("a", "}],\"clusterIP\":\"10.96.0.10\"").status, 201u);
  const auto refused = Make("b", "}],\"clusterIP\":\"10.96.0.10\"");
  EXPECT_EQ(refused.status, 422u);
  EXPECT_THAT(refused.Text("/message"),
              HasSubstr("failed to allocate IP 10.96.0.10: provided IP is already allocated"));
  master_.Http("DELETE", StrCat(kServices, "/a"));
  EXPECT_EQ(Make("b", "}],\"clusterIP\":\"10.96.0.10\"").status, 201u);
  EXPECT_THAT(Make("c", "}],\"clusterIP\":\"192.168.0.1\"").Text("/message"),
              HasSubstr("is not in the valid range. The range of valid IPs is 10.96.0.0/12"));
}

TEST_F(ServiceAddressesTest, ASecondFamilyIsRefusedAsOnASingleStackCluster) {
  const auto dual = Make("a", "}],\"ipFamilyPolicy\":\"RequireDualStack\"");
  EXPECT_EQ(dual.status, 422u);
  EXPECT_EQ(dual.Text("/message"),
            "Service \"a\" is invalid: spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": "
            "this cluster is not configured for dual-stack services");
  const std::string not_here =
      "Service \"a\" is invalid: spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on "
      "this cluster";
  EXPECT_EQ(Make("a", "}],\"ipFamilies\":[\"IPv6\"]").Text("/message"), not_here);
  EXPECT_EQ(Make("a", "}],\"clusterIP\":\"fd00::10\"").Text("/message"), not_here);
  EXPECT_THAT(Make("a", "}],\"ipFamilies\":[\"IPv4\",\"IPv6\"]").Text("/message"),
              HasSubstr("spec.ipFamilies[1]: Invalid value: \"IPv6\": not configured"));
  // Who prefers two takes what there is.
  const auto prefers = Make("a", "}],\"ipFamilyPolicy\":\"PreferDualStack\"");
  EXPECT_EQ(prefers.status, 201u);
  EXPECT_EQ(prefers.Text("/spec/ipFamilies/0"), "IPv4");
}

TEST_F(ServiceAddressesTest, NodePortsAreGivenChosenAndRefused) {
  EXPECT_EQ(Make("a", "}],\"type\":\"NodePort\"").Text("/spec/ports/0/nodePort"), "30086");
  EXPECT_EQ(Make("b", ",\"nodePort\":30080}],\"type\":\"NodePort\"").status, 201u);
  const auto taken = Make("c", ",\"nodePort\":30080}],\"type\":\"NodePort\"");
  EXPECT_EQ(taken.status, 422u);
  EXPECT_THAT(taken.Text("/message"), HasSubstr("spec.ports[0].nodePort: Invalid value: 30080: "
                                                "provided port is already allocated"));
  EXPECT_THAT(Make("d", ",\"nodePort\":80}],\"type\":\"NodePort\"").Text("/message"),
              HasSubstr("provided port is not in the valid range. The range of valid ports is "
                        "30000-32767"));
}

TEST_F(ServiceAddressesTest, ALocalLoadBalancerHasAHealthCheckPort) {
  const auto service =
      Make("a", "}],\"type\":\"LoadBalancer\",\"externalTrafficPolicy\":\"Local\"");
  EXPECT_EQ(service.Text("/spec/ports/0/nodePort"), "30086");
  EXPECT_EQ(service.Text("/spec/healthCheckNodePort"), "30087");
}

TEST_F(ServiceAddressesTest, AnUpdateKeepsWhatWasAllocated) {
  const auto made = Make("a", "}],\"type\":\"NodePort\"");
  const auto replaced = master_.Http("PUT", StrCat(kServices, "/a"),
                                     ServiceBody("a", "}],\"type\":\"LoadBalancer\""));
  EXPECT_EQ(replaced.status, 200u) << replaced.body;
  EXPECT_EQ(replaced.Text("/spec/clusterIP"), made.Text("/spec/clusterIP"));
  EXPECT_EQ(replaced.Text("/spec/ports/0/nodePort"), made.Text("/spec/ports/0/nodePort"));
  const auto plain =
      master_.Http("PUT", StrCat(kServices, "/a"), ServiceBody("a", "}],\"type\":\"ClusterIP\""));
  EXPECT_EQ(plain.Text("/spec/ports/0/nodePort"), "null") << plain.body;
  EXPECT_EQ(Make("b", ",\"nodePort\":30086}],\"type\":\"NodePort\"").status, 201u);
}

TEST_F(ServiceAddressesTest, ATypeCanBeChangedBack) {
  const auto patch = [this](const char* spec) {
    return master_.Http("PATCH", StrCat(kServices, "/a"), spec,
                        "application/strategic-merge-patch+json");
  };
  for (const char* type : {"NodePort", "LoadBalancer"}) {
    ASSERT_EQ(Make("a", StrCat("}],\"type\":\"", type, "\"")).status, 201u);
    const auto plain = patch(R"({"spec":{"type":"ClusterIP"}})");
    EXPECT_EQ(plain.status, 200u) << plain.body;
    EXPECT_EQ(plain.Text("/spec/ports/0/nodePort"), "null");
    EXPECT_EQ(plain.Text("/spec/externalTrafficPolicy"), "null");
    EXPECT_EQ(patch(StrCat(R"({"spec":{"type":")", type, "\"}}").c_str()).status, 200u);
    const auto external = patch(R"({"spec":{"type":"ExternalName","externalName":"a.example"}})");
    EXPECT_EQ(external.status, 200u) << external.body;
    EXPECT_EQ(external.Text("/spec/clusterIP"), "null");
    const auto back = patch(R"({"spec":{"type":"ClusterIP","externalName":null}})");
    EXPECT_NE(back.Text("/spec/clusterIP"), "null") << back.body;
    master_.Http("DELETE", StrCat(kServices, "/a"));
  }
}

TEST_F(ServiceAddressesTest, WhatIsTakenIsKnownAfterARestart) {
  auto disk = std::make_shared<MemoryDisk>();
  {
    MasterHarness first({}, disk);
    first.Post(kServices, ServiceBody("a", ",\"nodePort\":30080}],\"type\":\"NodePort\""));
  }
  MasterHarness second({}, disk);
  EXPECT_EQ(second.Post(kServices, ServiceBody("b", ",\"nodePort\":30080}],\"type\":\"NodePort\""))
                .status,
            422u);
}

TEST_F(ServiceAddressesTest, AFailedCreationGivesItsAddressesBack) {
  Make("a", "}]");
  EXPECT_EQ(Make("a", ",\"nodePort\":30200}],\"type\":\"NodePort\"").status, 409u);
  EXPECT_EQ(Make("b", ",\"nodePort\":30200}],\"type\":\"NodePort\"").status, 201u);
  EXPECT_EQ(master_
                .Post(StrCat(kServices, "?dryRun=All"),
                      ServiceBody("c", ",\"nodePort\":30201}],\"type\":\"NodePort\""))
                .status,
            201u);
  EXPECT_EQ(Make("d", ",\"nodePort\":30201}],\"type\":\"NodePort\"").status, 201u);
}

}  // namespace
}  // namespace kubemu
