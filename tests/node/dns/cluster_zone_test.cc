#include "node/dns/cluster_zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "messages/core/strings.h"
#include "tests/node/dns/sample_cluster.h"

namespace kubemu::dns {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class ClusterZoneTest : public testing::Test {
 protected:
  ZoneAnswer Ask(const std::string& name, uint16_t type = kA) {
    return AnswerQuestion(records_, options_, {name, type, kClassIn});
  }
  // The answers as text, with "NXDOMAIN" or "NODATA" (and the SOA that has to be there) if none.
  std::vector<std::string> Texts(const std::string& name, uint16_t type = kA) {
    const ZoneAnswer answer = Ask(name, type);
    if (answer.answers.empty()) {
      if (!answer.authoritative) return {RcodeName(answer.rcode)};
      EXPECT_THAT(answer.authorities, SizeIs(1));
      EXPECT_EQ(answer.authorities[0].type, kSoa);
      return {answer.rcode == kNoError ? "NODATA" : RcodeName(answer.rcode)};
    }
    EXPECT_TRUE(answer.authoritative);
    EXPECT_EQ(answer.rcode, kNoError);
    std::vector<std::string> texts;
    for (const Record& record : answer.answers) texts.push_back(RecordLine(record));
    return texts;
  }

  const ClusterRecords records_ = SampleCluster();
  ZoneOptions options_{.serial = 7, .server = Ipv4(10, 244, 1, 9)};
};

TEST_F(ClusterZoneTest, AServiceHasItsClusterAddress) {
  EXPECT_THAT(Texts("web.default.svc.cluster.local"),
              ElementsAre("web.default.svc.cluster.local 30 A 10.96.3.7"));
  EXPECT_THAT(Texts("WEB.Default.svc.CLUSTER.local"),
              ElementsAre("WEB.Default.svc.CLUSTER.local 30 A 10.96.3.7"));
  EXPECT_THAT(Texts("web.default.svc.cluster.local", kAaaa), ElementsAre("NODATA"));
  EXPECT_THAT(Texts("web.default.svc.cluster.local", kMx), ElementsAre("NODATA"));
  EXPECT_THAT(Texts("web.default.svc.cluster.local", kTxt), ElementsAre("NODATA"));
  EXPECT_THAT(Texts("nothing.default.svc.cluster.local"), ElementsAre("NXDOMAIN"));
  EXPECT_THAT(Texts("web.nowhere.svc.cluster.local"), ElementsAre("NXDOMAIN"));
  EXPECT_THAT(Texts("nothing.default.svc.cluster.local", kMx), ElementsAre("NXDOMAIN"));
}

TEST_F(ClusterZoneTest, NamesBetweenExistWithoutRecords) {
  for (const char* name : {"cluster.local", "svc.cluster.local", "pod.cluster.local",
                           "default.svc.cluster.local", "default.pod.cluster.local"}) {
    EXPECT_THAT(Texts(name), ElementsAre("NODATA")) << name;
  }
  for (const char* name :
       {"nowhere.svc.cluster.local", "foo.cluster.local", "a.b._tcp.web.default.svc.cluster.local",
        "web.cluster.local", "web.svc.cluster.local"}) {
    EXPECT_THAT(Texts(name), ElementsAre("NXDOMAIN")) << name;
  }
}

TEST_F(ClusterZoneTest, SrvNamesThePortsWithTheirAddresses) {
  const ZoneAnswer answer = Ask("_http._tcp.web.default.svc.cluster.local", kSrv);
  ASSERT_THAT(answer.answers, SizeIs(1));
  EXPECT_EQ(RecordLine(answer.answers[0]),
            "_http._tcp.web.default.svc.cluster.local 30 SRV 0 100 80 "
            "web.default.svc.cluster.local");
  ASSERT_THAT(answer.additionals, SizeIs(1));
  EXPECT_EQ(RecordLine(answer.additionals[0]), "web.default.svc.cluster.local 30 A 10.96.3.7");
  EXPECT_THAT(Texts("_http._udp.web.default.svc.cluster.local", kSrv), ElementsAre("NXDOMAIN"));
  EXPECT_THAT(Texts("_https._tcp.web.default.svc.cluster.local", kSrv), ElementsAre("NXDOMAIN"));
  // Without port and protocol: all ports.
  EXPECT_THAT(Texts("dns.default.svc.cluster.local", kSrv),
              UnorderedElementsAre(
                  "dns.default.svc.cluster.local 30 SRV 0 50 53 dns.default.svc.cluster.local",
                  "dns.default.svc.cluster.local 30 SRV 0 50 9153 dns.default.svc.cluster.local"));
}

TEST_F(ClusterZoneTest, AHeadlessServiceHasItsReadyEndpoints) {
  EXPECT_THAT(Texts("db.default.svc.cluster.local"),
              UnorderedElementsAre("db.default.svc.cluster.local 30 A 10.244.1.5",
                                   "db.default.svc.cluster.local 30 A 10.244.2.6"));
  EXPECT_THAT(Texts("db-0.db.default.svc.cluster.local"),
              ElementsAre("db-0.db.default.svc.cluster.local 30 A 10.244.1.5"));
  EXPECT_THAT(Texts("10-244-2-6.db.default.svc.cluster.local"),
              ElementsAre("10-244-2-6.db.default.svc.cluster.local 30 A 10.244.2.6"));
  EXPECT_THAT(Texts("db-9.db.default.svc.cluster.local"), ElementsAre("NXDOMAIN"));
  const ZoneAnswer srv = Ask("_sql._tcp.db.default.svc.cluster.local", kSrv);
  ASSERT_THAT(srv.answers, SizeIs(2));
  EXPECT_EQ(RecordLine(srv.answers[0]),
            "_sql._tcp.db.default.svc.cluster.local 30 SRV 0 50 5432 "
            "db-0.db.default.svc.cluster.local");
  EXPECT_THAT(srv.additionals, SizeIs(2));
  EXPECT_EQ(srv.additionals[1].name, "10-244-2-6.db.default.svc.cluster.local");
}

TEST_F(ClusterZoneTest, AHeadlessServiceWithoutEndpointsHasNoName) {
  EXPECT_THAT(Texts("empty.default.svc.cluster.local"), ElementsAre("NXDOMAIN"));
}

TEST_F(ClusterZoneTest, AHeadlessServiceWithoutPortsHasAddressesAndNoSrv) {
  EXPECT_THAT(Texts("peers.default.svc.cluster.local"),
              ElementsAre("peers.default.svc.cluster.local 30 A 10.244.3.3"));
  EXPECT_THAT(Texts("peers.default.svc.cluster.local", kSrv), ElementsAre("NODATA"));
}

TEST_F(ClusterZoneTest, AnEndpointOfAServiceWithAnAddressHasANameToo) {
  EXPECT_THAT(Texts("10-244-1-4.web.default.svc.cluster.local"),
              ElementsAre("10-244-1-4.web.default.svc.cluster.local 30 A 10.244.1.4"));
}

TEST_F(ClusterZoneTest, PodRecordsComeFromTheName) {
  EXPECT_THAT(Texts("10-244-1-2.default.pod.cluster.local"),
              ElementsAre("10-244-1-2.default.pod.cluster.local 30 A 10.244.1.2"));
  EXPECT_THAT(Texts("10-244-1-2.nowhere.pod.cluster.local"), ElementsAre("NXDOMAIN"));
  EXPECT_THAT(Texts("10-244-1.default.pod.cluster.local"), ElementsAre("NXDOMAIN"));
  EXPECT_THAT(Texts("10-244-1-300.default.pod.cluster.local"), ElementsAre("NXDOMAIN"));
}

TEST_F(ClusterZoneTest, ExternalNamesAreAliases) {
  EXPECT_THAT(Texts("ext.default.svc.cluster.local"),
              ElementsAre("ext.default.svc.cluster.local 30 CNAME db.example.com"));
  EXPECT_THAT(Texts("ext.default.svc.cluster.local", kAaaa),
              ElementsAre("ext.default.svc.cluster.local 30 CNAME db.example.com"));
  EXPECT_THAT(Texts("ext.default.svc.cluster.local", kCname),
              ElementsAre("ext.default.svc.cluster.local 30 CNAME db.example.com"));
  EXPECT_THAT(Texts("_x._tcp.ext.default.svc.cluster.local", kSrv), ElementsAre("NXDOMAIN"));
  EXPECT_THAT(Texts("ext.default.svc.cluster.local", kSrv), ElementsAre("NODATA"));
  // Inside the zone the alias is followed; one that leads to itself leads nowhere.
  EXPECT_THAT(Texts("alias.default.svc.cluster.local"),
              ElementsAre("alias.default.svc.cluster.local 30 CNAME web.default.svc.cluster.local",
                          "web.default.svc.cluster.local 30 A 10.96.3.7"));
  EXPECT_THAT(Texts("loop.default.svc.cluster.local"), ElementsAre("NODATA"));
  EXPECT_THAT(Texts("ping.default.svc.cluster.local"), ElementsAre("NODATA"));
}

TEST_F(ClusterZoneTest, AddressesLeadBackToNames) {
  EXPECT_THAT(Texts("7.3.96.10.in-addr.arpa", kPtr),
              ElementsAre("7.3.96.10.in-addr.arpa 30 PTR web.default.svc.cluster.local"));
  EXPECT_THAT(Texts("5.1.244.10.IN-ADDR.arpa", kPtr),
              ElementsAre("5.1.244.10.IN-ADDR.arpa 30 PTR db-0.db.default.svc.cluster.local"));
  EXPECT_THAT(
      Texts("4.1.244.10.in-addr.arpa", kPtr),
      ElementsAre("4.1.244.10.in-addr.arpa 30 PTR 10-244-1-4.web.default.svc.cluster.local"));
  // Others are the upstream server's, and there is none.
  EXPECT_THAT(Texts("1.2.0.192.in-addr.arpa", kPtr), ElementsAre("SERVFAIL"));
  EXPECT_THAT(Texts("7.3.96.10.in-addr.arpa", kA), ElementsAre("SERVFAIL"));
}

TEST_F(ClusterZoneTest, TheZoneDescribesItself) {
  EXPECT_THAT(Texts("dns-version.cluster.local", kTxt),
              ElementsAre("dns-version.cluster.local 28800 TXT 1.1.0"));
  EXPECT_THAT(Texts("cluster.local", kSoa),
              ElementsAre("cluster.local 30 SOA ns.dns.cluster.local hostmaster.cluster.local 7 "
                          "7200 1800 86400 30"));
  const ZoneAnswer ns = Ask("cluster.local", kNs);
  ASSERT_THAT(ns.answers, SizeIs(1));
  EXPECT_EQ(RecordLine(ns.answers[0]), "cluster.local 30 NS dns.default.svc.cluster.local");
  ASSERT_THAT(ns.additionals, SizeIs(1));
  EXPECT_EQ(RecordLine(ns.additionals[0]), "dns.default.svc.cluster.local 30 A 10.96.0.10");
  EXPECT_THAT(Texts("ns.dns.cluster.local"), ElementsAre("ns.dns.cluster.local 30 A 10.96.0.10"));
  EXPECT_THAT(Texts("web.default.svc.cluster.local", kSoa), ElementsAre("NODATA"));
}

TEST_F(ClusterZoneTest, OtherZonesAndClassesAreNotAnswered) {
  EXPECT_THAT(Texts("example.com"), ElementsAre("SERVFAIL"));
  EXPECT_THAT(Texts("notcluster.local"), ElementsAre("SERVFAIL"));
  EXPECT_THAT(Texts("web.default.svc.cluster.local", kAxfr), ElementsAre("REFUSED"));
  const ZoneAnswer chaos = AnswerQuestion(records_, options_, {"version.bind", kTxt, 3});
  EXPECT_EQ(chaos.rcode, kRefused);
}

TEST_F(ClusterZoneTest, BeforeAllIsKnownNothingIsSaidNotToExist) {
  options_.synced = false;
  EXPECT_THAT(Texts("nothing.default.svc.cluster.local"), ElementsAre("SERVFAIL"));
  EXPECT_THAT(Texts("web.default.svc.cluster.local"),
              ElementsAre(StartsWith("web.default.svc.cluster.local")));
}

TEST_F(ClusterZoneTest, WhatIsRemovedIsGone) {
  ClusterRecords records = SampleCluster();
  records.RemoveService("default/web");
  records.RemoveSlice("default/db-1");
  records.RemoveNamespace("other");
  EXPECT_EQ(records.ServiceAt(Ipv4(10, 96, 3, 7)), "");
  EXPECT_THAT(records.SlicesAt(Ipv4(10, 244, 1, 5)), IsEmpty());
  EXPECT_THAT(records.SlicesOf("default/db"), SizeIs(1));
  EXPECT_FALSE(records.HasNamespace("other"));
  // An address that another Service got before the old one was seen to go stays the new one's.
  records.SetService("default/new", {.cluster_ip = Ipv4(10, 96, 0, 10)});
  records.RemoveService("default/dns");
  EXPECT_EQ(records.ServiceAt(Ipv4(10, 96, 0, 10)), "default/new");
}

}  // namespace
}  // namespace kubemu::dns
