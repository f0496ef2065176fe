#include "messages/api/quantity.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/status/status.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

using Nano = __int128;
using Format = Quantity::Format;

constexpr Nano kNanoPerUnit = 1'000'000'000;
constexpr Nano kMaxNano = Nano{std::numeric_limits<int64_t>::max()} * kNanoPerUnit;
// Of a number before a binary suffix this many fraction digits count exactly; the rest round up.
constexpr size_t kBinaryFractionDigits = 10;

constexpr std::string_view kWrongFormat =
    "quantities must match the regular expression "
    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
constexpr std::string_view kWrongSuffix = "unable to parse quantity's suffix";
constexpr std::string_view kWrongNumber = "unable to parse numeric part of quantity";

constexpr std::string_view kDecimalSuffixes[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
constexpr std::string_view kBinarySuffixes[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};

absl::Status Error(std::string_view text) {
  return absl::InvalidArgumentError(std::string(text));
}

// What stands before the suffix and what the suffix means.
struct Number {
  bool negative = false;
  std::string_view whole;     // digits without leading zeros
  std::string_view fraction;  // digits
};
struct Scale {
  Format format = Format::kDecimalSi;
  int64_t power10 = 0;  // of kDecimalSi and kDecimalExponent
  int power2 = 0;       // of kBinarySi
};

std::string_view TakeDigits(std::string_view* text) {
  size_t n = 0;
  while (n < text->size() && IsDigit((*text)[n])) ++n;
  const std::string_view digits = text->substr(0, n);
  text->remove_prefix(n);
  return digits;
}

absl::StatusOr<Number> TakeNumber(std::string_view* text) {
  Number number;
  if (!text->empty() && (text->front() == '-' || text->front() == '+')) {
    number.negative = text->front() == '-';
    text->remove_prefix(1);
  }
  number.whole = TakeDigits(text);
  const bool point = !text->empty() && text->front() == '.';
  if (point) {
    text->remove_prefix(1);
    number.fraction = TakeDigits(text);
  }
  if (number.whole.empty() && number.fraction.empty() && (point || !text->empty())) {
    // Without one digit, only what the suffix loop accepts is called a bad number.
    const bool suffix_like = text->find_first_not_of("eEinumkKMGTP") == std::string_view::npos;
    return Error(suffix_like ? kWrongNumber : kWrongFormat);
  }
  while (!number.whole.empty() && number.whole.front() == '0') number.whole.remove_prefix(1);
  return number;
}

// Letters, then a sign, then digits: the shape that upstream's regular expression allows.
bool SuffixShapeOk(std::string_view suffix) {
  const size_t letters = std::min(suffix.find_first_not_of("eEinumkKMGTP"), suffix.size());
  suffix.remove_prefix(letters);
  if (!suffix.empty() && (suffix.front() == '-' || suffix.front() == '+')) suffix.remove_prefix(1);
  TakeDigits(&suffix);
  return suffix.empty();
}

absl::StatusOr<Scale> ParseSuffix(std::string_view suffix) {
  if (!SuffixShapeOk(suffix)) return Error(kWrongFormat);
  Scale scale;
  for (int i = 0; i < static_cast<int>(std::size(kDecimalSuffixes)); ++i) {
    if (suffix == kDecimalSuffixes[i]) {
      scale.power10 = 3 * i - 9;
      return scale;
    }
  }
  for (int i = 1; i < static_cast<int>(std::size(kBinarySuffixes)); ++i) {
    if (suffix == kBinarySuffixes[i]) {
      scale.format = Format::kBinarySi;
      scale.power2 = 10 * i;
      return scale;
    }
  }
  scale.format = Format::kDecimalExponent;
  if (suffix.size() > 1 && (suffix[0] == 'e' || suffix[0] == 'E')) {
    suffix.remove_prefix(suffix[1] == '+' ? 2 : 1);
    if (ParseInteger(suffix, &scale.power10)) return scale;
  }
  return Error(kWrongSuffix);
}

// `digits` as a number, or kMaxNano + 1 when it is larger than that.
Nano DigitsOrTooLarge(std::string_view digits) {
  Nano value = 0;
  for (const char c : digits) {
    value = value * 10 + (c - '0');
    if (value > kMaxNano) return kMaxNano + 1;
  }
  return value;
}

bool AnyNonZero(std::string_view digits) {
  return digits.find_first_not_of('0') != std::string_view::npos;
}

// whole.fraction * 10^power10, in nano, rounded up.
Nano DecimalNano(const Number& number, int64_t power10) {
  std::string digits = StrCat(number.whole, number.fraction);
  const std::string_view significant =
      std::string_view(digits).substr(std::min(digits.find_first_not_of('0'), digits.size()));
  if (significant.empty()) return 0;
  // The position of the nano digit, counted from the end of the digits. Clamped: past 64 every
  // value is either too large or a single nano, whatever the exponent.
  const int64_t fraction_digits = static_cast<int64_t>(number.fraction.size());
  const int64_t shift = std::clamp<int64_t>(power10, -1'000'000, 1'000'000) + 9 - fraction_digits;
  if (shift >= 0) {
    if (shift > 64) return kMaxNano;
    return std::min(DigitsOrTooLarge(StrCat(significant, std::string(shift, '0'))), kMaxNano);
  }
  const size_t cut = std::min(significant.size(), static_cast<size_t>(-shift));
  const std::string_view kept = significant.substr(0, significant.size() - cut);
  const bool round_up = AnyNonZero(significant.substr(kept.size()));
  return std::min(DigitsOrTooLarge(kept) + (round_up ? 1 : 0), kMaxNano);
}

// whole.fraction * 2^power2, in nano, rounded up.
Nano BinaryNano(const Number& number, int power2) {
  const Nano factor = Nano{1} << power2;
  const Nano whole = DigitsOrTooLarge(number.whole);
  if (whole > kMaxNano / kNanoPerUnit / factor) return kMaxNano;

  const std::string_view exact = number.fraction.substr(0, kBinaryFractionDigits);
  Nano fraction = DigitsOrTooLarge(exact);
  if (AnyNonZero(number.fraction.substr(exact.size()))) fraction += 1;
  Nano denominator = 1;
  for (size_t i = 0; i < exact.size(); ++i) denominator *= 10;
  const Nano fraction_nano = (fraction * factor * kNanoPerUnit + denominator - 1) / denominator;
  return std::min(whole * factor * kNanoPerUnit + fraction_nano, kMaxNano);
}

int64_t DivideAwayFromZero(Nano nano, Nano divisor) {
  const Nano magnitude = nano < 0 ? -nano : nano;
  const Nano rounded =
      std::min((magnitude + divisor - 1) / divisor, Nano{std::numeric_limits<int64_t>::max()});
  return static_cast<int64_t>(nano < 0 ? -rounded : rounded);
}

std::string Digits(Nano value) {
  if (value == 0) return "0";
  std::string text;
  const bool negative = value < 0;
  for (Nano rest = negative ? -value : value; rest != 0; rest /= 10) {
    text.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
  }
  if (negative) text.push_back('-');
  std::reverse(text.begin(), text.end());
  return text;
}

// Whether the text is one of the forms in which most quantities are written, and which are
// canonical as they stand: 1 to 999 and a suffix that is too large a step for so small a number.
bool IsPlainlyCanonical(std::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) ++digits;
  if (digits == 0 || digits > 3 || text[0] == '0') return false;
  const std::string_view suffix = text.substr(digits);
  for (const std::string_view plain : {"", "m", "k", "M", "G", "Ki", "Mi", "Gi"}) {
    if (suffix == plain) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<Quantity> Quantity::Parse(std::string_view text) {
  if (text.empty()) return Error(kWrongFormat);
  absl::StatusOr<Number> number = TakeNumber(&text);
  if (!number.ok()) return number.status();
  absl::StatusOr<Scale> scale = ParseSuffix(text);
  if (!scale.ok()) return scale.status();

  const Nano magnitude = scale->format == Format::kBinarySi ? BinaryNano(*number, scale->power2)
                                                            : DecimalNano(*number, scale->power10);
  // "0.5Ki" of something smaller than one whole: decimal suffixes can say it exactly.
  if (scale->format == Format::kBinarySi && magnitude > 0 && magnitude < kNanoPerUnit) {
    scale->format = Format::kDecimalSi;
  }
  return Quantity(number->negative ? -magnitude : magnitude, scale->format);
}

Quantity Quantity::FromValue(int64_t value, Format format) {
  return Quantity(std::clamp(Nano{value} * kNanoPerUnit, -kMaxNano, kMaxNano), format);
}

Quantity Quantity::FromMilli(int64_t milli, Format format) {
  return Quantity(Nano{milli} * 1'000'000, format);
}

int64_t Quantity::Value() const {
  return DivideAwayFromZero(nano_, kNanoPerUnit);
}

int64_t Quantity::MilliValue() const {
  return DivideAwayFromZero(nano_, kNanoPerUnit / 1000);
}

Quantity& Quantity::operator+=(const Quantity& other) {
  if (nano_ == 0) format_ = other.format_;
  nano_ = std::clamp(nano_ + other.nano_, -kMaxNano, kMaxNano);
  return *this;
}

Quantity& Quantity::operator-=(const Quantity& other) {
  if (nano_ == 0) format_ = other.format_;
  nano_ = std::clamp(nano_ - other.nano_, -kMaxNano, kMaxNano);
  return *this;
}

std::string Quantity::ToString() const {
  if (nano_ == 0) return "0";
  const bool small = nano_ > -1024 * kNanoPerUnit && nano_ < 1024 * kNanoPerUnit;
  if (format_ == Format::kBinarySi && !small) {
    int64_t value = Value();
    size_t step = 0;
    for (; value % 1024 == 0 && step + 1 < std::size(kBinarySuffixes); ++step) value /= 1024;
    return StrCat(value, kBinarySuffixes[step]);
  }
  Nano value = nano_;
  int power10 = -9;
  for (; value % 1000 == 0 && power10 < 18; power10 += 3) value /= 1000;
  if (format_ == Format::kDecimalExponent) {
    return power10 == 0 ? Digits(value) : StrCat(Digits(value), "e", power10);
  }
  return StrCat(Digits(value), kDecimalSuffixes[(power10 + 9) / 3]);
}

absl::StatusOr<std::string> CanonicalQuantity(std::string_view text) {
  if (IsPlainlyCanonical(text)) return std::string(text);
  absl::StatusOr<Quantity> quantity = Quantity::Parse(text);
  if (!quantity.ok()) return quantity.status();
  return quantity->ToString();
}

}  // namespace kubemu
