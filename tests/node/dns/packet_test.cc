// Queries as bytes: what is answered, what is refused, what is passed over in silence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "messages/core/random.h"
#include "messages/core/strings.h"
#include "node/dns/cluster_zone.h"
#include "tests/node/dns/sample_cluster.h"

namespace kubemu::dns {
namespace {

using testing::SizeIs;

class PacketTest : public testing::Test {
 protected:
  static Message Query(const std::string& name, uint16_t type = kA) {
    Message query;
    query.header.id = 4711;
    query.header.recursion_desired = true;
    query.questions = {{name, type, kClassIn}};
    return query;
  }
  std::optional<std::string> Send(std::string_view packet, bool tcp = false) {
    return AnswerPacket(records_, options_, packet, tcp, random_);
  }
  Message Ask(const Message& query, bool tcp = false) {
    const auto bytes = Send(Build(query, kTcpBytesMax), tcp);
    EXPECT_TRUE(bytes);
    const auto answer = Parse(bytes.value_or(""));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *answer : Message();
  }
  // A headless Service with so many endpoints.
  void AddMany(int count) {
    SliceFacts slice{"default/many", {}, {{"sql", "tcp", 5432}}};
    for (int i = 0; i < count; ++i) {
      slice.endpoints.push_back({Ipv4(10, 244, 9, static_cast<uint8_t>(i)), ""});
    }
    records_.SetService("default/many", {ServiceFacts::Type::kHeadless, Ipv4(), "", {}});
    records_.SetSlice("default/many-1", slice);
  }

  ClusterRecords records_ = SampleCluster();
  ZoneOptions options_;
  Random random_{1};
};

TEST_F(PacketTest, AnAnswerRepeatsTheQuestionAndItsFlags) {
  Message query = Query("Web.default.svc.cluster.local");
  query.header.checking_disabled = true;
  query.header.authentic_data = true;
  const Message answer = Ask(query);
  EXPECT_EQ(answer.header.id, 4711);
  EXPECT_TRUE(answer.header.response);
  EXPECT_TRUE(answer.header.authoritative);
  EXPECT_TRUE(answer.header.recursion_desired);
  EXPECT_TRUE(answer.header.checking_disabled);
  EXPECT_FALSE(answer.header.recursion_available);
  EXPECT_FALSE(answer.header.authentic_data);
  EXPECT_EQ(answer.questions, query.questions);
  ASSERT_THAT(answer.answers, SizeIs(1));
  EXPECT_FALSE(answer.edns);
}

TEST_F(PacketTest, MuchIsCutAtTheSizeThatTheClientTakes) {
  AddMany(100);
  Message query = Query("many.default.svc.cluster.local");
  const Message plain = Ask(query);
  EXPECT_TRUE(plain.header.truncated);
  EXPECT_LT(plain.answers.size(), 31u);
  query.edns = Edns{.udp_bytes = 1232};
  const Message larger = Ask(query);
  EXPECT_TRUE(larger.header.truncated);
  EXPECT_GT(larger.answers.size(), plain.answers.size());
  ASSERT_TRUE(larger.edns);
  EXPECT_EQ(larger.edns->udp_bytes, 1232);
  query.edns->udp_bytes = 4096;
  EXPECT_FALSE(Ask(query).header.truncated);
  query.edns->udp_bytes = 100;                                        // less than 512 is 512
  EXPECT_THAT(Ask(query).answers, SizeIs(plain.answers.size() - 1));  // OPT takes 11 bytes
  query.edns.reset();
  const Message over_tcp = Ask(query, /*tcp=*/true);
  EXPECT_FALSE(over_tcp.header.truncated);
  EXPECT_THAT(over_tcp.answers, SizeIs(100));
}

TEST_F(PacketTest, AddressesComeInChangingOrder) {
  AddMany(4);
  std::set<std::string> first;
  for (int i = 0; i < 100; ++i) {
    const Message answer = Ask(Query("many.default.svc.cluster.local"));
    ASSERT_THAT(answer.answers, SizeIs(4));
    first.insert(answer.answers[0].address.ToString());
  }
  EXPECT_THAT(first, SizeIs(4));
}

TEST_F(PacketTest, AliasesStayBeforeTheirAddresses) {
  for (int i = 0; i < 20; ++i) {
    const Message answer = Ask(Query("alias.default.svc.cluster.local"));
    ASSERT_THAT(answer.answers, SizeIs(2));
    EXPECT_EQ(answer.answers[0].type, kCname);
  }
}

TEST_F(PacketTest, OtherVersionsOfEdnsAreBadVersions) {
  Message query = Query("web.default.svc.cluster.local");
  query.edns = Edns{.udp_bytes = 1232, .version = 1};
  const Message answer = Ask(query);
  EXPECT_EQ(answer.header.rcode, kBadVers);
  EXPECT_EQ(answer.edns->version, 0);
  EXPECT_THAT(answer.answers, SizeIs(0));
}

TEST_F(PacketTest, WhatIsNoQueryIsPassedOver) {
  EXPECT_FALSE(Send(""));
  EXPECT_FALSE(Send("short"));
  Message answer = Query("web.default.svc.cluster.local");
  answer.header.response = true;
  EXPECT_FALSE(Send(Build(answer, 512)));
}

TEST_F(PacketTest, WhatBeginsLikeOneIsAnsweredWithAnError) {
  const auto rcode = [&](const std::string& packet) {
    const auto bytes = Send(packet);
    const auto answer = Parse(bytes.value_or(""));
    EXPECT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->header.id, 4711);
    return RcodeName(answer->header.rcode);
  };
  const std::string good = Build(Query("web.default.svc.cluster.local"), 512);
  EXPECT_EQ(rcode(good), "NOERROR");
  EXPECT_EQ(rcode(good.substr(0, good.size() - 3)), "FORMERR");
  EXPECT_EQ(rcode(good + "x"), "FORMERR");
  Message two = Query("web.default.svc.cluster.local");
  two.questions.push_back(two.questions[0]);
  EXPECT_EQ(rcode(Build(two, 512)), "FORMERR");
  Message none = Query("web.default.svc.cluster.local");
  none.questions.clear();
  EXPECT_EQ(rcode(Build(none, 512)), "FORMERR");
  Message update = Query("web.default.svc.cluster.local");
  update.header.opcode = 5;
  EXPECT_EQ(rcode(Build(update, 512)), "NOTIMP");
  Message chaos = Query("version.bind", kTxt);
  chaos.questions[0].qclass = 3;
  EXPECT_EQ(rcode(Build(chaos, 512)), "REFUSED");
  EXPECT_EQ(rcode(Build(Query("example.com"), 512)), "SERVFAIL");
}

// Mutated queries: an answer that can be read, with the query's id, or silence.
TEST_F(PacketTest, GarbageNeverCrashesTheServer) {
  AddMany(60);
  Random random(42);
  Message query = Query("many.default.svc.cluster.local");
  query.edns = Edns{.udp_bytes = 1232};
  const std::string good = Build(query, 512);
  int answered = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string packet = good;
    for (uint64_t i = 1 + random.Uniform(5); i > 0; --i) {
      packet[random.Uniform(packet.size())] = static_cast<char>(random.Uniform(256));
    }
    if (random.Chance(0.2)) packet.resize(random.Uniform(packet.size()));
    const auto bytes = Send(packet, random.Chance(0.5));
    if (!bytes) continue;
    ++answered;
    const auto answer = Parse(*bytes);
    ASSERT_TRUE(answer.ok()) << "round " << round << ": " << answer.status();
    EXPECT_TRUE(answer->header.response);
    EXPECT_EQ(answer->header.id, ParseHeader(packet)->header.id);
  }
  EXPECT_GT(answered, 10'000);
}

}  // namespace
}  // namespace kubemu::dns
