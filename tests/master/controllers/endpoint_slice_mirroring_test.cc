#include "master/controllers/endpoint_slice_mirroring_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "tests/master/controllers/api_harness.h"
#include "tests/master/controllers/test_objects.h"

namespace kubemu {
namespace {

using k8s::core::v1::Endpoints;
using k8s::core::v1::Service;
using k8s::discovery::v1::EndpointSlice;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MirroringTest : public ::testing::Test {
 protected:
  static Service ServiceWithout(const std::string& name) {
    Service service;
    service.mutable_metadata()->set_namespace_("default");
    service.mutable_metadata()->set_name(name);
    service.mutable_spec()->set_cluster_ip("10.96.0.20");
    return service;
  }
  static Endpoints ByHand(const std::string& name) {
    Endpoints endpoints;
    endpoints.mutable_metadata()->set_namespace_("default");
    endpoints.mutable_metadata()->set_name(name);
    SetEntry(endpoints.mutable_metadata()->mutable_labels(), "team", "db");
    SetEntry(endpoints.mutable_metadata()->mutable_annotations(),
             "kubectl.kubernetes.io/last-applied-configuration", "{}");
    auto* subset = endpoints.add_subsets();
    subset->add_addresses()->set_ip("192.0.2.1");
    subset->add_not_ready_addresses()->set_ip("192.0.2.2");
    auto* port = subset->add_ports();
    port->set_name("sql");
    port->set_port(5432);
    return endpoints;
  }
  std::vector<Object> Slices() { return api_.All(KindOf<EndpointSlice>()); }

  EndpointSliceMirroringController controller_;
  ApiHarness api_{&controller_};
};

TEST_F(MirroringTest, EndpointsMadeByHandBecomeASlice) {
  api_.Put(ServiceWithout("db"));
  api_.Put(ByHand("db"));
  api_.Settle();
  ASSERT_THAT(Slices(), SizeIs(1));
  const auto slice = Slices()[0].As<EndpointSlice>();
  const auto label = [&](const char* key) {
    const std::string* value = FindEntry(slice.metadata().labels(), key);
    return value == nullptr ? "" : *value;
  };
  EXPECT_EQ(label("kubernetes.io/service-name"), "db");
  EXPECT_EQ(label("team"), "db");
  EXPECT_EQ(label("endpointslice.kubernetes.io/managed-by"),
            "endpointslicemirroring-controller.k8s.io");
  EXPECT_THAT(slice.metadata().annotations(), IsEmpty());
  EXPECT_EQ(slice.metadata().owner_references(0).kind(), "Endpoints");
  EXPECT_EQ(slice.address_type(), "IPv4");
  ASSERT_THAT(slice.endpoints(), SizeIs(2));
  EXPECT_EQ(slice.endpoints(0).addresses(0), "192.0.2.1");
  EXPECT_TRUE(slice.endpoints(0).conditions().ready());
  EXPECT_FALSE(slice.endpoints(1).conditions().ready());
  EXPECT_EQ(slice.ports(0).name(), "sql");
  EXPECT_EQ(slice.ports(0).protocol(), "TCP");
  api_.TakeLog();
  api_.Advance(60s);
  EXPECT_THAT(api_.TakeLog(), IsEmpty());
}

TEST_F(MirroringTest, AChangeIsFollowedInTheSameSliceAndTheEndDeletesIt) {
  api_.Put(ServiceWithout("db"));
  api_.Put(ByHand("db"));
  api_.Settle();
  const std::string name = Slices()[0].meta().name();
  Endpoints endpoints = ByHand("db");
  endpoints.mutable_subsets(0)->mutable_addresses(0)->set_ip("192.0.2.7");
  api_.Put(endpoints);
  api_.Settle();
  ASSERT_THAT(Slices(), SizeIs(1));
  EXPECT_EQ(Slices()[0].meta().name(), name);
  EXPECT_EQ(Slices()[0].As<EndpointSlice>().endpoints(0).addresses(0), "192.0.2.7");
  api_.Remove(KindOf<Endpoints>(), "default/db");
  api_.Settle();
  EXPECT_THAT(Slices(), IsEmpty());
}

TEST_F(MirroringTest, OnlyWhatNobodyElseLooksAfterIsMirrored) {
  api_.Put(ByHand("orphan"));
  Service selecting = ServiceWithout("web");
  SetEntry(selecting.mutable_spec()->mutable_selector(), "app", "web");
  api_.Put(selecting);
  api_.Put(ByHand("web"));
  Endpoints skipped = ByHand("skipped");
  SetEntry(skipped.mutable_metadata()->mutable_labels(), "endpointslice.kubernetes.io/skip-mirror",
           "true");
  api_.Put(ServiceWithout("skipped"));
  api_.Put(skipped);
  api_.Settle();
  EXPECT_THAT(Slices(), IsEmpty());
  api_.Put(ServiceWithout("orphan"));
  api_.Settle();
  EXPECT_THAT(Slices(), SizeIs(1));
  Service claimed = ServiceWithout("orphan");
  SetEntry(claimed.mutable_spec()->mutable_selector(), "app", "x");
  api_.Put(claimed);
  api_.Settle();
  EXPECT_THAT(Slices(), IsEmpty());
}

}  // namespace
}  // namespace kubemu
