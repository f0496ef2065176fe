#include "master/apiserver/http/target.h"

#include "messages/core/strings.h"

namespace kubemu {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

absl::StatusOr<std::string> Decode(std::string_view text, bool plus_is_space) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return absl::InvalidArgumentError(StrCat("invalid URL escape in \"", text, "\""));
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<HttpTarget> HttpTarget::Parse(std::string_view target) {
  HttpTarget result;
  const size_t question = target.find('?');
  result.path = std::string(target.substr(0, question));
  for (std::string_view segment : StrSplit(result.path, '/')) {
    absl::StatusOr<std::string> decoded = Decode(segment, false);
    if (!decoded.ok()) return decoded.status();
    for (char c : *decoded) {
      if (static_cast<unsigned char>(c) < 0x20)
        return absl::InvalidArgumentError("control character in the path");
    }
    result.segments.push_back(*std::move(decoded));
  }
  // A path begins with '/': the first piece is empty.
  if (!result.segments.empty() && result.segments.front().empty())
    result.segments.erase(result.segments.begin());
  while (!result.segments.empty() && result.segments.back().empty()) result.segments.pop_back();
  if (question == std::string_view::npos) return result;
  for (std::string_view pair : StrSplit(target.substr(question + 1), '&')) {
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    absl::StatusOr<std::string> name = Decode(pair.substr(0, equals), true);
    if (!name.ok()) return name.status();
    absl::StatusOr<std::string> value =
        equals == std::string_view::npos ? "" : Decode(pair.substr(equals + 1), true);
    if (!value.ok()) return value.status();
    result.query.emplace_back(*std::move(name), *std::move(value));
  }
  return result;
}

std::string_view HttpTarget::Get(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return "";
}

bool HttpTarget::Has(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return true;
  }
  return false;
}

bool HttpTarget::Flag(std::string_view name) const {
  if (!Has(name)) return false;
  const std::string value = AsciiLower(Get(name));
  return value != "false" && value != "0";
}

int64_t HttpTarget::Number(std::string_view name) const {
  int64_t value = 0;
  return ParseInteger(Get(name), &value) ? value : 0;
}

}  // namespace kubemu
