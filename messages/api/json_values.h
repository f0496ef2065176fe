#ifndef KUBEMU_MESSAGES_API_JSON_VALUES_H_
#define KUBEMU_MESSAGES_API_JSON_VALUES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

// The scalar forms of Kubernetes' JSON that are strings there.
namespace kubemu {

// A moment in UTC: seconds since 1970-01-01T00:00:00Z, nanos in [0, 999'999'999].
struct Timestamp {
  int64_t seconds = 0;
  int32_t nanos = 0;
};

// "2025-01-01T00:00:00Z", with `digits` (0, 6 or 9) digits of the second's fraction. Years 0000 to
// 9999; what lies outside is written as the nearest of them.
void AppendRfc3339(const Timestamp& time, int digits, std::string* out);

// RFC 3339 with any fraction and any offset. InvalidArgument with a text like Go's.
absl::Status ParseRfc3339(std::string_view text, Timestamp* time);

// Standard alphabet with padding (RFC 4648), without quotes.
void AppendBase64(std::string_view bytes, std::string* out);

// Strict about padding, but skips line breaks, as Go does. InvalidArgument with Go's text.
absl::Status DecodeBase64(std::string_view text, std::string* bytes);

// Well-formed UTF-8: no surrogates, nothing past U+10FFFF, no longer form than needed.
bool IsUtf8(std::string_view text);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_JSON_VALUES_H_
