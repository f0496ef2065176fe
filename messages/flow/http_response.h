#ifndef KUBEMU_MESSAGES_FLOW_HTTP_RESPONSE_H_
#define KUBEMU_MESSAGES_FLOW_HTTP_RESPONSE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "messages/core/time.h"

namespace kubemu {

// "OK" for 200; "Error" for a code that is not known here.
std::string_view HttpReason(int status);

// "Mon, 23 Nov 2026 18:13:22 GMT" (RFC 9110 section 5.6.7).
std::string HttpDate(WallTime wall);

struct PlainHttpAnswer {
  int status = 200;
  std::string_view server;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string_view headers = "";  // more of them, each with its "\r\n"
  std::string_view body;
  bool keep_alive = true;
};

// A whole HTTP/1.1 response. `head_length`, if not null, gets the length of the part before the
// body.
std::string RenderHttp(const PlainHttpAnswer& answer, WallTime wall, size_t* head_length = nullptr);

// Reads one HTTP/1.x response that ends with the connection or with its Content-Length.
class HttpResponseReader {
 public:
  static constexpr size_t kBodyMax = 4 * 1024;  // the rest of a longer body is dropped
  static constexpr size_t kHeadMax = 16 * 1024;

  void Append(std::string_view data);
  // The whole response is there (or it is garbage: then status is 0).
  bool done() const { return done_; }
  int status() const { return status_; }
  const std::string& body() const { return body_; }

 private:
  void ReadHead();

  std::string head_;
  std::string body_;
  bool in_body_ = false;
  bool done_ = false;
  bool has_length_ = false;
  uint64_t remaining_ = 0;
  int status_ = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_FLOW_HTTP_RESPONSE_H_
