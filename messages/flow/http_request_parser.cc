#include "messages/flow/http_request_parser.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

// Used-up bytes before which the buffer is not moved.
constexpr size_t kCompactAt = 8 * 1024;

bool IsTokenChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenChar);
}

bool EqualsIgnoreCase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

// True if `list` ("keep-alive, Upgrade") has the element.
bool ListHas(std::string_view list, std::string_view lower) {
  for (const std::string_view piece : StrSplit(list, ',')) {
    if (EqualsIgnoreCase(StripSpaces(piece), lower)) return true;
  }
  return false;
}

}  // namespace

void HttpRequestParser::Drop(size_t bytes) {
  position_ += bytes;
  consumed_ += bytes;
  if (position_ == in_.size()) {
    in_.clear();
    position_ = 0;
  } else if (position_ > kCompactAt) {
    in_.erase(0, position_);
    position_ = 0;
  }
}

size_t HttpRequestParser::TakeConsumed() {
  return std::exchange(consumed_, 0);
}

HttpRequestParser::Result HttpRequestParser::Bad(int status) {
  state_ = State::kBad;
  bad_status_ = status;
  return Result::kBad;
}

HttpRequestParser::Result HttpRequestParser::Done(HttpRequestHead* request) {
  state_ = State::kHead;
  *request = std::move(head_);
  head_ = HttpRequestHead();
  return Result::kRequest;
}

HttpRequestParser::Result HttpRequestParser::Next(HttpRequestHead* request) {
  while (true) {
    switch (state_) {
      case State::kBad:
        return Result::kBad;
      case State::kHead: {
        const Result result = ReadHead();
        if (result == Result::kRequest) return Done(request);
        if (state_ == State::kHead || result != Result::kNeedMore) return result;
        break;
      }
      case State::kBody:
      case State::kChunkData: {
        const size_t take = std::min<uint64_t>(remaining_, buffered());
        remaining_ -= take;
        head_.body_bytes += take;
        Drop(take);
        if (remaining_ > 0) return Result::kNeedMore;
        if (state_ == State::kBody) return Done(request);
        state_ = State::kChunkEnd;
        break;
      }
      case State::kChunkSize:
        if (!ReadChunkSize()) return state_ == State::kBad ? Result::kBad : Result::kNeedMore;
        break;
      case State::kChunkEnd:
      case State::kTrailer: {
        std::string_view line;
        if (!ReadLine(&line)) return state_ == State::kBad ? Result::kBad : Result::kNeedMore;
        const bool empty = line.empty();
        if (state_ == State::kChunkEnd) {
          if (!empty) return Bad(400);
          state_ = State::kChunkSize;
        } else if (empty) {
          return Done(request);
        }
        break;
      }
    }
  }
}

HttpRequestParser::Result HttpRequestParser::ReadHead() {
  // Empty lines before a request are allowed (RFC 9112 section 2.2).
  while (buffered() >= 2 && in_[position_] == '\r' && in_[position_ + 1] == '\n') Drop(2);
  const std::string_view rest = std::string_view(in_).substr(position_);
  const size_t end = rest.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (rest.size() > kHeadMax) return Bad(431);
    // Garbage is told at once: a method is a token.
    const size_t space = std::min(rest.find(' '), rest.find('\r'));
    const std::string_view method = rest.substr(0, std::min(space, rest.size()));
    if (!method.empty() && (!IsToken(method) || method.size() > 32)) return Bad(400);
    return Result::kNeedMore;
  }
  if (end > kHeadMax) return Bad(431);
  if (!ParseHead(rest.substr(0, end + 2))) {
    state_ = State::kBad;
    return Result::kBad;
  }
  Drop(end + 4);
  if (!chunked_ && remaining_ == 0) return Result::kRequest;
  state_ = chunked_ ? State::kChunkSize : State::kBody;
  return expects_continue_ && buffered() == 0 ? Result::kContinue : Result::kNeedMore;
}

// `head` ends with the line break of its last line.
bool HttpRequestParser::ParseHead(std::string_view head) {
  bad_status_ = 400;
  remaining_ = 0;
  has_length_ = chunked_ = expects_continue_ = false;
  size_t line_end = head.find("\r\n");
  if (!ParseRequestLine(head.substr(0, line_end))) return false;
  while (line_end + 2 < head.size()) {
    const size_t start = line_end + 2;
    line_end = head.find("\r\n", start);
    if (!ParseHeader(head.substr(start, line_end - start))) return false;
  }
  return !(chunked_ && has_length_);  // request smuggling, RFC 9112 section 6.1
}

bool HttpRequestParser::ParseRequestLine(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last <= first + 1) return false;
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    if (version.starts_with("HTTP/")) bad_status_ = 505;
    return false;
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (!IsToken(method) || target.find(' ') != std::string_view::npos) return false;
  head_.method.assign(method);
  head_.target.assign(target);
  head_.keep_alive = version == "HTTP/1.1";
  head_.body_bytes = 0;
  return true;
}

bool HttpRequestParser::ParseHeader(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) return false;
  const std::string_view name = line.substr(0, colon);
  // Only these five lengths are looked at closer.
  switch (name.size()) {
    case 6:
      if (EqualsIgnoreCase(name, "expect")) {
        expects_continue_ = EqualsIgnoreCase(StripSpaces(line.substr(colon + 1)), "100-continue");
      }
      return true;
    case 10:
      if (EqualsIgnoreCase(name, "connection")) {
        const std::string_view value = line.substr(colon + 1);
        if (ListHas(value, "close")) head_.keep_alive = false;
        if (ListHas(value, "keep-alive")) head_.keep_alive = true;
      }
      return true;
    case 14:
      if (EqualsIgnoreCase(name, "content-length")) {
        uint64_t length = 0;
        if (!ParseInteger(StripSpaces(line.substr(colon + 1)), &length)) return false;
        if (has_length_ && length != remaining_) return false;
        has_length_ = true;
        remaining_ = length;
      }
      return true;
    case 17:
      if (EqualsIgnoreCase(name, "transfer-encoding")) {
        chunked_ = EqualsIgnoreCase(StripSpaces(line.substr(colon + 1)), "chunked");
        if (!chunked_) bad_status_ = 501;
        return chunked_;
      }
      return true;
    default:
      return true;
  }
}

bool HttpRequestParser::ReadLine(std::string_view* line) {
  const std::string_view rest = std::string_view(in_).substr(position_);
  const size_t end = rest.find("\r\n");
  if (end == std::string_view::npos || end > kChunkLineMax) {
    if (rest.size() > kChunkLineMax) Bad(400);
    return false;
  }
  *line = rest.substr(0, end);
  position_ += end + 2;  // the view stays valid: nothing is erased before the next Drop
  consumed_ += end + 2;
  return true;
}

bool HttpRequestParser::ReadChunkSize() {
  std::string_view line;
  if (!ReadLine(&line)) return false;
  const std::string_view digits = StripSpaces(line.substr(0, line.find(';')));
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, remaining_, 16);
  if (digits.empty() || error != std::errc() || stop != end) {
    Bad(400);
    return false;
  }
  state_ = remaining_ == 0 ? State::kTrailer : State::kChunkData;
  return true;
}

}  // namespace kubemu
