#ifndef KUBEMU_MESSAGES_API_QUANTITY_H_
#define KUBEMU_MESSAGES_API_QUANTITY_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kubemu {

// An amount of a resource as Kubernetes writes it: "100m" (cpu), "1.5Gi" (memory), "2e3".
// Exact to 1e-9; finer values round up (away from zero), values past +-(2^63 - 1) stop there.
// Rules: apimachinery/pkg/api/resource/quantity.go.
class Quantity {
 public:
  // The family of the suffix it prints with; what it was written with decides.
  enum class Format : uint8_t { kDecimalSi, kBinarySi, kDecimalExponent };

  constexpr Quantity() = default;

  // InvalidArgument with upstream's text when `text` is no quantity.
  static absl::StatusOr<Quantity> Parse(std::string_view text);

  static Quantity FromValue(int64_t value, Format format = Format::kDecimalSi);
  static Quantity FromMilli(int64_t milli, Format format = Format::kDecimalSi);

  // Rounded away from zero; stops at the limits of int64_t.
  int64_t Value() const;
  int64_t MilliValue() const;

  bool IsZero() const { return nano_ == 0; }
  int Sign() const { return nano_ == 0 ? 0 : nano_ < 0 ? -1 : 1; }
  Format format() const { return format_; }

  // The sum or difference keeps the left side's format; when the left side is zero, the right
  // side's (as upstream, so that a sum started from zero prints like its parts).
  Quantity& operator+=(const Quantity& other);
  Quantity& operator-=(const Quantity& other);
  friend Quantity operator+(Quantity a, const Quantity& b) { return a += b; }
  friend Quantity operator-(Quantity a, const Quantity& b) { return a -= b; }

  // Compares amounts; "1" and "1000m" are equal.
  friend std::strong_ordering operator<=>(const Quantity& a, const Quantity& b) {
    return a.nano_ <=> b.nano_;
  }
  friend bool operator==(const Quantity& a, const Quantity& b) { return a.nano_ == b.nano_; }

  // The canonical text: largest suffix without a fraction ("1500m", "1536Mi", "2e3", "0").
  std::string ToString() const;

 private:
  using Nano = __int128;

  constexpr Quantity(Nano nano, Format format) : nano_(nano), format_(format) {}

  Nano nano_ = 0;
  Format format_ = Format::kDecimalSi;
};

// The canonical text of `text`, or the error of Quantity::Parse.
absl::StatusOr<std::string> CanonicalQuantity(std::string_view text);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_QUANTITY_H_
