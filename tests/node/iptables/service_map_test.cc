#include "node/proxy/service_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/iptables/cluster_fixture.h"

namespace kubemu::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const ServicePortName kWeb{"ns1/svc1", "p80", Protocol::kTcp};

EndpointInfo Endpoint(std::string_view address) {
  EndpointInfo endpoint;
  endpoint.address = At(address);
  return endpoint;
}

std::vector<std::string> Addresses(const ServiceMap& map) {
  std::vector<std::string> addresses;
  for (const EndpointInfo& e : map.Endpoints(kWeb)) addresses.push_back(e.address.ToString());
  return addresses;
}

TEST(ServiceMap, SaysWhichServicesChangedAndNoOthers) {
  ServiceMap map;
  ServicePortInfo info;
  info.port = 80;
  map.SetService("ns1/svc1", {{kWeb, info}});
  EXPECT_THAT(map.TakeChanged(), ElementsAre("ns1/svc1"));
  map.SetService("ns1/svc1", {{kWeb, info}});
  map.SetService("ns1/none", {});
  EXPECT_FALSE(map.HasChanged());
  map.SetSlice("ns1/svc1-a", "ns1/svc1", {{kWeb, {Endpoint("10.0.0.1:80")}}});
  EXPECT_THAT(map.TakeChanged(), ElementsAre("ns1/svc1"));
  map.SetSlice("ns1/svc1-a", "ns1/svc1", {{kWeb, {Endpoint("10.0.0.1:80")}}});
  EXPECT_THAT(map.TakeChanged(), IsEmpty());
  map.SetSlice("ns1/svc1-a", "", {});
  map.SetService("ns1/svc1", {});
  EXPECT_THAT(map.TakeChanged(), ElementsAre("ns1/svc1"));
  EXPECT_EQ(map.endpoint_count(), 0u);
  EXPECT_THAT(map.services(), IsEmpty());
}

TEST(ServiceMap, EndpointsOfAllSlicesAreMergedInTextOrder) {
  ServiceMap map;
  map.SetSlice("ns1/svc1-a", "ns1/svc1",
               {{kWeb, {Endpoint("10.0.0.9:80"), Endpoint("10.0.0.10:80")}}});
  map.SetSlice("ns1/svc1-b", "ns1/svc1",
               {{kWeb, {Endpoint("10.0.0.9:80"), Endpoint("10.0.0.2:80")}}});
  EXPECT_THAT(Addresses(map), ElementsAre("10.0.0.10:80", "10.0.0.2:80", "10.0.0.9:80"));
}

// As kube-proxy counts: each address once, and only what has rules (a headless Service has none).
TEST(ServiceMap, CountsTheEndpointsOfServicesThatItHas) {
  ServiceMap map;
  ServicePortInfo info;
  info.port = 80;
  map.SetSlice("ns1/svc1-a", "ns1/svc1",
               {{kWeb, {Endpoint("10.0.0.9:80"), Endpoint("10.0.0.10:80")}}});
  EXPECT_EQ(map.endpoint_count(), 0u);
  map.SetService("ns1/svc1", {{kWeb, info}});
  EXPECT_EQ(map.endpoint_count(), 2u);
  map.SetSlice("ns1/svc1-b", "ns1/svc1",
               {{kWeb, {Endpoint("10.0.0.9:80"), Endpoint("10.0.0.2:80")}}});
  EXPECT_EQ(map.endpoint_count(), 3u);
  map.SetSlice("ns1/svc1-a", "", {});
  EXPECT_EQ(map.endpoint_count(), 2u);
  map.SetService("ns1/svc1", {});
  EXPECT_EQ(map.endpoint_count(), 0u);
}

TEST(ServiceMap, ASliceMayMoveToAnotherService) {
  ServiceMap map;
  map.SetSlice("ns1/a", "ns1/svc1", {{kWeb, {Endpoint("10.0.0.9:80")}}});
  map.TakeChanged();
  map.SetSlice("ns1/a", "ns1/svc2", {{kWeb, {Endpoint("10.0.0.9:80")}}});
  EXPECT_THAT(map.TakeChanged(), ElementsAre("ns1/svc1", "ns1/svc2"));
  EXPECT_THAT(Addresses(map), IsEmpty());
}

TEST(Categorize, LocalAndClusterAreDecidedSeparately) {
  ServicePortInfo info;
  info.node_port = 30080;
  info.external_policy_local = true;
  std::vector<EndpointInfo> endpoints = {Endpoint("10.0.0.1:80"), Endpoint("10.0.0.2:80")};
  endpoints[0].node = "node-2";
  endpoints[1].node = "node-1";
  endpoints[1].ready = false;
  endpoints[1].terminating = true;  // still serving
  const UsableEndpoints usable = Categorize(endpoints, info, "node-1", "");
  ASSERT_EQ(usable.cluster.size(), 1u);
  EXPECT_EQ(usable.cluster[0].node, "node-2");
  ASSERT_EQ(usable.local.size(), 1u);
  EXPECT_EQ(usable.local[0].node, "node-1");
  EXPECT_EQ(usable.all.size(), 2u);
  EXPECT_TRUE(usable.any);
}

}  // namespace
}  // namespace kubemu::proxy
