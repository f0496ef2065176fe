#include "master/controllers/endpoint_slice_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/api/kinds.h"
#include "messages/core/random.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/discovery.pb.h"
#include "tests/master/controllers/api_harness.h"
#include "tests/master/controllers/test_objects.h"

namespace kubemu {
namespace {

using k8s::discovery::v1::Endpoint;
using k8s::discovery::v1::EndpointSlice;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class EndpointSliceTest : public ::testing::Test {
 protected:
  std::vector<EndpointSlice> Slices() const {
    std::vector<EndpointSlice> slices;
    for (const Object& object : api_.All(KindOf<EndpointSlice>())) {
      slices.push_back(object.As<EndpointSlice>());
    }
    return slices;
  }
  // "10.244.0.1 ready" of the one slice there is.
  std::vector<std::string> Addresses() const {
    std::vector<std::string> lines;
    for (const EndpointSlice& slice : Slices()) {
      for (const Endpoint& endpoint : slice.endpoints()) {
        const auto& conditions = endpoint.conditions();
        lines.push_back(StrCat(endpoint.addresses(0), conditions.ready() ? " ready" : "",
                               conditions.serving() ? " serving" : "",
                               conditions.terminating() ? " terminating" : ""));
      }
    }
    return lines;
  }
  // Long enough for the next update of a service.
  void Settle() { api_.Advance(10ms); }

  EndpointSliceController controller_;
  ApiHarness api_{&controller_};
};

TEST_F(EndpointSliceTest, AServiceGetsASliceWithItsReadyPods) {
  api_.Put(MakeNode("node-1", "True", "zone-a"));
  api_.Put(MakeService("web"));
  api_.Put(MakePod("web-1", "web", "10.244.0.1"));
  api_.Put(MakePod("other-1", "other", "10.244.0.9"));
  Settle();
  const std::vector<EndpointSlice> slices = Slices();
  ASSERT_THAT(slices, SizeIs(1));
  EXPECT_THAT(slices[0].metadata().name(), StartsWith("web-"));
  EXPECT_EQ(*FindEntry(slices[0].metadata().labels(), "kubernetes.io/service-name"), "web");
  EXPECT_EQ(slices[0].metadata().owner_references(0).kind(), "Service");
  EXPECT_EQ(slices[0].ports(0).port(), 8080);
  EXPECT_EQ(slices[0].ports(0).name(), "http");
  EXPECT_THAT(Addresses(), ElementsAre("10.244.0.1 ready serving"));
  const Endpoint& endpoint = slices[0].endpoints(0);
  EXPECT_EQ(endpoint.node_name(), "node-1");
  EXPECT_EQ(endpoint.zone(), "zone-a");
  EXPECT_EQ(endpoint.target_ref().name(), "web-1");
  EXPECT_NE(endpoint.target_ref().uid(), "");
}

// endpointslice/trafficdist: every ready endpoint is hinted for its own zone, and the hints go when
// the Service no longer asks for them.
TEST_F(EndpointSliceTest, PreferCloseHintsEachZoneAtItsOwnEndpoints) {
  api_.Put(MakeNode("node-1", "True", "zone-a"));
  k8s::core::v1::Service service = MakeService("web");
  service.mutable_spec()->set_traffic_distribution("PreferClose");
  api_.Put(service);
  api_.Put(MakePod("web-1", "web", "10.244.0.1"));
  api_.Put(MakePod("web-2", "web", "10.244.0.2", false));
  Settle();
  std::vector<EndpointSlice> slices = Slices();
  ASSERT_THAT(slices, SizeIs(1));
  ASSERT_EQ(slices[0].endpoints_size(), 2);
  for (const Endpoint& endpoint : slices[0].endpoints()) {
    if (!endpoint.conditions().ready()) {
      EXPECT_FALSE(endpoint.has_hints());
      continue;
    }
    ASSERT_EQ(endpoint.hints().for_zones_size(), 1);
    EXPECT_EQ(endpoint.hints().for_zones(0).name(), "zone-a");
  }
  service.mutable_spec()->clear_traffic_distribution();
  api_.Put(service);
  Settle();
  slices = Slices();
  ASSERT_THAT(slices, SizeIs(1));
  for (const Endpoint& endpoint : slices[0].endpoints()) EXPECT_FALSE(endpoint.has_hints());
}

TEST_F(EndpointSliceTest, APodThatBecomesReadyIsFollowedInTheSameInstant) {
  api_.Put(MakeService("web"));
  api_.Put(MakePod("web-1", "web", "10.244.0.1", false));
  Settle();
  EXPECT_THAT(Addresses(), ElementsAre("10.244.0.1"));
  api_.Put(MakePod("web-1", "web", "10.244.0.1", true));
  api_.Settle();  // no time passes
  EXPECT_THAT(Addresses(), ElementsAre("10.244.0.1 ready serving"));
}

TEST_F(EndpointSliceTest, ATerminatingPodServesButIsNotReady) {
  api_.Put(MakeService("web"));
  k8s::core::v1::Pod pod = MakePod("web-1", "web", "10.244.0.1");
  pod.mutable_metadata()->mutable_deletion_timestamp()->set_seconds(5);
  api_.Put(pod);
  Settle();
  EXPECT_THAT(Addresses(), ElementsAre("10.244.0.1 serving terminating"));
}

TEST_F(EndpointSliceTest, AHeadlessServiceHasSlicesThatSaySo) {
  k8s::core::v1::Service service = MakeService("web");
  service.mutable_spec()->set_cluster_ip("None");
  api_.Put(service);
  api_.Put(MakePod("web-1", "web", "10.244.0.1", true));
  api_.Settle();
  const std::vector<Object> slices = api_.All(KindOf<k8s::discovery::v1::EndpointSlice>());
  ASSERT_EQ(slices.size(), 1u);
  EXPECT_NE(FindEntry(slices[0].meta().labels(), "service.kubernetes.io/headless"), nullptr);
  EXPECT_EQ(slices[0].As<k8s::discovery::v1::EndpointSlice>().endpoints_size(), 1);
}

TEST_F(EndpointSliceTest, PublishNotReadyAddressesMakesAllReady) {
  k8s::core::v1::Service service = MakeService("web");
  service.mutable_spec()->set_publish_not_ready_addresses(true);
  api_.Put(service);
  api_.Put(MakePod("web-1", "web", "10.244.0.1", false));
  Settle();
  EXPECT_THAT(Addresses(), ElementsAre("10.244.0.1 ready"));
}

TEST_F(EndpointSliceTest, FinishedPodsAndPodsWithoutAddressAreNoEndpoints) {
  api_.Put(MakeService("web"));
  k8s::core::v1::Pod done = MakePod("web-1", "web", "10.244.0.1");
  done.mutable_status()->set_phase("Succeeded");
  api_.Put(done);
  api_.Put(MakePod("web-2", "web", ""));
  Settle();
  EXPECT_THAT(Slices(), SizeIs(1));
  EXPECT_THAT(Addresses(), IsEmpty());
}

TEST_F(EndpointSliceTest, ManyPodsAreSpreadOverSlicesOfAHundred) {
  api_.Put(MakeService("web"));
  for (int i = 0; i < 250; ++i) {
    api_.Put(MakePod(StrCat("web-", i), "web", StrCat("10.244.", i / 200, ".", i % 200 + 1)));
  }
  Settle();
  ASSERT_THAT(Slices(), SizeIs(3));
  EXPECT_THAT(Addresses(), SizeIs(250));
  for (const EndpointSlice& slice : Slices()) EXPECT_LE(slice.endpoints_size(), 100);
}

TEST_F(EndpointSliceTest, OnePodsChangeUpdatesOneSlice) {
  api_.Put(MakeService("web"));
  for (int i = 0; i < 250; ++i) {
    api_.Put(MakePod(StrCat("web-", i), "web", StrCat("10.244.", i / 200, ".", i % 200 + 1)));
  }
  Settle();
  api_.TakeLog();
  api_.Put(MakePod("web-7", "web", "10.244.0.8", false));
  Settle();
  EXPECT_THAT(api_.TakeLog(), SizeIs(1));
}

TEST_F(EndpointSliceTest, NothingIsWrittenWhenNothingChanges) {
  api_.Put(MakeService("web"));
  api_.Put(MakePod("web-1", "web", "10.244.0.1"));
  Settle();
  api_.TakeLog();
  k8s::core::v1::Pod pod = MakePod("web-1", "web", "10.244.0.1");
  SetEntry(pod.mutable_metadata()->mutable_annotations(), "note", "new");
  api_.Put(pod);
  api_.Advance(1min);
  EXPECT_THAT(api_.TakeLog(), IsEmpty());
}

TEST_F(EndpointSliceTest, ManyChangesAtOnceBecomeOneWrite) {
  api_.Put(MakeService("web"));
  Settle();
  api_.TakeLog();
  for (int i = 0; i < 50; ++i) {
    api_.Put(MakePod(StrCat("web-", i), "web", StrCat("10.244.0.", i + 1)));
  }
  Settle();
  EXPECT_THAT(api_.TakeLog(), SizeIs(1));
  EXPECT_THAT(Addresses(), SizeIs(50));
}

TEST_F(EndpointSliceTest, ACacheThatLagsMakesNoSecondSlice) {
  api_.Put(MakeService("web"));
  api_.Put(MakePod("web-1", "web", "10.244.0.1"));
  Settle();
  api_.Put(MakeService("api"));
  Settle();
  api_.TakeLog();
  api_.Put(MakePod("api-1", "api", "10.244.0.2"));
  api_.Settle();
  api_.deliver_events = false;
  api_.Advance(1s);
  api_.deliver_events = true;
  Settle();
  EXPECT_THAT(Slices(), SizeIs(2));
}

TEST_F(EndpointSliceTest, ANamedTargetPortIsLookedUpInEachPod) {
  k8s::core::v1::Service service = MakeService("web");
  service.mutable_spec()->mutable_ports(0)->mutable_target_port()->set_type(1);
  service.mutable_spec()->mutable_ports(0)->mutable_target_port()->set_str_val("web");
  api_.Put(service);
  for (int number : {8080, 9090}) {
    k8s::core::v1::Pod pod =
        MakePod(StrCat("web-", number), "web", StrCat("10.244.0.", number % 7 + 1));
    auto* port = pod.mutable_spec()->add_containers()->add_ports();
    port->set_name("web");
    port->set_container_port(number);
    api_.Put(pod);
  }
  Settle();
  std::vector<int> ports;
  for (const EndpointSlice& slice : Slices()) ports.push_back(slice.ports(0).port());
  EXPECT_THAT(ports, ::testing::UnorderedElementsAre(8080, 9090));
}

TEST_F(EndpointSliceTest, ADeletedPodLeavesItsSliceAndTheLastOneAnEmptySlice) {
  api_.Put(MakeService("web"));
  api_.Put(MakePod("web-1", "web", "10.244.0.1"));
  api_.Put(MakePod("web-2", "web", "10.244.0.2"));
  Settle();
  api_.Remove(KindOf<k8s::core::v1::Pod>(), "default/web-1");
  Settle();
  EXPECT_THAT(Addresses(), ElementsAre("10.244.0.2 ready serving"));
  api_.Remove(KindOf<k8s::core::v1::Pod>(), "default/web-2");
  Settle();
  EXPECT_THAT(Slices(), SizeIs(1));
  EXPECT_THAT(Addresses(), IsEmpty());
}

TEST_F(EndpointSliceTest, ASliceThatSomebodyDeletedOrChangedIsPutRight) {
  api_.Put(MakeService("web"));
  api_.Put(MakePod("web-1", "web", "10.244.0.1"));
  Settle();
  EndpointSlice slice = Slices()[0];
  slice.mutable_endpoints(0)->mutable_conditions()->set_ready(false);
  api_.Put(slice);
  Settle();
  EXPECT_THAT(Addresses(), ElementsAre("10.244.0.1 ready serving"));
  api_.Remove(KindOf<EndpointSlice>(), ObjectKey("default", Slices()[0].metadata().name()));
  Settle();
  EXPECT_THAT(Addresses(), ElementsAre("10.244.0.1 ready serving"));
}

TEST_F(EndpointSliceTest, ARefusedWriteIsRepeatedWithABackOff) {
  api_.Put(MakeService("web"));
  int refusals = 3;
  api_.refuse = [&refusals](const bus::ApiRequest&) { return refusals-- > 0 ? 500 : 0; };
  api_.Settle();
  EXPECT_THAT(Slices(), IsEmpty());
  api_.Advance(5ms + 10ms + 20ms);
  EXPECT_THAT(Slices(), SizeIs(1));
}

// Pods come, go, change their readiness and their labels, writes are refused now and then; when it
// is over, the slices hold exactly the service's pods, each once.
std::vector<std::string> RandomLife(uint64_t seed) {
  EndpointSliceController controller({.max_endpoints_per_slice = 4});
  ApiHarness api(&controller);
  Random random(seed);
  std::map<std::string, bool> wanted;  // address -> ready
  api.refuse = [&random](const bus::ApiRequest&) { return random.Chance(0.1) ? 500 : 0; };
  api.Put(MakeService("web"));
  for (int step = 0; step < 300; ++step) {
    const uint64_t number = random.Uniform(30);
    const std::string name = StrCat("web-", number);
    const std::string address = StrCat("10.244.0.", number + 1);
    wanted.erase(address);
    if (random.Chance(0.3)) {
      api.Remove(KindOf<k8s::core::v1::Pod>(), "default/" + name);
    } else {
      const bool ready = random.Chance(0.5);
      const bool is_member = random.Chance(0.8);
      api.Put(MakePod(name, is_member ? "web" : "other", address, ready));
      if (is_member) wanted[address] = ready;
    }
    if (random.Chance(0.3)) api.Advance(std::chrono::milliseconds(random.Uniform(20)));
  }
  api.refuse = nullptr;
  api.Advance(1h);
  std::map<std::string, bool> held;
  for (const Object& object : api.All(KindOf<EndpointSlice>())) {
    const auto& slice = object.As<EndpointSlice>();
    EXPECT_LE(slice.endpoints_size(), 4);
    for (const Endpoint& endpoint : slice.endpoints()) {
      EXPECT_TRUE(held.emplace(endpoint.addresses(0), endpoint.conditions().ready()).second);
    }
  }
  EXPECT_EQ(held, wanted) << "seed " << seed;
  return api.TakeLog();
}

TEST(EndpointSliceLife, EndsWithExactlyTheServicesPodsWhateverHappened) {
  for (uint64_t seed = 1; seed <= 20; ++seed) RandomLife(seed);
}

TEST(EndpointSliceLife, IsTheSameForTheSameSeed) {
  EXPECT_EQ(RandomLife(5), RandomLife(5));
}

TEST_F(EndpointSliceTest, ServicesWithoutSelectorAreLeftAlone) {
  k8s::core::v1::Service service = MakeService("web");
  service.mutable_spec()->clear_selector();
  api_.Put(service);
  Settle();
  EXPECT_THAT(api_.TakeLog(), IsEmpty());
}

}  // namespace
}  // namespace kubemu
