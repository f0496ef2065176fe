#ifndef KUBEMU_MESSAGES_CORE_STRINGS_H_
#define KUBEMU_MESSAGES_CORE_STRINGS_H_

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

// Debian builds Abseil with its own absl::string_view, which does not mix with std::string_view, so
// Abseil serves kubemu for Status and StatusOr only, and these few stand in for absl/strings.
namespace kubemu {

namespace strings_internal {

inline void Append(std::string* out, std::string_view piece) {
  out->append(piece);
}
inline void Append(std::string* out, char piece) {
  out->push_back(piece);
}
template <std::integral Integer>
void Append(std::string* out, Integer piece) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, piece).ptr;
  out->append(digits, end);
}

}  // namespace strings_internal

// Strings, characters and integers, one after the other.
template <class... Pieces>
void StrAppend(std::string* out, const Pieces&... pieces) {
  (strings_internal::Append(out, pieces), ...);
}
template <class... Pieces>
std::string StrCat(const Pieces&... pieces) {
  std::string out;
  StrAppend(&out, pieces...);
  return out;
}

// "a,b,,c" at ',' gives "a", "b", "", "c"; "" gives one empty piece.
std::vector<std::string_view> StrSplit(std::string_view text, char separator);
std::string StrJoin(const std::vector<std::string>& pieces, std::string_view separator);
std::string_view StripSpaces(std::string_view text);
std::string AsciiLower(std::string_view text);
inline bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// The whole text as a decimal number of type Integer; false if it is anything else or too large.
template <std::integral Integer>
bool ParseInteger(std::string_view text, Integer* value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && stop == end && !text.empty();
}

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_CORE_STRINGS_H_
