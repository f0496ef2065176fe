#ifndef KUBEMU_MESSAGES_FLOW_HTTP_REQUEST_PARSER_H_
#define KUBEMU_MESSAGES_FLOW_HTTP_REQUEST_PARSER_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace kubemu {

// What a server needs to know of one request. A body is read past and dropped.
struct HttpRequestHead {
  std::string method;
  std::string target;       // as sent: path and query
  bool keep_alive = true;   // the client wants to send more on this connection
  uint64_t body_bytes = 0;  // how long the body was
};

// Takes HTTP/1.0 and HTTP/1.1 requests (RFC 9112) out of a stream of bytes, however it is cut.
// Holds at most what the connection's window lets in.
class HttpRequestParser {
 public:
  static constexpr size_t kHeadMax = 16 * 1024;  // request line and headers, as nginx's 4 x 8 KiB
  static constexpr size_t kChunkLineMax = 1024;

  void Append(std::string_view data) { in_.append(data); }

  enum class Result {
    kNeedMore,  // no whole request yet
    kRequest,   // *request is the next one, with its body read past
    kContinue,  // the client waits for "100 Continue" before it sends the body; said once
    kBad,       // not HTTP, or past a limit: answer `bad_status` and close
  };
  Result Next(HttpRequestHead* request);

  // Of kBad: 400, 431 (head too large), 501 (transfer coding unknown), 505 (HTTP version unknown).
  int bad_status() const { return bad_status_; }
  // Bytes that were used up since the last call.
  size_t TakeConsumed();
  // Bytes that wait in the buffer.
  size_t buffered() const { return in_.size() - position_; }

 private:
  enum class State { kHead, kBody, kChunkSize, kChunkData, kChunkEnd, kTrailer, kBad };

  Result ReadHead();
  bool ParseHead(std::string_view head);
  bool ParseRequestLine(std::string_view line);
  bool ParseHeader(std::string_view line);
  bool ReadLine(std::string_view* line);
  bool ReadChunkSize();
  void Drop(size_t bytes);
  Result Bad(int status);
  Result Done(HttpRequestHead* request);

  std::string in_;
  size_t position_ = 0;
  size_t consumed_ = 0;
  State state_ = State::kHead;
  int bad_status_ = 400;
  uint64_t remaining_ = 0;  // of the body, or of the chunk
  HttpRequestHead head_;
  // Of the head that is read:
  bool has_length_ = false;
  bool chunked_ = false;
  bool expects_continue_ = false;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_FLOW_HTTP_REQUEST_PARSER_H_
