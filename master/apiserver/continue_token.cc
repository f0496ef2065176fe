#include "master/apiserver/continue_token.h"

#include "boost/json/value.hpp"
#include "messages/api/json.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// RFC 4648 section 5, without padding.
std::string ToBase64Url(std::string_view bytes) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      out += kAlphabet[bits >> count & 63];
    }
  }
  if (count > 0) out += kAlphabet[bits << (6 - count) & 63];
  return out;
}

std::optional<std::string> FromBase64Url(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 255);
    }
  }
  return out;
}

}  // namespace

std::string ContinueToken::Encode() const {
  std::string json = StrCat("{\"v\":\"meta.k8s.io/v1\",\"rv\":", revision, ",\"start\":");
  AppendJsonString(start, &json);
  json += '}';
  return ToBase64Url(json);
}

std::optional<ContinueToken> ContinueToken::Decode(std::string_view text) {
  const std::optional<std::string> json = FromBase64Url(text);
  if (!json) return std::nullopt;
  const absl::StatusOr<boost::json::value> value = ParseJson(*json);
  if (!value.ok() || !value->is_object()) return std::nullopt;
  const boost::json::value* revision = value->get_object().if_contains("rv");
  const boost::json::value* start = value->get_object().if_contains("start");
  if (revision == nullptr || start == nullptr || !start->is_string()) return std::nullopt;
  ContinueToken token;
  if (revision->is_int64() && revision->get_int64() >= 0) {
    token.revision = static_cast<uint64_t>(revision->get_int64());
  } else if (revision->is_uint64()) {
    token.revision = revision->get_uint64();
  } else {
    return std::nullopt;
  }
  token.start = std::string(start->get_string());
  return token;
}

}  // namespace kubemu
