#include "messages/flow/proxy_header.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr std::string_view kV1Signature = "PROXY ";
constexpr std::string_view kV2Signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr size_t kV2HeadSize = 16;
constexpr size_t kV2Ipv4Size = 12;     // two addresses, two ports
constexpr char kV2Proxy = 0x21;        // version 2, command PROXY
constexpr char kV2Local = 0x20;        // version 2, command LOCAL
constexpr char kV2TcpOverIpv4 = 0x11;  // AF_INET, SOCK_STREAM

void AppendBigEndian(uint32_t value, int bytes, std::string* out) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> shift));
  }
}

uint32_t ReadBigEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

// "0" to "65535" without leading zeros.
bool ParsePort(std::string_view text, uint16_t* port) {
  return ParseInteger(text, port) && (text.size() == 1 || text[0] != '0');
}

// One begins with the other.
bool Agree(std::string_view text, std::string_view signature) {
  const size_t length = std::min(text.size(), signature.size());
  return text.substr(0, length) == signature.substr(0, length);
}

}  // namespace

std::string ProxyHeader(ProxyVersion version, SocketAddress source, SocketAddress destination) {
  if (version == ProxyVersion::kV1) {
    return StrCat("PROXY TCP4 ", source.ip.ToString(), " ", destination.ip.ToString(), " ",
                  source.port, " ", destination.port, "\r\n");
  }
  std::string header;
  if (version == ProxyVersion::kNone) return header;
  header = kV2Signature;
  header.push_back(kV2Proxy);
  header.push_back(kV2TcpOverIpv4);
  AppendBigEndian(kV2Ipv4Size, 2, &header);
  AppendBigEndian(source.ip.bits(), 4, &header);
  AppendBigEndian(destination.ip.bits(), 4, &header);
  AppendBigEndian(source.port, 2, &header);
  AppendBigEndian(destination.port, 2, &header);
  return header;
}

ProxyHeaderReader::Result ProxyHeaderReader::Append(std::string_view data) {
  in_ += data;
  if (header_ > 0) return Result::kDone;
  if (Agree(in_, kV1Signature)) return ReadV1();
  if (Agree(in_, kV2Signature)) return ReadV2();
  return Result::kBad;
}

ProxyHeaderReader::Result ProxyHeaderReader::ReadV1() {
  const size_t end = in_.find("\r\n");
  if (end == std::string::npos || end + 2 > kV1Max) {
    return in_.size() >= kV1Max ? Result::kBad : Result::kNeedMore;
  }
  const std::vector<std::string_view> words = StrSplit(std::string_view(in_).substr(0, end), ' ');
  if (words[1] == "TCP4") {
    if (words.size() != 6) return Result::kBad;
    const absl::StatusOr<Ipv4> source = Ipv4::Parse(words[2]);
    const absl::StatusOr<Ipv4> destination = Ipv4::Parse(words[3]);
    uint16_t source_port = 0;
    uint16_t destination_port = 0;
    if (!source.ok() || !destination.ok() || !ParsePort(words[4], &source_port) ||
        !ParsePort(words[5], &destination_port)) {
      return Result::kBad;
    }
    source_ = SocketAddress{*source, source_port};
  } else if (words[1] != "TCP6" && words[1] != "UNKNOWN") {
    return Result::kBad;
  }
  header_ = end + 2;
  return Result::kDone;
}

ProxyHeaderReader::Result ProxyHeaderReader::ReadV2() {
  if (in_.size() < kV2HeadSize) return Result::kNeedMore;
  const std::string_view text(in_);
  const char command = text[12];
  const size_t body = ReadBigEndian(text.substr(14, 2));
  if ((command != kV2Proxy && command != kV2Local) || body > kV2BodyMax) return Result::kBad;
  if (text.size() < kV2HeadSize + body) return Result::kNeedMore;
  if (command == kV2Proxy && text[13] == kV2TcpOverIpv4) {
    if (body < kV2Ipv4Size) return Result::kBad;
    source_ = SocketAddress{Ipv4(ReadBigEndian(text.substr(16, 4))),
                            static_cast<uint16_t>(ReadBigEndian(text.substr(24, 2)))};
  }
  header_ = kV2HeadSize + body;
  return Result::kDone;
}

}  // namespace kubemu
