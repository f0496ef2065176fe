// PROXY headers byte by byte, after HAProxy's doc/proxy-protocol.txt.
#include "messages/flow/proxy_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/random.h"

namespace kubemu {
namespace {

constexpr SocketAddress kProxyClient{Ipv4(192, 168, 0, 1), 56324};
constexpr SocketAddress kProxyService{Ipv4(192, 168, 0, 11), 443};

std::string HeaderBytes(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes.push_back(static_cast<char>(value));
  return bytes;
}

// 12 bytes of signature.
std::string Signature() {
  return HeaderBytes({0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a});
}

// Section 2.1 has this very line as its example.
TEST(ProxyHeader, VersionOneIsALine) {
  EXPECT_EQ(ProxyHeader(ProxyVersion::kV1, kProxyClient, kProxyService),
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
  EXPECT_EQ(ProxyHeader(ProxyVersion::kNone, kProxyClient, kProxyService), "");
}

TEST(ProxyHeader, VersionTwoIsTwentyEightBytes) {
  EXPECT_EQ(ProxyHeader(ProxyVersion::kV2, kProxyClient, kProxyService),
            Signature() + HeaderBytes({0x21,             // version 2, command PROXY
                                       0x11,             // TCP over IPv4
                                       0x00, 0x0c,       // 12 bytes follow
                                       192, 168, 0, 1,   // source
                                       192, 168, 0, 11,  // destination
                                       0xdc, 0x04,       // 56324
                                       0x01, 0xbb}));    // 443
}

TEST(ProxyHeaderReader, TakesBothVersionsHoweverTheyAreCut) {
  for (const ProxyVersion version : {ProxyVersion::kV1, ProxyVersion::kV2}) {
    const std::string header = ProxyHeader(version, kProxyClient, kProxyService);
    const std::string bytes = header + "GET / HTTP/1.1\r\n";
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      ProxyHeaderReader reader;
      const ProxyHeaderReader::Result first = reader.Append(bytes.substr(0, cut));
      EXPECT_EQ(first, cut < header.size() ? ProxyHeaderReader::Result::kNeedMore
                                           : ProxyHeaderReader::Result::kDone)
          << cut;
      EXPECT_EQ(reader.Append(bytes.substr(cut)), ProxyHeaderReader::Result::kDone);
      EXPECT_EQ(reader.source(), kProxyClient);
      EXPECT_EQ(reader.rest(), "GET / HTTP/1.1\r\n");
    }
  }
}

TEST(ProxyHeaderReader, TakesWhatDoesNotNameAnIpv4Client) {
  const std::string headers[] = {
      "PROXY UNKNOWN\r\n",
      "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
      "PROXY TCP6 2001:db8::1 2001:db8::2 4000 80\r\n",
      Signature() + HeaderBytes({0x20, 0x00, 0, 0}),                        // LOCAL
      Signature() + HeaderBytes({0x21, 0x00, 0, 3, 1, 2, 3}),               // AF_UNSPEC
      Signature() + HeaderBytes({0x21, 0x21, 0, 36}) + std::string(36, 1),  // TCP over IPv6
  };
  for (const std::string& header : headers) {
    ProxyHeaderReader reader;
    EXPECT_EQ(reader.Append(header + "x"), ProxyHeaderReader::Result::kDone) << header;
    EXPECT_EQ(reader.source(), std::nullopt);
    EXPECT_EQ(reader.rest(), "x");
  }
}

TEST(ProxyHeaderReader, DropsExtensionsOfVersionTwo) {
  ProxyHeaderReader reader;
  EXPECT_EQ(reader.Append(Signature() +
                          HeaderBytes({0x21, 0x11, 0, 17, 10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 1, 0,  //
                                       0x04, 0,    2, 7,  7}) +
                          "rest"),
            ProxyHeaderReader::Result::kDone);
  EXPECT_EQ(reader.source(), (SocketAddress{Ipv4(10, 0, 0, 1), 80}));
  EXPECT_EQ(reader.rest(), "rest");
}

TEST(ProxyHeaderReader, RefusesEverythingElse) {
  const std::string bad[] = {
      "GET / HTTP/1.1\r\n",
      "PROXY\r\n",
      "PROXY  TCP4 1.2.3.4 1.2.3.5 1 2\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.5 1\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.5 1 2 3\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.5 01 2\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.5 65536 2\r\n",
      "PROXY TCP4 1.2.3.400 1.2.3.5 1 2\r\n",
      "PROXY UDP4 1.2.3.4 1.2.3.5 1 2\r\n",
      "PROXY " + std::string(200, 'x'),
      Signature() + HeaderBytes({0x11, 0x11, 0, 12}) + std::string(12, 1),  // version 1
      Signature() + HeaderBytes({0x22, 0x11, 0, 12}) + std::string(12, 1),  // no such command
      Signature() + HeaderBytes({0x21, 0x11, 0, 11}) + std::string(11, 1),  // too short
      Signature() + HeaderBytes({0x21, 0x11, 0xff, 0xff}),                  // too long
  };
  for (const std::string& bytes : bad) {
    EXPECT_EQ(ProxyHeaderReader().Append(bytes), ProxyHeaderReader::Result::kBad) << bytes;
  }
}

TEST(ProxyHeaderReader, RandomBytesNeverBreakIt) {
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = ProxyHeader(i % 2 == 0 ? ProxyVersion::kV1 : ProxyVersion::kV2,
                                    kProxyClient, kProxyService);
    for (int changes = 0; changes < 3; ++changes) {
      bytes[random.Uniform(bytes.size())] = static_cast<char>(random.Next());
    }
    ProxyHeaderReader reader;
    const ProxyHeaderReader::Result result = reader.Append(bytes);
    EXPECT_TRUE(result != ProxyHeaderReader::Result::kDone || reader.rest().size() < bytes.size());
  }
}

}  // namespace
}  // namespace kubemu
