#include "messages/api/json_values.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr int64_t kSecondsPerDay = 86'400;
constexpr int64_t kYear0 = -62'167'219'200;     // 0000-01-01T00:00:00Z
constexpr int64_t kYear9999 = 253'402'300'799;  // 9999-12-31T23:59:59Z

void AppendPadded(int64_t value, int digits, std::string* out) {
  char text[20];
  for (int i = digits - 1; i >= 0; --i, value /= 10) text[i] = static_cast<char>('0' + value % 10);
  out->append(text, digits);
}

// Takes exactly `digits` digits off the front; -1 if they are not there.
int TakeFixedDigits(std::string_view* text, size_t digits) {
  if (text->size() < digits) return -1;
  int value = 0;
  for (size_t i = 0; i < digits; ++i) {
    if ((*text)[i] < '0' || (*text)[i] > '9') return -1;
    value = value * 10 + ((*text)[i] - '0');
  }
  text->remove_prefix(digits);
  return value;
}

bool TakeChar(std::string_view* text, char c) {
  if (text->empty() || text->front() != c) return false;
  text->remove_prefix(1);
  return true;
}

// ".123" into nanos (further digits are dropped); nothing is no fraction.
bool TakeFraction(std::string_view* text, int32_t* nanos) {
  *nanos = 0;
  if (!TakeChar(text, '.')) return true;
  int32_t unit = 100'000'000;
  size_t n = 0;
  for (; n < text->size() && (*text)[n] >= '0' && (*text)[n] <= '9'; ++n, unit /= 10) {
    *nanos += unit * ((*text)[n] - '0');
  }
  text->remove_prefix(n);
  return n > 0;
}

// "Z", "+02:00", "-05:30".
bool TakeOffset(std::string_view* text, int64_t* seconds) {
  *seconds = 0;
  if (TakeChar(text, 'Z')) return true;
  const bool minus = !text->empty() && text->front() == '-';
  if (!minus && (text->empty() || text->front() != '+')) return false;
  text->remove_prefix(1);
  const int hours = TakeFixedDigits(text, 2);
  if (!TakeChar(text, ':')) return false;
  const int minutes = TakeFixedDigits(text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
  *seconds = (minus ? -60 : 60) * (hours * 60 + minutes);
  return true;
}

bool TakeDate(std::string_view* text, int64_t* days) {
  const int year = TakeFixedDigits(text, 4);
  if (year < 0 || !TakeChar(text, '-')) return false;
  const int month = TakeFixedDigits(text, 2);
  if (month < 0 || !TakeChar(text, '-')) return false;
  const int day = TakeFixedDigits(text, 2);
  if (day < 0) return false;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return false;
  *days = std::chrono::sys_days(date).time_since_epoch().count();
  return true;
}

bool TakeClock(std::string_view* text, int64_t* seconds) {
  const int hour = TakeFixedDigits(text, 2);
  if (hour < 0 || hour > 23 || !TakeChar(text, ':')) return false;
  const int minute = TakeFixedDigits(text, 2);
  if (minute < 0 || minute > 59 || !TakeChar(text, ':')) return false;
  const int second = TakeFixedDigits(text, 2);
  if (second < 0 || second > 59) return false;
  *seconds = hour * 3600 + minute * 60 + second;
  return true;
}

// The bytes of the code point that begins at text[at]; 0 if it is malformed.
size_t CodePointBytes(std::string_view text, size_t at) {
  const auto byte = [text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned lead = byte(at);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(at + 1);
  if (lead == 0xe0 && second < 0xa0) return 0;  // longer than needed
  if (lead == 0xed && second > 0x9f) return 0;  // surrogates
  if (lead == 0xf0 && second < 0x90) return 0;
  if (lead == 0xf4 && second > 0x8f) return 0;  // past U+10FFFF
  return size;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t size = CodePointBytes(text, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

void AppendRfc3339(const Timestamp& time, int digits, std::string* out) {
  const int64_t seconds = std::clamp(time.seconds, kYear0, kYear9999);
  const int64_t days = (seconds >= 0 ? seconds : seconds - kSecondsPerDay + 1) / kSecondsPerDay;
  const int64_t clock = seconds - days * kSecondsPerDay;
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  AppendPadded(static_cast<int>(date.year()), 4, out);
  out->push_back('-');
  AppendPadded(static_cast<unsigned>(date.month()), 2, out);
  out->push_back('-');
  AppendPadded(static_cast<unsigned>(date.day()), 2, out);
  out->push_back('T');
  AppendPadded(clock / 3600, 2, out);
  out->push_back(':');
  AppendPadded(clock / 60 % 60, 2, out);
  out->push_back(':');
  AppendPadded(clock % 60, 2, out);
  if (digits > 0) {
    out->push_back('.');
    int64_t fraction = std::clamp(time.nanos, 0, 999'999'999);
    for (int i = digits; i < 9; ++i) fraction /= 10;
    AppendPadded(fraction, digits, out);
  }
  out->push_back('Z');
}

absl::Status ParseRfc3339(std::string_view text, Timestamp* time) {
  std::string_view rest = text;
  int64_t days = 0, clock = 0, offset = 0;
  int32_t nanos = 0;
  const bool ok = TakeDate(&rest, &days) && TakeChar(&rest, 'T') && TakeClock(&rest, &clock) &&
                  TakeFraction(&rest, &nanos) && TakeOffset(&rest, &offset) && rest.empty();
  if (!ok) {
    return absl::InvalidArgumentError(StrCat("parsing time \"", text,
                                             "\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"",
                                             rest.empty() ? text : rest, "\""));
  }
  *time = {days * kSecondsPerDay + clock - offset, nanos};
  return absl::OkStatus();
}

void AppendBase64(std::string_view bytes, std::string* out) {
  out->reserve(out->size() + (bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      out->push_back(k <= n ? kBase64[group >> (18 - 6 * k) & 63] : '=');
    }
  }
}

absl::Status DecodeBase64(std::string_view text, std::string* bytes) {
  static constexpr std::array<int8_t, 256> kDigits = [] {
    std::array<int8_t, 256> digits{};
    digits.fill(-1);
    for (size_t i = 0; i < kBase64.size(); ++i) {
      digits[static_cast<unsigned char>(kBase64[i])] = static_cast<int8_t>(i);
    }
    return digits;
  }();
  const auto error = [](size_t at) {
    return absl::InvalidArgumentError(StrCat("illegal base64 data at input byte ", at));
  };
  bytes->clear();
  uint32_t group = 0;
  int count = 0, padding = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c == '\n' || c == '\r') continue;
    if (c == '=' ? count < 2 : kDigits[c] < 0 || padding > 0) return error(i);
    padding += c == '=';
    group = group << 6 | (c == '=' ? 0u : static_cast<uint32_t>(kDigits[c]));
    if (++count < 4) continue;
    for (int k = 0; k < 3 - padding; ++k)
      bytes->push_back(static_cast<char>(group >> (16 - 8 * k)));
    group = 0;
    count = 0;  // behind padding every further digit is an error
  }
  return count > 0 ? error(text.size()) : absl::OkStatus();
}

}  // namespace kubemu
