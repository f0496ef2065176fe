// Datagrams through the iptables of two nodes, and what conntrack keeps of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/iptables/iptables_part_fixture.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class DatagramTest : public IptablesPartTest {
 protected:
  DatagramTest() { name_.protocol = proxy::Protocol::kUdp; }

  void Send(const std::string& from, const std::string& to, std::string_view source,
            std::string_view destination) {
    bus::Datagram datagram;
    datagram.set_protocol(bus::UDP);
    datagram.set_source_ip(At(source).ip.bits());
    datagram.set_source_port(At(source).port);
    datagram.set_destination_ip(At(destination).ip.bits());
    datagram.set_destination_port(At(destination).port);
    bus_.Send(from, to, datagram);
  }
  // "to: source -> destination"; the source port is kept for the answer.
  std::vector<std::string> Arrived() {
    std::vector<std::string> texts;
    for (const auto& [message, datagram] : bus_.Take<bus::Datagram>()) {
      port_ = datagram.source_port();
      texts.push_back(StrCat(message.to, ": ", Ipv4(datagram.source_ip()).ToString(), " -> ",
                             Ipv4(datagram.destination_ip()).ToString(), ":",
                             datagram.destination_port()));
    }
    return texts;
  }
  uint32_t port_ = 0;
};

TEST_F(DatagramTest, GoThereAndBackThroughBothNodes) {
  AddEndpoint("10.244.2.5:53", 2);
  Load();
  Send(kPod1, "node-1/iptables", "10.244.1.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), ElementsAre("node-2/pod/ns1/two: 10.244.1.5 -> 10.244.2.5:53"));
  Send(kPod2, "node-2/iptables", "10.244.2.5:53", StrCat("10.244.1.5:", port_));
  EXPECT_THAT(Arrived(), ElementsAre("node-1/pod/ns1/one: 10.96.0.10 -> 10.244.1.5:4000"));
  bus_.Pass(121s);
  EXPECT_EQ(node1_.conntrack().size(), 0u);
}

TEST_F(DatagramTest, AreNotSentToAPodThatNoLongerServes) {
  AddEndpoint("10.244.1.5:53", 1);
  Load();
  Send(kPod2, "node-1/iptables", "10.244.2.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("10.244.1.5:53")));
  endpoints_.clear();
  AddEndpoint("10.244.2.5:53", 2);
  Load();
  Send(kPod2, "node-1/iptables", "10.244.2.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("10.244.2.5:53")));
}

// Upstream's clean-up asks who serves, not who gets new connections.
TEST_F(DatagramTest, GoOnToAPodThatTerminatesAsLongAsItServes) {
  AddEndpoint("10.244.1.5:53", 1);
  Load();
  Send(kPod2, "node-1/iptables", "10.244.2.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("10.244.1.5:53")));
  endpoints_[0].ready = false;
  endpoints_[0].terminating = true;
  AddEndpoint("10.244.2.5:53", 2);
  Load();
  Send(kPod2, "node-1/iptables", "10.244.2.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("10.244.1.5:53")));
  Send(kPod2, "node-1/iptables", "10.244.2.5:4001", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("10.244.2.5:53")));
  endpoints_[0].serving = false;
  Load();
  Send(kPod2, "node-1/iptables", "10.244.2.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("10.244.2.5:53")));
}

TEST_F(DatagramTest, KeepTheirWayWhileNobodyServes) {
  AddEndpoint("10.244.1.5:53", 1);
  Load();
  Send(kPod2, "node-1/iptables", "10.244.2.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), SizeIs(1));
  endpoints_.clear();
  Load();
  Send(kPod2, "node-1/iptables", "10.244.2.5:4000", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("10.244.1.5:53")));
  Send(kPod2, "node-1/iptables", "10.244.2.5:4001", "10.96.0.10:80");
  EXPECT_THAT(Arrived(), IsEmpty());  // rejected
}

TEST_F(DatagramTest, ToANodePortAreCleanedUpToo) {
  AddEndpoint("10.244.1.5:53", 1);
  Load();
  Send(kPod2, "node-1/iptables", "203.0.113.9:4000", "192.168.0.1:30080");
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("10.244.1.5:53")));
  endpoints_.clear();
  AddEndpoint("10.244.2.5:53", 2);
  Load();
  Send(kPod2, "node-1/iptables", "203.0.113.9:4000", "192.168.0.1:30080");
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("10.244.2.5:53")));
}

}  // namespace
}  // namespace kubemu
