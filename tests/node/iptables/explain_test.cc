#include "node/iptables/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "messages/api/json.h"
#include "messages/core/strings.h"
#include "messages/inspect.h"
#include "node/iptables/iptables.h"
#include "node/proxy/compile_rules.h"
#include "tests/node/iptables/cluster_fixture.h"
#include "tests/node/iptables/part_harness.h"

namespace kubemu {
namespace {

using testing::HasSubstr;
using testing::Not;

// node-1 (192.168.0.1, pods 10.244.1.0/24) with the Service ns1/svc1:p80 at 10.96.0.10:80 and
// NodePort 30080, asked over the bus.
class ExplainTest : public testing::Test {
 protected:
  ExplainTest() {
    bus_.Add("node-1/iptables", &node_);
    info_.cluster_ip = Ip("10.96.0.10");
    info_.port = 80;
    info_.node_port = 30080;
    bus::PodNetworkUpdate pod;
    pod.set_ip(Ip("10.244.1.5").bits());
    pod.set_address("node-1/pod/ns1/one");
    bus_.Send("node-1/engine", "node-1/iptables", pod);
  }

  void Load(int endpoints) {
    std::vector<proxy::EndpointInfo> list;
    for (int i = 0; i < endpoints; ++i) {
      list.push_back({.address = At(StrCat("10.244.1.", 5 + i, ":8080")), .node = "node-1"});
    }
    proxy::ServiceMap services;
    services.SetService(name_.service, {{name_, info_}});
    services.SetSlice("ns1/svc1-a", name_.service, {{name_, list}});
    proxy::ProxyNode node;
    node.name = "node-1";
    node.ip = Ip("192.168.0.1");
    node.cluster_cidr = Net("10.244.0.0/16");
    bus::IptablesRestore restore;
    restore.set_revision(++revision_);
    restore.set_full(true);
    restore.set_rules(proxy::RestoreText(proxy::CompileRules(services, node)));
    restore.mutable_network()->set_node_ip(node.ip.bits());
    restore.mutable_network()->set_pod_cidr("10.244.1.0/24");
    bus_.Send("node-1/kube-proxy", "node-1/iptables", restore);
  }

  absl::StatusOr<std::string> Ask(const std::string& question,
                                  const std::vector<std::string>& arguments) {
    bus::InspectRequest request;
    request.set_question(question);
    for (const std::string& argument : arguments) request.add_arguments(argument);
    bus_.Send("lab", "node-1/iptables", request);
    InspectAnswer answer;
    for (const auto& [message, response] : bus_.Take<bus::InspectResponse>()) {
      EXPECT_EQ(message.to, "lab");
      if (answer.Take(response)) return answer.Text();
    }
    return absl::InternalError("no answer");
  }
  std::string Explain(const std::string& from, const std::string& to,
                      std::vector<std::string> more = {}) {
    more.push_back("from=" + from);
    more.push_back("to=" + to);
    const auto answer = Ask("explain", more);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *answer : "";
  }
  std::string Error(const std::string& question, const std::vector<std::string>& arguments) {
    const auto answer = Ask(question, arguments);
    EXPECT_FALSE(answer.ok());
    return std::string(answer.status().message());
  }
  std::string Counted() { return Ask("iptables-save", {"counters=yes"}).value(); }

  void Open(std::string_view source, std::string_view destination, uint64_t flow) {
    bus::FlowOpen open;
    open.set_flow(flow);
    open.set_protocol(bus::TCP);
    open.set_source_ip(At(source).ip.bits());
    open.set_source_port(At(source).port);
    open.set_destination_ip(At(destination).ip.bits());
    open.set_destination_port(At(destination).port);
    open.set_credit(1000);
    bus_.Send("internet/x", "node-1/iptables", open);
  }

  PartHarness bus_;
  Iptables node_{{.node = "node-1"}};
  proxy::ServicePortName name_{"ns1/svc1", "p80", proxy::Protocol::kTcp};
  proxy::ServicePortInfo info_;
  uint64_t revision_ = 0;
};

TEST_F(ExplainTest, ShowsTheWayTheVerdictAndWhereItGoesOn) {
  Load(1);
  const std::string text = Explain("203.0.113.9", "192.168.0.1:30080");
  EXPECT_THAT(text, HasSubstr("packet:    tcp 203.0.113.9 -> 192.168.0.1:30080, coming in\n"
                              "conntrack: does not know it: a new connection\n"));
  EXPECT_THAT(text, HasSubstr("nat PREROUTING PREROUTING #1 [0:0] matched: "));
  EXPECT_THAT(text, HasSubstr("no match: -d 10.96.0.10/32 -p tcp -m comment --comment "
                              "\"ns1/svc1:p80 cluster IP\" -m tcp --dport 80 -j "
                              "KUBE-SVC-XPGD46QRK7WJZT7O  <- destination 192.168.0.1 is not "
                              "10.96.0.10/32\n"));
  EXPECT_THAT(text, HasSubstr("<- protocol is tcp, destination port 30080 is 30080\n"));
  EXPECT_THAT(text, HasSubstr("verdict:   ACCEPT, to 10.244.1.5:8080 (translated), from "
                              "10.244.1.1 (masqueraded); on to: node-1/pod/ns1/one\n"));
  EXPECT_THAT(text, Not(HasSubstr("odds")));
}

TEST_F(ExplainTest, GivesTheOddsOfEveryDrawAndEndpoint) {
  Load(3);
  const std::string text = Explain("10.244.1.5:4000", "10.96.0.10:80");
  EXPECT_THAT(text, testing::ContainsRegex("draws:     33.33 % (yes|no)"));
  EXPECT_THAT(text, HasSubstr("odds of a new connection:\n"
                              "  10.244.1.5:8080  33.33 %\n"
                              "  10.244.1.6:8080  33.33 %\n"
                              "  10.244.1.7:8080  33.33 %\n"));
  EXPECT_EQ(text, Explain("10.244.1.5:4000", "10.96.0.10:80"));
  // Other source ports, other draws.
  std::set<std::string> verdicts;
  for (int port = 4000; port < 4040; ++port) {
    const std::string other = Explain(StrCat("10.244.1.9:", port), "10.96.0.10:80");
    const size_t at = other.find("verdict:");
    verdicts.insert(other.substr(at, other.find(", from", at) - at));
  }
  EXPECT_EQ(verdicts.size(), 3u);
}

TEST_F(ExplainTest, SaysWhoRefusesAndWhy) {
  Load(0);
  EXPECT_THAT(Explain("203.0.113.9", "192.168.0.1:30080"),
              HasSubstr("verdict:   REJECT by filter KUBE-EXTERNAL-SERVICES rule 1: the sender is "
                        "told at once\n"));
  EXPECT_THAT(Explain("203.0.113.9", "192.168.0.1:1"), HasSubstr("nobody listens there: refused"));
  EXPECT_THAT(Explain("203.0.113.9", "10.9.9.9:1"), HasSubstr("nobody has that address"));
  info_.external_policy_local = true;
  proxy::EndpointInfo elsewhere{.address = At("10.244.2.5:8080"), .node = "node-2"};
  proxy::ServiceMap services;
  services.SetService(name_.service, {{name_, info_}});
  services.SetSlice("ns1/svc1-a", name_.service, {{name_, {elsewhere}}});
  proxy::ProxyNode node;
  node.name = "node-1";
  bus::IptablesRestore restore;
  restore.set_revision(++revision_);
  restore.set_full(true);
  restore.set_rules(proxy::RestoreText(proxy::CompileRules(services, node)));
  bus_.Send("node-1/kube-proxy", "node-1/iptables", restore);
  EXPECT_THAT(Explain("203.0.113.9", "192.168.0.1:30080"),
              HasSubstr("DROP by filter KUBE-EXTERNAL-SERVICES rule 1: the sender hears nothing"));
}

TEST_F(ExplainTest, KnowsConntracksConnections) {
  Load(2);
  Open("203.0.113.9:5000", "192.168.0.1:30080", 1);
  Open("203.0.113.9:5001", "192.168.0.1:30080", 2);
  EXPECT_THAT(Explain("203.0.113.9:5000", "192.168.0.1:30080"),
              HasSubstr("conntrack: knows it: NEW, leaves as tcp 10.244.1.1:"));
  EXPECT_THAT(Explain("203.0.113.9:5002", "192.168.0.1:30080"), HasSubstr("does not know it"));
  EXPECT_THAT(Explain("203.0.113.9", "192.168.0.1:30080"),
              HasSubstr("knows 2 connections from there to it"));
}

// Counters, lists and the node's random numbers are as if nobody had asked.
TEST_F(ExplainTest, ChangesNothing) {
  info_.affinity_seconds = 600;
  Load(4);
  Open("203.0.113.9:5000", "192.168.0.1:30080", 1);
  const std::string before = Counted();
  const auto chosen = node_.conntrack().connections().begin()->second.reply.source;
  for (int i = 0; i < 50; ++i) {
    Explain(StrCat("203.0.113.", i % 20, ":", 6000 + i), "192.168.0.1:30080");
  }
  EXPECT_EQ(Counted(), before);
  EXPECT_EQ(node_.conntrack().size(), 1u);
  // Who is held by affinity has one way only; who is not has four.
  EXPECT_THAT(Explain("203.0.113.9:7000", "192.168.0.1:30080"),
              HasSubstr(StrCat("to ", chosen.ToString(), " (translated)")));
  EXPECT_THAT(Explain("203.0.113.9:7000", "192.168.0.1:30080"), Not(HasSubstr("odds")));
  EXPECT_THAT(Explain("203.0.113.8:7000", "192.168.0.1:30080"), HasSubstr("25.00 %"));
}

TEST_F(ExplainTest, TheNodesOwnPacketsBeginAtOutput) {
  Load(1);
  const std::string text = Explain("192.168.0.1", "10.96.0.10:80");
  EXPECT_THAT(text, HasSubstr("made by the node itself"));
  EXPECT_THAT(text, HasSubstr("nat OUTPUT OUTPUT #1"));
  EXPECT_THAT(text, Not(HasSubstr("PREROUTING")));
}

TEST_F(ExplainTest, InJsonEverythingIsThere) {
  Load(2);
  const auto json = ParseJson(Explain("10.244.1.9:4000", "10.96.0.10:80", {"format=json"}));
  ASSERT_TRUE(json.ok()) << json.status();
  const boost::json::object& object = json->as_object();
  EXPECT_FALSE(object.at("conntrack").at("known").as_bool());
  EXPECT_EQ(object.at("verdict").at("action").as_string(), "ACCEPT");
  EXPECT_EQ(object.at("odds").as_array().size(), 2u);
  EXPECT_GT(object.at("steps").as_array().size(), 5u);
  EXPECT_EQ(object.at("steps").at(0).at("chain").as_string(), "PREROUTING");
}

TEST_F(ExplainTest, BadQuestionsGetAClearAnswer) {
  EXPECT_THAT(Error("explain", {"from=10.0.0.1", "to=10.96.0.10:80"}),
              HasSubstr("has no network yet"));
  Load(1);
  EXPECT_EQ(Error("explain", {"from=10.0.0", "to=10.96.0.10:80"}),
            "--from \"10.0.0\" is not an IPv4 address with or without a port, such as 10.244.1.5");
  EXPECT_EQ(Error("explain", {"from=10.0.0.1", "to=10.96.0.10"}),
            "--to \"10.96.0.10\" is not an IPv4 address and a port, such as 10.96.0.10:80");
  EXPECT_THAT(Error("explain", {"from=10.0.0.1", "to=10.0.0.2:80", "protocol=icmp"}),
              HasSubstr("tcp and udp are"));
  EXPECT_THAT(Error("iptables-save", {"table=mangle"}), HasSubstr("filter and nat are"));
  EXPECT_THAT(Error("weather", {}), HasSubstr("iptables-save, explain are"));
}

TEST_F(ExplainTest, SavePrintsOneTableOrAll) {
  Load(1);
  const std::string all = Ask("iptables-save", {}).value();
  EXPECT_THAT(all, testing::StartsWith("*filter\n"));
  EXPECT_THAT(all, HasSubstr("COMMIT\n*nat\n"));
  EXPECT_THAT(Ask("iptables-save", {"table=nat"}).value(), testing::StartsWith("*nat\n"));
  EXPECT_THAT(Counted(), HasSubstr("\n[0:0] -A KUBE-SERVICES"));
}

}  // namespace
}  // namespace kubemu
