#include "messages/proto/k8s/core_endpoints.pb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/controllers/endpoints_controller.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "tests/master/controllers/api_harness.h"
#include "tests/master/controllers/test_objects.h"

namespace kubemu {
namespace {

using k8s::core::v1::Endpoints;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class EndpointsTest : public ::testing::Test {
 protected:
  Endpoints Current() const {
    const Object object = api_.Find(KindOf<Endpoints>(), "default/web");
    return object ? object.As<Endpoints>() : Endpoints();
  }
  void Settle() { api_.Advance(200ms); }

  EndpointsController controller_;
  ApiHarness api_{&controller_};
};

TEST_F(EndpointsTest, ReadyAndNotReadyPodsStandApart) {
  api_.Put(MakeService("web"));
  api_.Put(MakePod("web-1", "web", "10.244.0.1", true));
  api_.Put(MakePod("web-2", "web", "10.244.0.2", false));
  Settle();
  ASSERT_THAT(Current().subsets(), SizeIs(1));
  const Endpoints current = Current();
  const auto& subset = current.subsets(0);
  ASSERT_THAT(subset.addresses(), SizeIs(1));
  EXPECT_EQ(subset.addresses(0).ip(), "10.244.0.1");
  EXPECT_EQ(subset.not_ready_addresses(0).ip(), "10.244.0.2");
  EXPECT_EQ(subset.ports(0).port(), 8080);
}

TEST_F(EndpointsTest, AreCutAtAThousandAddressesAndSaySo) {
  api_.Put(MakeService("web"));
  for (int i = 0; i < 1005; ++i) {
    api_.Put(MakePod(StrCat("web-", i), "web", StrCat("10.244.", i / 250, ".", i % 250 + 1)));
  }
  Settle();
  EXPECT_THAT(Current().subsets(0).addresses(), SizeIs(1000));
  EXPECT_EQ(*FindEntry(Current().metadata().annotations(), "endpoints.kubernetes.io/over-capacity"),
            "truncated");
}

TEST_F(EndpointsTest, GoWithTheirService) {
  api_.Put(MakeService("web"));
  Settle();
  EXPECT_TRUE(api_.Find(KindOf<Endpoints>(), "default/web"));
  api_.Remove(KindOf<k8s::core::v1::Service>(), "default/web");
  Settle();
  EXPECT_FALSE(api_.Find(KindOf<Endpoints>(), "default/web"));
}

TEST_F(EndpointsTest, SomebodyElsesEndpointsWithoutServiceAreLeftAlone) {
  Endpoints theirs;
  theirs.mutable_metadata()->set_namespace_("default");
  theirs.mutable_metadata()->set_name("theirs");
  api_.Put(theirs);
  Settle();
  EXPECT_THAT(api_.TakeLog(), IsEmpty());
}

}  // namespace
}  // namespace kubemu
