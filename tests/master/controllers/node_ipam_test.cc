#include "master/controllers/node_ipam_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "tests/master/controllers/api_harness.h"
#include "tests/master/controllers/test_objects.h"

namespace kubemu {
namespace {

using k8s::core::v1::Node;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Node NodeWithRange(const std::string& name, const std::string& range) {
  Node node = MakeNode(name);
  node.mutable_spec()->set_pod_cidr(range);
  return node;
}

class NodeIpamTest : public ::testing::Test {
 protected:
  // Takes the patches over into the nodes, as the API server does.
  std::vector<std::string> Grants() {
    api_.Settle();
    std::vector<std::string> grants;
    for (; seen_ < api_.patches().size(); ++seen_) {
      const bus::ApiRequest& patch = api_.patches()[seen_];
      const size_t begin = patch.patch().find("10.");
      const std::string range = patch.patch().substr(begin, patch.patch().find('"', begin) - begin);
      grants.push_back(StrCat(patch.name(), " ", range));
      api_.Put(NodeWithRange(patch.name(), range));
    }
    api_.Settle();
    return grants;
  }

  NodeIpamController controller_;
  ApiHarness api_{&controller_};
  size_t seen_ = 0;
};

TEST_F(NodeIpamTest, EachNodeGetsTheLowestFreeRange) {
  for (const char* name : {"node-1", "node-2", "node-3"}) api_.Put(MakeNode(name));
  EXPECT_THAT(Grants(),
              ElementsAre("node-1 10.244.0.0/24", "node-2 10.244.1.0/24", "node-3 10.244.2.0/24"));
}

TEST_F(NodeIpamTest, RangesOfExistingNodesAreNotGivenTwice) {
  api_.Put(NodeWithRange("node-1", "10.244.0.0/24"));
  api_.Put(NodeWithRange("node-9", "10.244.2.0/24"));
  api_.Put(MakeNode("node-2"));
  api_.Put(MakeNode("node-3"));
  EXPECT_THAT(Grants(), ElementsAre("node-2 10.244.1.0/24", "node-3 10.244.3.0/24"));
}

TEST_F(NodeIpamTest, ADeletedNodesRangeIsFreeAgain) {
  api_.Put(MakeNode("node-1"));
  api_.Put(MakeNode("node-2"));
  Grants();
  api_.Remove(KindOf<Node>(), "node-1");
  api_.Put(MakeNode("node-3"));
  EXPECT_THAT(Grants(), ElementsAre("node-3 10.244.0.0/24"));
}

TEST_F(NodeIpamTest, AnotherMasksRangeIsStayedClearOf) {
  api_.Put(NodeWithRange("old", "10.244.0.0/23"));
  api_.Put(MakeNode("node-1"));
  EXPECT_THAT(Grants(), ElementsAre("node-1 10.244.2.0/24"));
}

TEST_F(NodeIpamTest, ARefusedPatchKeepsTheRangeForTheNode) {
  int refusals = 1;
  api_.refuse = [&refusals](const bus::ApiRequest&) { return refusals-- > 0 ? 500 : 0; };
  api_.Put(MakeNode("node-1"));
  EXPECT_THAT(Grants(), IsEmpty());
  api_.Advance(5ms);
  EXPECT_THAT(Grants(), ElementsAre("node-1 10.244.0.0/24"));
}

TEST(NodeIpam, WithoutRangesLeftANodeIsToldAndWaits) {
  NodeIpamController::Options options;
  options.cluster_cidr = Ipv4Network(Ipv4(10, 244, 0, 0), 23);
  NodeIpamController controller(options);
  ApiHarness api(&controller);
  for (const char* name : {"node-1", "node-2", "node-3"}) api.Put(MakeNode(name));
  api.Settle();
  EXPECT_THAT(api.patches(), SizeIs(2));
  EXPECT_THAT(api.TakeEvents(),
              ElementsAre("Normal CIDRNotAvailable Node node-3 status is now: CIDRNotAvailable"));
  api.Remove(KindOf<Node>(), "node-1");
  api.Settle();
  ASSERT_THAT(api.patches(), SizeIs(3));
  EXPECT_EQ(api.patches()[2].name(), "node-3");
  EXPECT_THAT(api.patches()[2].patch(), HasSubstr("10.244.0.0/24"));
}

TEST(NodeIpam, ALongerMaskServesMoreThan256Nodes) {
  NodeIpamController::Options options;
  options.node_prefix = 26;
  NodeIpamController controller(options);
  ApiHarness api(&controller);
  for (int i = 0; i < 1024; ++i) api.Put(MakeNode(StrCat("node-", i)));
  api.Settle();
  EXPECT_THAT(api.patches(), SizeIs(1024));
  EXPECT_THAT(api.TakeEvents(), IsEmpty());
}

}  // namespace
}  // namespace kubemu
