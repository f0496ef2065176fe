#ifndef KUBEMU_MESSAGES_CORE_IP_H_
#define KUBEMU_MESSAGES_CORE_IP_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kubemu {

// An IPv4 address, host byte order. 0.0.0.0 is "none".
class Ipv4 {
 public:
  constexpr Ipv4() = default;
  constexpr explicit Ipv4(uint32_t bits) : bits_(bits) {}
  constexpr Ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
      : bits_(uint32_t{a} << 24 | uint32_t{b} << 16 | uint32_t{c} << 8 | d) {}

  // Four decimal numbers 0-255 without leading zeros ("010" is ambiguous, so it is refused, as
  // Kubernetes does since 1.22). InvalidArgument says what is wrong.
  static absl::StatusOr<Ipv4> Parse(std::string_view text);

  constexpr uint32_t bits() const { return bits_; }
  constexpr bool IsNone() const { return bits_ == 0; }
  constexpr bool IsLoopback() const { return bits_ >> 24 == 127; }
  std::string ToString() const;

  constexpr auto operator<=>(const Ipv4&) const = default;

 private:
  uint32_t bits_ = 0;
};

// An IPv4 network in CIDR form; the host bits of `base` are zero.
class Ipv4Network {
 public:
  constexpr Ipv4Network() = default;
  // REQUIRES: 0 <= prefix <= 32. Host bits of base are cleared.
  constexpr Ipv4Network(Ipv4 base, int prefix)
      : base_(Ipv4(base.bits() & MaskBits(prefix))), prefix_(prefix) {}

  // "10.244.0.0/16"; a bare address means /32.
  static absl::StatusOr<Ipv4Network> Parse(std::string_view text);

  constexpr Ipv4 base() const { return base_; }
  constexpr int prefix() const { return prefix_; }
  constexpr uint64_t size() const { return uint64_t{1} << (32 - prefix_); }
  constexpr bool Contains(Ipv4 ip) const { return (ip.bits() & MaskBits(prefix_)) == base_.bits(); }
  // The i-th address. REQUIRES: i < size().
  constexpr Ipv4 At(uint64_t i) const { return Ipv4(base_.bits() + static_cast<uint32_t>(i)); }
  std::string ToString() const;

  constexpr auto operator<=>(const Ipv4Network&) const = default;

 private:
  static constexpr uint32_t MaskBits(int prefix) {
    return prefix == 0 ? 0 : ~uint32_t{0} << (32 - prefix);
  }
  Ipv4 base_;
  int prefix_ = 0;
};

// An address and a port, "10.244.1.2:80".
struct SocketAddress {
  Ipv4 ip;
  uint16_t port = 0;

  static absl::StatusOr<SocketAddress> Parse(std::string_view text);
  std::string ToString() const;
  constexpr auto operator<=>(const SocketAddress&) const = default;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_CORE_IP_H_
