#include "messages/dns/dns_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "messages/core/random.h"
#include "messages/core/strings.h"

namespace kubemu::dns {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Bytes(std::initializer_list<int> values) {
  std::string bytes;
  for (int value : values) bytes.push_back(static_cast<char>(value));
  return bytes;
}

Record AddressRecord(const std::string& name, Ipv4 ip) {
  Record record{.name = name, .type = kA, .ttl = 30};
  record.address = ip;
  return record;
}

// One of everything.
Message FullMessage() {
  Message message;
  message.header.id = 0xbeef;
  message.header.response = true;
  message.header.authoritative = true;
  message.header.recursion_desired = true;
  message.header.rcode = kNxDomain;
  message.questions = {{"web.default.svc.cluster.local", kSrv, kClassIn}};
  message.answers.push_back(AddressRecord("web.default.svc.cluster.local", Ipv4(10, 96, 3, 7)));
  Record srv{.name = "_http._tcp.web.default.svc.cluster.local", .type = kSrv, .ttl = 30};
  srv.target = "web.default.svc.cluster.local";
  srv.srv = {0, 100, 80};
  message.answers.push_back(srv);
  Record alias{.name = "db.default.svc.cluster.local", .type = kCname, .ttl = 30};
  alias.target = "db.example.com";
  message.answers.push_back(alias);
  Record text{.name = "dns-version.cluster.local", .type = kTxt, .ttl = 28'800};
  text.text = {"1.1.0", "", std::string(255, 'x')};
  message.answers.push_back(text);
  Record soa{.name = "cluster.local", .type = kSoa, .ttl = 30};
  soa.soa = {"ns.dns.cluster.local", "hostmaster.cluster.local", 1, 2, 3, 4, 5};
  message.authorities.push_back(soa);
  Record other{.name = "cluster.local", .type = kAaaa, .ttl = 1};
  other.raw = std::string(16, '\x7f');
  message.additionals.push_back(other);
  message.edns = Edns{.udp_bytes = 1232, .dnssec_ok = true};
  return message;
}

TEST(DnsMessageTest, WhatIsWrittenIsReadBack) {
  const std::string packet = Build(FullMessage(), 4096);
  const auto parsed = Parse(packet);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, FullMessage());
  EXPECT_EQ(Build(*parsed, 4096), packet);
}

// The first example of RFC 1035 section 4.1.4, as bytes: F.ISI.ARPA, FOO.F.ISI.ARPA, ARPA, root.
TEST(DnsMessageTest, NamesAreCompressedAsInTheRfc) {
  NameOffsets known;
  std::string packet(20, '\0');
  ASSERT_TRUE(AppendName("F.ISI.ARPA", &known, &packet));
  EXPECT_EQ(packet.substr(20), std::string("\1F\3ISI\4ARPA\0", 12));
  ASSERT_TRUE(AppendName("FOO.F.ISI.ARPA", &known, &packet));
  EXPECT_EQ(packet.substr(32), "\3FOO" + Bytes({0xc0, 20}));
  ASSERT_TRUE(AppendName("ARPA", &known, &packet));
  EXPECT_EQ(packet.substr(38), Bytes({0xc0, 26}));
  ASSERT_TRUE(AppendName("", &known, &packet));
  EXPECT_EQ(packet.substr(40), Bytes({0}));
  size_t offset = 32;
  std::string name;
  ASSERT_TRUE(ReadName(packet, &offset, &name));
  EXPECT_EQ(name, "FOO.F.ISI.ARPA");
  EXPECT_EQ(offset, 38u);
}

TEST(DnsMessageTest, TheTargetOfSrvIsNotCompressed) {
  Message message;
  message.questions = {{"web.svc", kSrv, kClassIn}};
  Record srv{.name = "web.svc", .type = kSrv, .ttl = 30};
  srv.target = "web.svc";
  message.answers = {srv};
  EXPECT_THAT(Build(message, 512), testing::EndsWith(std::string("\3web\3svc\0", 9)));
}

TEST(DnsMessageTest, PointersThatLeadNowhereOrForwardAreRefused) {
  std::string name;
  for (const std::string& packet : {Bytes({0xc0, 0}),                // to itself
                                    Bytes({0xc0, 2, 0}),             // forward
                                    Bytes({1, 'a', 0xc0, 0, 0xc0}),  // half a pointer
                                    Bytes({0x40, 'a', 0}), Bytes({0x80, 0}), Bytes({5, 'a', 'b'}),
                                    Bytes({1, 'a'}), Bytes({})}) {
    size_t offset = packet.size() == 5 ? 4 : 0;
    EXPECT_FALSE(ReadName(packet, &offset, &name)) << packet.size();
  }
  // A pointer into the middle of a name that ends in a pointer to its own beginning: each points
  // back, so that the loop has to be found by the name's length.
  const std::string loop = Bytes({1, 'a', 0xc0, 0});
  size_t offset = 2;
  EXPECT_FALSE(ReadName(loop, &offset, &name));
}

TEST(DnsMessageTest, NamesKeepEveryByteAndTheirLimits) {
  const std::string label = std::string("a.b\\\0\xff z", 8);
  std::string packet = Bytes({8}) + label + Bytes({0});
  size_t offset = 0;
  std::string name;
  ASSERT_TRUE(ReadName(packet, &offset, &name));
  EXPECT_EQ(name, "a\\.b\\\\\\000\\255\\032z");
  std::string written;
  ASSERT_TRUE(AppendName(name, nullptr, &written));
  EXPECT_EQ(written, packet);

  const std::string long_label(63, 'x');
  const std::string longest =
      StrCat(long_label, ".", long_label, ".", long_label, ".", std::string(61, 'y'));
  EXPECT_THAT(*SplitName(longest), testing::SizeIs(4));
  EXPECT_FALSE(SplitName(longest + "z"));
  EXPECT_FALSE(SplitName(std::string(64, 'x')));
  EXPECT_FALSE(SplitName("a..b"));
  EXPECT_FALSE(SplitName(".a"));
  EXPECT_FALSE(SplitName("a\\25"));
  EXPECT_FALSE(SplitName("a\\"));
  EXPECT_THAT(*SplitName("a.b."), ElementsAre("a", "b"));
  EXPECT_THAT(*SplitName("."), testing::IsEmpty());
}

TEST(DnsMessageTest, WhatDoesNotFitIsLeftOutAndTcSaysSo) {
  Message message;
  message.questions = {{"many.default.svc.cluster.local", kA, kClassIn}};
  for (uint8_t i = 0; i < 100; ++i) {
    message.answers.push_back(AddressRecord("many.default.svc.cluster.local", Ipv4(10, 1, 0, i)));
  }
  message.edns = Edns{.udp_bytes = 512};
  const std::string packet = Build(message, 512);
  EXPECT_LE(packet.size(), 512u);
  const auto parsed = Parse(packet);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(parsed->header.truncated);
  EXPECT_EQ(parsed->answers.size(), (512u - 11 - 12 - 36) / 16);
  EXPECT_TRUE(parsed->edns);
  const auto whole = Parse(Build(message, 4096));
  ASSERT_TRUE(whole.ok());
  EXPECT_FALSE(whole->header.truncated);
  EXPECT_EQ(whole->answers.size(), 100u);

  // Additional records go first.
  Message additional = message;
  std::swap(additional.answers, additional.additionals);
  additional.answers.push_back(AddressRecord("many.default.svc.cluster.local", Ipv4(10, 1, 1, 1)));
  const auto shortened = Parse(Build(additional, 512));
  ASSERT_TRUE(shortened.ok());
  EXPECT_EQ(shortened->answers.size(), 1u);
  EXPECT_TRUE(shortened->header.truncated);
}

TEST(DnsMessageTest, DamageIsNamed) {
  const std::string packet = Build(FullMessage(), 4096);
  EXPECT_THAT(std::string(Parse("abc").status().message()), HasSubstr("shorter than its header"));
  EXPECT_THAT(std::string(Parse(packet + "x").status().message()), HasSubstr("bytes behind"));
  EXPECT_THAT(std::string(Parse(packet.substr(0, 20)).status().message()), HasSubstr("question 1"));
  EXPECT_THAT(std::string(Parse(packet.substr(0, 60)).status().message()),
              HasSubstr("answer record 1"));
  // A second OPT record, and one that is no additional record.
  Message none;
  none.edns = Edns{.udp_bytes = 512};
  std::string twice = Build(none, 512);
  twice += twice.substr(12);
  twice[11] = 2;
  EXPECT_FALSE(Parse(twice).ok());
  std::string misplaced = Build(none, 512);
  std::swap(misplaced[7], misplaced[11]);
  EXPECT_FALSE(Parse(misplaced).ok());
}

TEST(DnsMessageTest, SummariesAreForPeople) {
  Message query;
  query.questions = {{"web.default.svc.cluster.local", kA, kClassIn}};
  EXPECT_EQ(Summary(Build(query, 512)), "A web.default.svc.cluster.local");
  Message answer = query;
  answer.header.response = true;
  answer.answers.push_back(AddressRecord("web.default.svc.cluster.local", Ipv4(10, 96, 3, 7)));
  EXPECT_EQ(Summary(Build(answer, 512)), "A web.default.svc.cluster.local: NOERROR 10.96.3.7");
  EXPECT_EQ(Summary("GET / HTTP/1.1"), "");
}

// Garbage, and messages with some bytes changed, cut or repeated: never a crash, and what is read
// can be written and read again.
TEST(DnsMessageTest, GarbageAndMutationsAreReadOrRefused) {
  Random random(20'261'125);
  const std::string good = Build(FullMessage(), 4096);
  int read = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string packet = round % 4 == 0 ? std::string(random.Uniform(80), '\0') : good;
    if (round % 4 == 0) {
      for (char& c : packet) c = static_cast<char>(random.Uniform(256));
    }
    for (uint64_t i = 1 + random.Uniform(4); i > 0 && !packet.empty(); --i) {
      packet[random.Uniform(packet.size())] = static_cast<char>(random.Uniform(256));
    }
    if (random.Chance(0.2)) packet.resize(random.Uniform(packet.size() + 1));
    if (random.Chance(0.1)) packet += packet.substr(random.Uniform(packet.size() + 1));
    const auto parsed = Parse(packet);
    Summary(packet);
    if (!parsed.ok()) continue;
    ++read;
    const auto again = Parse(Build(*parsed, kTcpBytesMax));
    ASSERT_TRUE(again.ok()) << "round " << round << ": " << again.status();
    // Extended rcodes live in OPT: without one they cannot be written.
    if (parsed->edns) {
      EXPECT_EQ(again->header, parsed->header) << "round " << round;
    }
    EXPECT_EQ(again->answers, parsed->answers) << "round " << round;
  }
  EXPECT_GT(read, 1000);
}

}  // namespace
}  // namespace kubemu::dns
