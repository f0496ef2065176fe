// Pods and connections in the kernel's data plane, without a kernel: the test is the door.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/ip.h"
#include "messages/proto/flow.pb.h"
#include "tests/node/kernel/fake_door.h"

namespace kubemu {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr char kWeb[] = "node-1/pod/default/web";
constexpr char kBatch[] = "ip -batch -";
constexpr char kRemoveWeb[] = "ip link delete veth0af40105";
constexpr char kPath[] = "/proc/42/fd/7";
constexpr Ipv4 kWebIp(10, 244, 1, 5);

class KernelPodsTest : public KernelDoorTest {
 protected:
  void Update(const std::vector<uint32_t>& ports, bool removed = false,
              const char* address = kWeb) {
    bus::PodNetworkUpdate update;
    update.set_ip(kWebIp.bits());
    update.set_address(address);
    update.set_removed(removed);
    update.mutable_ports()->Assign(ports.begin(), ports.end());
    bus_.Send(kEngine, kPart, update);
  }
  // Answers the OpenNetwork that was sent; returns the network's name.
  std::string Open(const std::string& error = "") {
    const auto opens = bus_.Take<bus::OpenNetwork>();
    if (opens.size() != 1) {
      ADD_FAILURE() << opens.size() << " namespaces were asked for";
      return "";
    }
    bus::NetworkOpened opened;
    opened.set_name(opens[0].second.name());
    opened.set_path(error.empty() ? kPath : "");
    opened.set_error(error);
    bus_.Send(kDoor, kPart, opened);
    return opened.name();
  }
  // The pod with its interface up; returns its network's name.
  std::string Up(const std::vector<uint32_t>& ports) {
    Update(ports);
    const std::string name = Open();
    Run(kBatch);
    Run(kBatch);
    return name;
  }
  void OpenFlow(const std::string& from, uint64_t number, const std::string& network = "",
                uint32_t port = 80) {
    bus::FlowOpen open;
    open.set_flow(number);
    open.set_protocol(bus::TCP);
    open.set_source_ip(Ipv4(10, 77, 0, 9).bits());
    open.set_source_port(40000);
    open.set_destination_ip(kWebIp.bits());
    open.set_destination_port(port);
    open.set_credit(1000);
    open.set_network(network);
    bus_.Send(from, kPart, open);
  }
};

TEST_F(KernelPodsTest, APodGetsANamespaceAnInterfaceAndRealSockets) {
  Update({80, 443});
  const std::string name = Open();
  EXPECT_EQ(Run(kBatch),
            "link add veth0af40105 address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns "
            "/proc/42/fd/7\n"
            "link set veth0af40105 up\n"
            "route replace 10.244.1.5/32 dev veth0af40105\n");
  EXPECT_EQ(network(), "");
  EXPECT_THAT(bus_.Take<bus::Listen>(), IsEmpty());
  EXPECT_EQ(Run(kBatch),
            "link set lo up\n"
            "addr add 10.244.1.5/32 dev eth0\n"
            "link set eth0 up\n"
            "neigh replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent\n"
            "route replace 169.254.1.1 dev eth0 scope link\n"
            "route replace default via 169.254.1.1 dev eth0\n");
  EXPECT_EQ(network(), name);
  const auto listens = bus_.Take<bus::Listen>();
  ASSERT_THAT(listens, SizeIs(2));
  EXPECT_EQ(listens[0].second.port(), 80u);
  EXPECT_EQ(listens[0].second.network(), name);
  Update({80, 443});  // repeated
  EXPECT_THAT(bus_.Take<bus::Listen>(), IsEmpty());
  EXPECT_THAT(Commands(), IsEmpty());
}

TEST_F(KernelPodsTest, PortsComeAndGoWithContainers) {
  const std::string name = Up({80});
  bus_.Take<bus::Listen>();
  Update({81});
  const auto unlistens = bus_.Take<bus::Unlisten>();
  ASSERT_THAT(unlistens, SizeIs(1));
  EXPECT_EQ(unlistens[0].second.port(), 80u);
  EXPECT_EQ(unlistens[0].second.network(), name);
  EXPECT_EQ(bus_.Take<bus::Listen>().at(0).second.port(), 81u);
}

TEST_F(KernelPodsTest, APodThatGoesTakesItsInterfaceWithIt) {
  const std::string name = Up({80});
  Update({}, true);
  EXPECT_THAT(bus_.Take<bus::Unlisten>(), SizeIs(1));
  // The namespace is not closed while a command may use its descriptor.
  EXPECT_THAT(bus_.Take<bus::CloseNetwork>(), IsEmpty());
  Run(kRemoveWeb);
  EXPECT_EQ(bus_.Take<bus::CloseNetwork>().at(0).second.name(), name);
  bus_.Pass(1min);
  EXPECT_THAT(Commands(), IsEmpty());
}

TEST_F(KernelPodsTest, APodThatGoesWhileItsInterfaceIsMadeLeavesNothing) {
  Update({80});
  Open();
  Update({}, true);
  Run(kBatch);
  Run(kRemoveWeb);
  EXPECT_THAT(bus_.Take<bus::CloseNetwork>(), SizeIs(1));
  EXPECT_THAT(bus_.Take<bus::Listen>(), IsEmpty());
  EXPECT_THAT(Commands(), IsEmpty());
}

TEST_F(KernelPodsTest, AnAddressGivenToAnotherPodIsTakenFromTheFirst) {
  const std::string name = Up({80});
  bus_.Take<bus::Listen>();
  Update({80}, false, "node-1/pod/default/other");  // the word that web went away was lost
  Run(kRemoveWeb);
  EXPECT_EQ(bus_.Take<bus::CloseNetwork>().at(0).second.name(), name);
  EXPECT_THAT(Open(), StartsWith("node-1/pod/default/other#"));
  Run(kBatch);
  Run(kBatch);
  EXPECT_THAT(bus_.Take<bus::Listen>(), SizeIs(1));
}

TEST_F(KernelPodsTest, WhatFailsIsUndoneAndTriedAgain) {
  Update({80});
  const std::string first = Open();
  Fail(kBatch, "exit code 1: File exists");
  Run(kRemoveWeb);
  EXPECT_EQ(bus_.Take<bus::CloseNetwork>().at(0).second.name(), first);
  EXPECT_THAT(bus_.Take<bus::OpenNetwork>(), IsEmpty());
  bus_.Pass(PodLinks::kRetryMin);
  EXPECT_NE(Open("no memory"), first);
  bus_.Pass(PodLinks::kRetryMin * 2);
  Open();
  Run(kBatch);
  Run(kBatch);
  EXPECT_THAT(bus_.Take<bus::Listen>(), SizeIs(1));
}

TEST_F(KernelPodsTest, APortThatIsTakenIsTriedAgain) {
  const std::string name = Up({80});
  bus_.Take<bus::Listen>();
  bus::ListenResult result;
  result.set_port(80);
  result.set_network(name);
  result.set_error("in use");
  bus_.Send(kDoor, kPart, result);
  EXPECT_THAT(bus_.Take<bus::Listen>(), IsEmpty());
  bus_.Pass(PodLinks::kListenRetry);
  EXPECT_THAT(bus_.Take<bus::Listen>(), SizeIs(1));
}

TEST_F(KernelPodsTest, AnAcceptedConnectionIsAFlowToThePod) {
  const std::string name = Up({80});
  OpenFlow("internet/10.77.0.9:40000", 3, name);
  const auto opens = bus_.Take<bus::FlowOpen>();
  ASSERT_THAT(opens, SizeIs(1));
  EXPECT_EQ(opens[0].first.to, kWeb);
  EXPECT_EQ(opens[0].second.source_ip(), Ipv4(10, 77, 0, 9).bits());
  EXPECT_EQ(opens[0].second.destination_ip(), kWebIp.bits());
  EXPECT_EQ(opens[0].second.network(), "");
  bus::FlowData data;
  data.set_flow(3);
  data.set_data("GET");
  bus_.Send("internet/10.77.0.9:40000", kPart, data);
  EXPECT_EQ(bus_.Take<bus::FlowData>().at(0).first.to, kWeb);
}

TEST_F(KernelPodsTest, APodsFlowIsAConnectionFromItsNamespace) {
  OpenFlow(kWeb, 1);
  EXPECT_EQ(bus_.Take<bus::FlowClose>().at(0).second.reason(), bus::FlowClose::UNREACHABLE);
  const std::string name = Up({80});
  OpenFlow(kWeb, 2);
  const auto opens = bus_.Take<bus::FlowOpen>();
  ASSERT_THAT(opens, SizeIs(1));
  EXPECT_EQ(opens[0].first.to, kDoor);
  EXPECT_EQ(opens[0].second.network(), name);
}

TEST_F(KernelPodsTest, FlowsOfTheKubeletAndOfOthersBeginInTheNodesNamespace) {
  OpenFlow("node-1/kubelet", 1);
  OpenFlow("lb", 1);
  const auto opens = bus_.Take<bus::FlowOpen>();
  ASSERT_THAT(opens, SizeIs(2));
  for (const auto& [message, open] : opens) {
    EXPECT_EQ(message.to, kDoor);
    EXPECT_EQ(open.network(), "");
  }
}

TEST_F(KernelPodsTest, ConnectionsOfAPodThatGoesAreReset) {
  const std::string name = Up({80});
  OpenFlow("internet/10.77.0.9:40000", 3, name);
  Update({}, true);
  const auto closes = bus_.Take<bus::FlowClose>();
  ASSERT_THAT(closes, SizeIs(2));
  EXPECT_EQ(closes[0].second.reason(), bus::FlowClose::RESET);
  EXPECT_THAT(closes[0].second.detail(), HasSubstr("is gone"));
}

TEST_F(KernelPodsTest, HostNetworkPodsListenInTheNodesNamespace) {
  bus::PodNetworkUpdate update;
  update.set_ip(Ipv4(10, 77, 0, 1).bits());
  update.set_address("node-1/pod/default/host");
  update.set_host_network(true);
  update.add_ports(9100);
  bus_.Send(kEngine, kPart, update);
  EXPECT_THAT(bus_.Take<bus::OpenNetwork>(), IsEmpty());
  EXPECT_EQ(bus_.Take<bus::Listen>().at(0).second.network(), "");
  OpenFlow("internet/10.77.0.9:40000", 3, "", 9100);
  EXPECT_EQ(bus_.Take<bus::FlowOpen>().at(0).first.to, "node-1/pod/default/host");
  update.set_removed(true);
  bus_.Send(kEngine, kPart, update);
  EXPECT_EQ(bus_.Take<bus::Unlisten>().at(0).second.port(), 9100u);
}

TEST_F(KernelPodsTest, PartsOfTheNodeAnswerAtTheirPorts) {
  bus::IptablesRestore restore;
  restore.set_revision(1);
  auto* local = restore.mutable_network()->add_local_ports();
  local->set_port(10256);
  local->set_address(kProxy);
  bus_.Send(kProxy, kPart, restore);
  EXPECT_EQ(bus_.Take<bus::Listen>().at(0).second.port(), 10256u);
  OpenFlow("internet/10.77.0.9:40000", 3, "", 10256);
  EXPECT_EQ(bus_.Take<bus::FlowOpen>().at(0).first.to, kProxy);
  // Another program has it: the part is told, once for all tries.
  bus::ListenResult taken;
  taken.set_port(10256);
  taken.set_error("in use");
  for (int i = 0; i < 2; ++i) {
    bus_.Send(kDoor, kPart, taken);
    bus_.Pass(PodLinks::kListenRetry);
    EXPECT_THAT(bus_.Take<bus::Listen>(), SizeIs(1));
  }
  const auto told = bus_.Take<bus::ListenResult>();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].first.to, kProxy);
  EXPECT_EQ(told[0].second.port(), 10256u);
}

TEST_F(KernelPodsTest, TheEngineIsAskedAgainWhereItsPodsAre) {
  bus_.Pass(KernelDataplane::kAskInterval);
  EXPECT_EQ(bus_.Take<bus::PodNetworkUpdate>().at(0).first.to, kEngine);
}

}  // namespace
}  // namespace kubemu
