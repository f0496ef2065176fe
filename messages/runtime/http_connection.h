#ifndef KUBEMU_MESSAGES_RUNTIME_HTTP_CONNECTION_H_
#define KUBEMU_MESSAGES_RUNTIME_HTTP_CONNECTION_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "messages/proto/http.pb.h"
#include "messages/runtime/http_door.h"

namespace kubemu {

// One client connection of the HTTP door: reads one request at a time and answers it before it
// reads the next, so that pipelined requests are answered in order.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  // `door` is not owned; Close is called before it dies.
  HttpConnection(HttpDoor* door, uint64_t number, boost::asio::ip::tcp::socket socket);

  void Start() { NextRequest(); }
  void Respond(const bus::HttpResponse& response);
  // Once in a while: closes what is past its deadline, and what the client has left while nobody
  // reads from it.
  void Check(RealTime now);
  // Cancels the request in flight and closes the socket.
  void Close();

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  enum class State { kIdle, kReading, kResponding, kDraining, kClosed };

  void NextRequest();
  void WaitReadable();
  void OnReadable();
  void OnReadableWhileResponding();
  bool ClientIsGone() const;
  // A part of an answer is written whose end is not known yet: a watch.
  bool Streaming() const { return head_written_ && request_ != 0; }
  void ReadHeader();
  void OnHeader();
  void ReadBody();
  void OnReadError(const boost::system::error_code& error);
  void Dispatch();
  void WriteHead(const bus::HttpResponse& response);
  void Reject(unsigned status, const std::string& reason, const std::string& message);
  void Flush();
  void Write();
  void FinishResponse();
  void Drain();
  void SetDeadline(std::chrono::seconds after) { deadline_ = RealNow() + after; }

  HttpDoor* door_;
  const uint64_t number_;
  boost::asio::ip::tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  State state_ = State::kIdle;
  RealTime deadline_ = RealTime::max();        // of what is awaited from the client
  RealTime write_deadline_ = RealTime::max();  // by then it must have taken some more
  bool waiting_readable_ = false;
  bool client_finished_ = false;  // the client has closed its sending side

  uint64_t request_ = 0;  // in flight
  std::string client_;    // its sender, "client/kubectl"
  bool head_request_ = false;
  bool http11_ = true;
  bool keep_alive_ = true;
  bool head_written_ = false;
  bool chunked_ = false;
  bool drain_ = false;  // the request was not read to its end
  std::string unsent_;
  std::string sending_;
  size_t sent_ = 0;  // of `sending_`
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_HTTP_CONNECTION_H_
