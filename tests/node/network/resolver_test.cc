#include "node/network/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "messages/core/strings.h"
#include "messages/proto/flow.pb.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kPod[] = "node-1/pod/default/api";

bus::DnsConfig ClusterConfig() {
  bus::DnsConfig config;
  config.add_nameservers(Ipv4(10, 96, 0, 10).bits());
  for (const char* search : {"default.svc.cluster.local", "svc.cluster.local", "cluster.local"}) {
    config.add_searches(search);
  }
  config.add_options("ndots:5");
  return config;
}

TEST(ResolverConfigTest, OptionsAreReadWithTheirLimits) {
  bus::DnsConfig config = ClusterConfig();
  config.add_options("timeout:2");
  config.add_options("attempts:100");
  config.add_options("single-request-reopen");
  config.add_options("ndots");
  config.add_options("timeout:x");
  const ResolverConfig read = ReadDnsConfig(config);
  EXPECT_EQ(read.ndots, 5u);
  EXPECT_EQ(read.timeout, 2s);
  EXPECT_EQ(read.attempts, 5);
  EXPECT_EQ(ResolvConfText(config),
            "search default.svc.cluster.local svc.cluster.local cluster.local\n"
            "nameserver 10.96.0.10\n"
            "options ndots:5 timeout:2 attempts:100 single-request-reopen ndots timeout:x\n");
  EXPECT_EQ(ReadDnsConfig(bus::DnsConfig()).ndots, 1u);
  EXPECT_EQ(ReadDnsConfig(bus::DnsConfig()).timeout, 5s);
  EXPECT_EQ(ReadDnsConfig(bus::DnsConfig()).attempts, 2);
  EXPECT_EQ(ResolvConfText(bus::DnsConfig()), "");
}

TEST(ResolverConfigTest, FewDotsAreSearchedFirst) {
  const ResolverConfig config = ReadDnsConfig(ClusterConfig());
  EXPECT_THAT(CandidateNames("web", config),
              ElementsAre("web.default.svc.cluster.local", "web.svc.cluster.local",
                          "web.cluster.local", "web"));
  EXPECT_THAT(CandidateNames("a.b.c.d.e.f", config),
              ElementsAre("a.b.c.d.e.f", "a.b.c.d.e.f.default.svc.cluster.local",
                          "a.b.c.d.e.f.svc.cluster.local", "a.b.c.d.e.f.cluster.local"));
  EXPECT_THAT(CandidateNames("web.default.svc.cluster.local.", config),
              ElementsAre("web.default.svc.cluster.local"));
  EXPECT_THAT(CandidateNames("web", ResolverConfig()), ElementsAre("web"));
  EXPECT_THAT(CandidateNames("", config), IsEmpty());
  EXPECT_THAT(CandidateNames("a..b", config), IsEmpty());
  EXPECT_THAT(CandidateNames(std::string(64, 'x'), config), IsEmpty());
}

TEST(ResolverConfigTest, HostsAreFoundByAnyOfTheirNames) {
  const std::string hosts =
      "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"
      "10.244.1.5\tapi-0.db.default.svc.cluster.local\tapi-0  # 10.0.0.1 nobody\n"
      "10.1.2.3\tfoo.remote\tbar.remote\nbad line\n";
  EXPECT_EQ(FindInHosts(hosts, "localhost"), Ipv4(127, 0, 0, 1));
  EXPECT_EQ(FindInHosts(hosts, "API-0"), Ipv4(10, 244, 1, 5));
  EXPECT_EQ(FindInHosts(hosts, "bar.remote."), Ipv4(10, 1, 2, 3));
  EXPECT_EQ(FindInHosts(hosts, "nobody"), Ipv4());
  EXPECT_EQ(FindInHosts(hosts, "ip6-localhost"), Ipv4());
  EXPECT_EQ(FindInHosts("", "localhost"), Ipv4());
  EXPECT_EQ(FindHostsLine(hosts, "api-0").name, "api-0.db.default.svc.cluster.local");
  EXPECT_EQ(FindHostsLine(hosts, "ip6-localhost").ip, "::1");
}

// One pod with its resolver; what it sends is looked at and answered here.
class ResolverTest : public testing::Test {
 protected:
  ResolverTest() {
    NetPod& pod = pods_[kPod];
    pod.address = kPod;
    pod.ip = Ipv4(10, 244, 1, 5);
    pod.dns = ClusterConfig();
  }
  NetPod& pod() { return pods_.at(kPod); }

  template <class Action>
  void Step(Action action) {
    Outbox outbox("node-1/engine", Trace{7, 7});
    Env env{now_, WallTime{}, random_, outbox};
    action(env);
    for (Message& message : outbox.messages()) sent_.push_back(std::move(message));
  }
  void Start(const std::string& name) {
    Step([&](Env& env) { resolvers_.Start(1, "c", pod(), name, env); });
  }
  void Pass(Duration duration) {
    const Time end = now_ + duration;
    while (resolvers_.NextWake() <= end) {
      now_ = resolvers_.NextWake();
      Step([&](Env& env) { resolvers_.Tick(pods_, env); });
    }
    now_ = end;
  }
  // The question that left last: "A web.svc.cluster.local"; it is kept to be answered.
  std::string TakeQuery() {
    if (sent_.empty()) return "";
    asked_ = sent_.front().As<bus::Datagram>();
    EXPECT_EQ(sent_.front().to, "node-1/iptables");
    EXPECT_EQ(sent_.front().from, kPod);
    sent_.pop_front();
    return dns::Summary(asked_.data());
  }
  dns::Message ReplyMessage(uint16_t rcode, std::vector<Ipv4> addresses = {}) {
    dns::Message reply = *dns::Parse(asked_.data());
    reply.header.response = true;
    reply.header.rcode = rcode;
    for (Ipv4 ip : addresses) {
      dns::Record record{.name = reply.questions[0].name, .type = dns::kA, .ttl = 30};
      record.address = ip;
      reply.answers.push_back(record);
    }
    return reply;
  }
  void Deliver(const std::string& bytes, Ipv4 server = Ipv4(10, 96, 0, 10)) {
    bus::Datagram datagram;
    datagram.set_protocol(bus::UDP);
    datagram.set_source_ip(server.bits());
    datagram.set_source_port(53);
    datagram.set_destination_ip(pod().ip.bits());
    datagram.set_destination_port(asked_.source_port());
    datagram.set_data(bytes);
    Outbox outbox("node-1/iptables", {});
    outbox.Send(kPod, datagram);
    Step([&](Env& env) { resolvers_.Receive(outbox.messages()[0], pod(), env); });
  }
  void Reply(uint16_t rcode, std::vector<Ipv4> addresses = {}) {
    Deliver(dns::Build(ReplyMessage(rcode, std::move(addresses)), 4096));
  }
  // How the lookup ended: addresses or the error; "" if it goes on.
  std::string Result() {
    std::string text;
    for (const Resolved& result : resolvers_.TakeFinished()) {
      EXPECT_EQ(result.tag, 1u);
      text += result.error;
      for (Ipv4 ip : result.addresses) StrAppend(&text, text.empty() ? "" : " ", ip.ToString());
    }
    return text;
  }

  Time now_{};
  Random random_{3};
  std::map<std::string, NetPod> pods_;
  Resolvers resolvers_{"node-1"};
  std::deque<Message> sent_;
  bus::Datagram asked_;
};

TEST_F(ResolverTest, TheFirstNameWithAddressesCounts) {
  Start("web.other");
  EXPECT_EQ(TakeQuery(), "A web.other.default.svc.cluster.local");
  EXPECT_EQ(Ipv4(asked_.destination_ip()), Ipv4(10, 96, 0, 10));
  EXPECT_EQ(asked_.destination_port(), 53u);
  Reply(dns::kNxDomain);
  EXPECT_EQ(TakeQuery(), "A web.other.svc.cluster.local");
  Reply(dns::kNoError, {Ipv4(10, 96, 1, 1), Ipv4(10, 96, 1, 2)});
  EXPECT_EQ(Result(), "10.96.1.1 10.96.1.2");
  EXPECT_EQ(TakeQuery(), "");
  EXPECT_EQ(resolvers_.NextWake(), kNever);
  EXPECT_EQ(resolvers_.in_flight(), 0u);
}

TEST_F(ResolverTest, EachQuestionHasAPortAndAnIdOfItsOwn) {
  Start("web");
  TakeQuery();
  const bus::Datagram first = asked_;
  Reply(dns::kNxDomain);
  TakeQuery();
  EXPECT_NE(asked_.source_port(), first.source_port());
  EXPECT_NE(dns::Parse(asked_.data())->header.id, dns::Parse(first.data())->header.id);
}

TEST_F(ResolverTest, ErrorsAreGetaddrinfos) {
  const auto lookup = [&](std::vector<uint16_t> rcodes) {
    Start("web");
    for (uint16_t rcode : rcodes) {
      TakeQuery();
      Reply(rcode);
    }
    return Result();
  };
  using dns::kNoError, dns::kNxDomain, dns::kServFail;
  EXPECT_EQ(lookup({kNxDomain, kNxDomain, kNxDomain, kNxDomain}), "Name or service not known");
  EXPECT_EQ(lookup({kNxDomain, kNoError, kNxDomain, kNxDomain}),
            "No address associated with hostname");
  EXPECT_EQ(lookup({kNxDomain, kNxDomain, kNxDomain, kServFail}),
            "Temporary failure in name resolution");
  Start("a..b");
  EXPECT_EQ(Result(), "Name or service not known");
  pod().dns.clear_nameservers();
  Start("web");
  EXPECT_EQ(Result(), "Temporary failure in name resolution");
}

TEST_F(ResolverTest, SilenceIsAskedOnceMoreAndThenEndsTheLookup) {
  Start("web");
  EXPECT_EQ(TakeQuery(), "A web.default.svc.cluster.local");
  Pass(4999ms);
  EXPECT_EQ(TakeQuery(), "");
  Pass(1ms);
  EXPECT_EQ(TakeQuery(), "A web.default.svc.cluster.local");
  Pass(4999ms);
  EXPECT_EQ(Result(), "");
  Pass(1ms);
  EXPECT_EQ(TakeQuery(), "");
  EXPECT_EQ(Result(), "Temporary failure in name resolution");
}

TEST_F(ResolverTest, ASecondNameServerHasItsTurn) {
  pod().dns.add_nameservers(Ipv4(8, 8, 8, 8).bits());
  Start("web");
  TakeQuery();
  Pass(5s);
  TakeQuery();
  EXPECT_EQ(Ipv4(asked_.destination_ip()), Ipv4(8, 8, 8, 8));
  Deliver(dns::Build(ReplyMessage(dns::kNoError, {Ipv4(10, 96, 1, 1)}), 512), Ipv4(8, 8, 8, 8));
  EXPECT_EQ(Result(), "10.96.1.1");
}

TEST_F(ResolverTest, ForgedAndDamagedAnswersDoNotCount) {
  Start("web");
  TakeQuery();
  const dns::Message good = ReplyMessage(dns::kNoError, {Ipv4(6, 6, 6, 6)});
  Deliver("garbage");
  Deliver(asked_.data());  // the query itself
  dns::Message other_id = good;
  other_id.header.id ^= 1;
  Deliver(dns::Build(other_id, 512));
  dns::Message other_name = good;
  other_name.questions[0].name = "bank.example.com";
  Deliver(dns::Build(other_name, 512));
  Deliver(dns::Build(good, 512), Ipv4(10, 66, 6, 6));
  EXPECT_EQ(Result(), "");
  Reply(dns::kNoError, {Ipv4(10, 96, 1, 1)});
  EXPECT_EQ(Result(), "10.96.1.1");
  Deliver(dns::Build(good, 512));  // doubled: nobody waits any more
  EXPECT_EQ(Result(), "");
}

TEST_F(ResolverTest, AliasesCountByTheirAddresses) {
  Start("alias");
  TakeQuery();
  dns::Message reply = ReplyMessage(dns::kNoError);
  dns::Record alias{.name = "alias.default.svc.cluster.local", .type = dns::kCname, .ttl = 30};
  alias.target = "web.default.svc.cluster.local";
  dns::Record address{.name = "web.default.svc.cluster.local", .type = dns::kA, .ttl = 30};
  address.address = Ipv4(10, 96, 1, 1);
  reply.answers = {alias, address};
  Deliver(dns::Build(reply, 512));
  EXPECT_EQ(Result(), "10.96.1.1");
}

TEST_F(ResolverTest, QuestionsOfNslookupAreAllAsked) {
  Step([&](Env& env) {
    resolvers_.StartQueries(1, "c", pod(),
                            {{"web.default.svc.cluster.local", dns::kA, dns::kClassIn},
                             {"web.default.svc.cluster.local", dns::kAaaa, dns::kClassIn}},
                            env);
  });
  TakeQuery();
  Reply(dns::kNoError, {Ipv4(10, 96, 1, 1)});
  EXPECT_EQ(TakeQuery(), "AAAA web.default.svc.cluster.local");
  Pass(10s);
  const std::vector<Resolved> results = resolvers_.TakeFinished();
  ASSERT_THAT(results, SizeIs(1));
  ASSERT_THAT(results[0].replies, SizeIs(2));
  EXPECT_TRUE(results[0].replies[0].second);
  EXPECT_FALSE(results[0].replies[1].second);
}

TEST_F(ResolverTest, WhatAContainerWantedToKnowEndsWithIt) {
  Start("web");
  TakeQuery();
  resolvers_.Abandon(kPod, "other");
  EXPECT_EQ(resolvers_.in_flight(), 1u);
  resolvers_.Abandon(kPod, "c");
  EXPECT_EQ(resolvers_.in_flight(), 0u);
  EXPECT_EQ(resolvers_.NextWake(), kNever);
  Reply(dns::kNoError, {Ipv4(10, 96, 1, 1)});
  EXPECT_EQ(Result(), "");
}

}  // namespace
}  // namespace kubemu
