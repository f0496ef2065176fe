#include "messages/flow/http_response.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "messages/core/strings.h"

namespace kubemu {

std::string_view HttpReason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

std::string HttpDate(WallTime wall) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::chrono::sys_time<Duration> time{wall.time_since_epoch()};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss<std::chrono::seconds> clock{
      std::chrono::floor<std::chrono::seconds>(time - day)};
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT",
                kDays[std::chrono::weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

std::string RenderHttp(const PlainHttpAnswer& answer, WallTime wall, size_t* head_length) {
  std::string text;
  text.reserve(256 + answer.body.size());
  StrAppend(&text, "HTTP/1.1 ", answer.status, " ", HttpReason(answer.status), "\r\n");
  if (!answer.server.empty()) StrAppend(&text, "Server: ", answer.server, "\r\n");
  StrAppend(&text, "Date: ", HttpDate(wall), "\r\nContent-Type: ", answer.content_type,
            "\r\nContent-Length: ", answer.body.size(),
            "\r\nConnection: ", answer.keep_alive ? "keep-alive" : "close", "\r\n", answer.headers,
            "\r\n");
  if (head_length != nullptr) *head_length = text.size();
  text += answer.body;
  return text;
}

void HttpResponseReader::Append(std::string_view data) {
  if (done_) return;
  if (!in_body_) {
    head_ += data;
    ReadHead();
    return;
  }
  if (has_length_) {
    data = data.substr(0, std::min<uint64_t>(data.size(), remaining_));
    remaining_ -= data.size();
    done_ = remaining_ == 0;
  }
  body_ += data.substr(0, kBodyMax - std::min(body_.size(), kBodyMax));
}

void HttpResponseReader::ReadHead() {
  const size_t end = head_.find("\r\n\r\n");
  if (end == std::string::npos) {
    done_ = head_.size() > kHeadMax;
    return;
  }
  const std::string head = AsciiLower(std::string_view(head_).substr(0, end + 2));
  if (!head.starts_with("http/1.") || head.size() < 12 ||
      !ParseInteger(std::string_view(head).substr(9, 3), &status_)) {
    status_ = 0;
    done_ = true;
    return;
  }
  static constexpr std::string_view kLength = "\r\ncontent-length:";
  if (const size_t at = head.find(kLength); at != std::string::npos) {
    const size_t start = at + kLength.size();
    const size_t stop = head.find("\r\n", start);
    has_length_ =
        ParseInteger(StripSpaces(std::string_view(head).substr(start, stop - start)), &remaining_);
  }
  in_body_ = true;
  done_ = has_length_ && remaining_ == 0;
  const std::string rest = head_.substr(end + 4);
  head_.clear();
  if (!done_) Append(rest);
}

}  // namespace kubemu
