#include "messages/api/pod_resources.h"

#include <gtest/gtest.h>

#include "messages/proto/k8s/core_pod.pb.h"
#include "tests/messages/api/text_proto.h"

namespace kubemu {
namespace {

using ::k8s::core::v1::PodSpec;

// The resources of one container: `requests` and `limits` of cpu, empty for none.
std::string Cpu(const std::string& requests, const std::string& limits = "") {
  const auto entry = [](const std::string& amount) {
    return "{ key: 'cpu' value { string: '" + amount + "' } }";
  };
  std::string text = "resources {";
  if (!requests.empty()) text += " requests " + entry(requests);
  if (!limits.empty()) text += " limits " + entry(limits);
  return text + " }";
}

std::string CpuRequest(const std::string& pod) {
  return AmountOf(PodRequests(FromText<PodSpec>(pod)), kCpu).ToString();
}

TEST(PodResourcesTest, ContainersAddUp) {
  EXPECT_EQ(CpuRequest("containers { " + Cpu("100m") + " } containers { " + Cpu("1") + " }"),
            "1100m");
  EXPECT_EQ(CpuRequest("containers { name: 'a' }"), "0");
}

TEST(PodResourcesTest, TheLargestInitContainerCountsIfItIsMoreThanTheSum) {
  EXPECT_EQ(CpuRequest("init_containers { " + Cpu("2") + " } init_containers { " + Cpu("3") +
                       " } containers { " + Cpu("1") + " }"),
            "3");
}

TEST(PodResourcesTest, SidecarsCountForTheContainersAndForLaterInitContainers) {
  const std::string sidecar = "init_containers { restart_policy: 'Always' " + Cpu("1") + " }";
  EXPECT_EQ(CpuRequest(sidecar + "containers { " + Cpu("2") + " }"), "3");
  EXPECT_EQ(
      CpuRequest(sidecar + "init_containers { " + Cpu("5") + " } containers { " + Cpu("2") + " }"),
      "6");
  // One that starts after the large init container does not run beside it.
  EXPECT_EQ(CpuRequest("init_containers { " + Cpu("5") + " }" + sidecar + "containers { " +
                       Cpu("2") + " }"),
            "5");
}

TEST(PodResourcesTest, OverheadIsAddedToRequestsAndToLimitsThatAreSet) {
  const std::string overhead = "overhead { key: 'cpu' value { string: '250m' } }";
  EXPECT_EQ(CpuRequest("containers { " + Cpu("1") + " }" + overhead), "1250m");
  EXPECT_TRUE(PodLimits(FromText<PodSpec>("containers { name: 'a' }" + overhead)).empty());
  EXPECT_EQ(
      AmountOf(PodLimits(FromText<PodSpec>("containers { " + Cpu("", "1") + " }" + overhead)), kCpu)
          .ToString(),
      "1250m");
}

std::string Resources(const std::string& side, const std::string& cpu, const std::string& memory) {
  return side + " { key: 'cpu' value { string: '" + cpu + "' } } " + side +
         " { key: 'memory' value { string: '" + memory + "' } } ";
}

TEST(PodQosClassTest, FollowsRequestsAndLimitsOfCpuAndMemory) {
  const std::string limits = Resources("limits", "1", "1Gi");
  const std::string equal = Resources("requests", "1000m", "1024Mi");
  const auto qos = [](const std::string& pod) { return PodQosClass(FromText<PodSpec>(pod)); };
  EXPECT_EQ(qos("containers { name: 'a' }"), "BestEffort");
  EXPECT_EQ(qos("containers { resources { " + limits + equal + " } }"), "Guaranteed");
  EXPECT_EQ(qos("containers { resources { " + limits + " } }"), "Burstable");
  EXPECT_EQ(qos("containers { " + Cpu("100m") + " }"), "Burstable");
  EXPECT_EQ(qos("containers { resources { " + limits + equal + " } } containers { name: 'b' }"),
            "Burstable");
  EXPECT_EQ(
      qos("init_containers { name: 'i' } containers { resources { " + limits + equal + " } }"),
      "Burstable");
  EXPECT_EQ(qos("containers { resources { requests { key: 'pods' value { string: '1' } } } }"),
            "BestEffort");
}

}  // namespace
}  // namespace kubemu
