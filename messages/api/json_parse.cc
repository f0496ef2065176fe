#include <algorithm>
#include <set>
#include <utility>

#include "boost/json.hpp"
#include "messages/api/json.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

bool IsOneOf(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

// Walks a text that is known to be JSON and reports keys that come twice in one object.
class DuplicateFinder {
 public:
  DuplicateFinder(std::string_view text, FieldErrors* errors) : text_(text), errors_(errors) {}

  void Value(const std::string& path) {
    Spaces();
    if (Take('{')) return Object(path);
    if (Take('[')) return Array(path);
    if (Take('"')) {
      String();
      return;
    }
    while (at_ < text_.size() && !IsOneOf(text_[at_], ",]} \t\r\n")) ++at_;
  }

 private:
  void Object(const std::string& path) {
    std::set<std::string_view> keys;
    Spaces();
    while (!Take('}') && at_ < text_.size()) {
      Take('"');
      const std::string_view key = String();
      const std::string here = path.empty() ? std::string(key) : StrCat(path, ".", key);
      const bool room = errors_->duplicate.size() < kFieldErrorsMax;
      if (!keys.insert(key).second && room) errors_->duplicate.push_back(here);
      Spaces();
      Take(':');
      Value(here);
      Spaces();
      Take(',');
      Spaces();
    }
  }

  void Array(const std::string& path) {
    Spaces();
    for (int index = 0; !Take(']') && at_ < text_.size(); ++index) {
      Value(StrCat(path, "[", index, "]"));
      Spaces();
      Take(',');
      Spaces();
    }
  }

  // Behind the opening quote; the text between the quotes as it is written.
  std::string_view String() {
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    const size_t end = std::min(at_, text_.size());
    at_ = end + 1;
    return text_.substr(begin, end - begin);
  }

  void Spaces() {
    while (at_ < text_.size() && IsOneOf(text_[at_], " \t\r\n")) {
      ++at_;
    }
  }

  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
  FieldErrors* errors_;
};

}  // namespace

absl::StatusOr<boost::json::value> ParseJson(std::string_view text) {
  // One arena for the whole document: many small values that go together.
  return ParseJson(
      text, boost::json::make_shared_resource<boost::json::monotonic_resource>(4 * text.size()));
}

absl::StatusOr<boost::json::value> ParseJson(std::string_view text,
                                             boost::json::storage_ptr memory) {
  boost::json::parse_options options;
  options.max_depth = kJsonDepthMax;
  unsigned char buffer[4096];  // the parser's own needs
  boost::json::stream_parser parser({}, options, buffer, sizeof buffer);
  parser.reset(std::move(memory));
  boost::json::error_code error;
  size_t at = parser.write_some(text.data(), text.size(), error);
  if (!error && at < text.size()) error = boost::json::error::extra_data;
  if (!error) {
    parser.finish(error);
    at = text.size();
  }
  if (error == boost::json::error::too_deep) {
    return absl::InvalidArgumentError(
        StrCat("JSON is nested deeper than ", kJsonDepthMax, " levels (at byte ", at, ")"));
  }
  if (error == boost::json::error::incomplete) {
    return absl::InvalidArgumentError("unexpected end of JSON input");
  }
  if (error) {
    return absl::InvalidArgumentError(StrCat("invalid JSON at byte ", at, ": ", error.message()));
  }
  return parser.release();
}

void FindDuplicateFields(std::string_view text, FieldErrors* errors) {
  DuplicateFinder(text, errors).Value("");
}

}  // namespace kubemu
