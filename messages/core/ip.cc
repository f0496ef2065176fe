#include "messages/core/ip.h"

#include "messages/core/strings.h"

namespace kubemu {
namespace {

// A decimal number 0..max without sign, spaces or leading zeros.
bool ParseDecimal(std::string_view text, uint32_t max, uint32_t* value) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return false;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return ParseInteger(text, value) && *value <= max;
}

absl::Status Bad(std::string_view text, std::string_view form) {
  return absl::InvalidArgumentError(StrCat("\"", text, "\" is not ", form));
}

}  // namespace

absl::StatusOr<Ipv4> Ipv4::Parse(std::string_view text) {
  const std::vector<std::string_view> parts = StrSplit(text, '.');
  uint32_t bits = 0;
  if (parts.size() != 4) return Bad(text, "an IPv4 address such as 10.244.1.2");
  for (std::string_view part : parts) {
    uint32_t value = 0;
    if (!ParseDecimal(part, 255, &value)) return Bad(text, "an IPv4 address such as 10.244.1.2");
    bits = bits << 8 | value;
  }
  return Ipv4(bits);
}

std::string Ipv4::ToString() const {
  return StrCat(bits_ >> 24, ".", (bits_ >> 16) & 255, ".", (bits_ >> 8) & 255, ".", bits_ & 255);
}

absl::StatusOr<Ipv4Network> Ipv4Network::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  absl::StatusOr<Ipv4> base = Ipv4::Parse(text.substr(0, slash));
  if (!base.ok()) return Bad(text, "an IPv4 network such as 10.244.0.0/16");
  if (slash == std::string_view::npos) return Ipv4Network(*base, 32);
  uint32_t prefix = 0;
  if (!ParseDecimal(text.substr(slash + 1), 32, &prefix)) {
    return Bad(text, "an IPv4 network such as 10.244.0.0/16");
  }
  return Ipv4Network(*base, static_cast<int>(prefix));
}

std::string Ipv4Network::ToString() const {
  return StrCat(base_.ToString(), "/", prefix_);
}

absl::StatusOr<SocketAddress> SocketAddress::Parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Bad(text, "an address and port such as 10.0.0.1:80");
  absl::StatusOr<Ipv4> ip = Ipv4::Parse(text.substr(0, colon));
  uint32_t port = 0;
  if (!ip.ok() || !ParseDecimal(text.substr(colon + 1), 65535, &port)) {
    return Bad(text, "an address and port such as 10.0.0.1:80");
  }
  return SocketAddress{*ip, static_cast<uint16_t>(port)};
}

std::string SocketAddress::ToString() const {
  return StrCat(ip.ToString(), ":", port);
}

}  // namespace kubemu
