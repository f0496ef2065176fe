#include "messages/runtime/http_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/status.hpp>
#include <cerrno>
#include <charconv>
#include <utility>

#include "messages/core/random.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr size_t kDrainBytesMax = 64 << 20;
constexpr std::chrono::seconds kDrainTimeout{5};

std::string_view View(boost::beast::string_view text) {
  return std::string_view(text.data(), text.size());
}

// "kubectl/v1.33.0 (linux/amd64) kubernetes/8adc0f0" gives "kubectl"; at most 30 plain characters.
std::string ShortAgent(std::string_view agent) {
  std::string name;
  for (const char c : AsciiLower(agent.substr(0, agent.find_first_of("/ ")))) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    if (plain && name.size() < 30) name += c;
  }
  return name.empty() ? "unknown" : name;
}

std::string StatusJson(unsigned code, const std::string& reason, const std::string& message) {
  return StrCat(
      R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":")", message,
      R"(","reason":")", reason, R"(","code":)", code, "}\n");
}

bool IsToken(const std::string& text) {
  return text.find_first_of("\r\n") == std::string::npos;
}

}  // namespace

HttpConnection::HttpConnection(HttpDoor* door, uint64_t number, asio::ip::tcp::socket socket)
    : door_(door), number_(number), socket_(std::move(socket)) {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
}

void HttpConnection::NextRequest() {
  state_ = State::kIdle;
  parser_.reset();
  if (buffer_.size() > 0) return ReadHeader();
  if (client_finished_) return Close();
  SetDeadline(HttpDoor::kIdleTimeout);
  WaitReadable();
}

// At most one wait: the one that was begun while a response was awaited serves the next request.
void HttpConnection::WaitReadable() {
  if (waiting_readable_) return;
  waiting_readable_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](const error_code& error) {
                       self->waiting_readable_ = false;
                       if (error || self->state_ == State::kClosed) return self->Close();
                       self->OnReadable();
                     });
}

void HttpConnection::OnReadable() {
  if (state_ == State::kIdle) return ReadHeader();
  if (state_ == State::kResponding) return OnReadableWhileResponding();
  if (state_ == State::kDraining) return Drain();
}

// Either the next, pipelined request, which waits its turn (from now on Check sees whether the
// client is gone), or the client is gone.
void HttpConnection::OnReadableWhileResponding() {
  char byte = 0;
  const ssize_t peeked = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (peeked > 0) return;
  if (peeked < 0 && (errno == EAGAIN || errno == EINTR)) return WaitReadable();
  client_finished_ = true;
  // Like Go's server, but a client that only closed its sending side still gets a plain answer.
  if (peeked < 0 || Streaming()) Close();
}

// The end of what it sends is marked behind data that nobody has read yet.
bool HttpConnection::ClientIsGone() const {
  pollfd events{const_cast<asio::ip::tcp::socket&>(socket_).native_handle(), POLLRDHUP, 0};
  if (::poll(&events, 1, 0) != 1) return false;
  if ((events.revents & (POLLHUP | POLLERR)) != 0) return true;
  // It may have sent several requests and then closed its sending side: it gets its answers.
  return Streaming();
}

void HttpConnection::Check(RealTime now) {
  if (write_deadline_ <= now) {
    door_->log_.Warn("an HTTP client does not read its answer: connection closed");
    // What the kernel still holds for it goes too.
    error_code ignored;
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    return Close();
  }
  const bool unwatched = state_ == State::kResponding && !waiting_readable_;
  if (deadline_ <= now || (unwatched && ClientIsGone())) Close();
}

void HttpConnection::ReadHeader() {
  state_ = State::kReading;
  SetDeadline(HttpDoor::kHeaderTimeout);
  parser_.emplace();
  parser_->header_limit(HttpDoor::kHttpHeaderBytesMax);
  parser_->body_limit(HttpDoor::kHttpBodyBytesMax);
  http::async_read_header(socket_, buffer_, *parser_,
                          [self = shared_from_this()](const error_code& error, size_t) {
                            if (self->state_ == State::kClosed) return;
                            if (error) return self->OnReadError(error);
                            self->OnHeader();
                          });
}

void HttpConnection::OnHeader() {
  const auto& header = parser_->get();
  http11_ = header.version() >= 11;
  keep_alive_ = header.keep_alive();
  head_request_ = header.method() == http::verb::head;
  if (parser_->is_done()) return Dispatch();
  SetDeadline(HttpDoor::kBodyTimeout);
  if (boost::beast::iequals(header[http::field::expect], "100-continue")) {
    unsent_ += "HTTP/1.1 100 Continue\r\n\r\n";
    Flush();
  }
  http::async_read(socket_, buffer_, *parser_,
                   [self = shared_from_this()](const error_code& error, size_t) {
                     if (self->state_ == State::kClosed) return;
                     if (error) return self->OnReadError(error);
                     self->Dispatch();
                   });
}

void HttpConnection::OnReadError(const error_code& error) {
  if (error == http::error::body_limit) {
    return Reject(413, "RequestEntityTooLarge",
                  StrCat("Request entity too large: limit is ", HttpDoor::kHttpBodyBytesMax));
  }
  if (error == http::error::header_limit) {
    return Reject(431, "BadRequest",
                  StrCat("request headers too large: limit is ", HttpDoor::kHttpHeaderBytesMax));
  }
  const bool clean_end = error == http::error::end_of_stream && buffer_.size() == 0;
  if (!clean_end && error.category() == http::make_error_code(http::error::bad_method).category()) {
    return Reject(400, "BadRequest", StrCat("malformed HTTP request: ", error.message()));
  }
  Close();
}

void HttpConnection::Dispatch() {
  state_ = State::kResponding;
  deadline_ = RealTime::max();
  head_written_ = chunked_ = false;
  const auto& parsed = parser_->get();
  bus::HttpRequest request;
  request_ = door_->Register(this);
  request.set_request(request_);
  request.set_method(std::string(View(parsed.method_string())));
  request.set_target(std::string(View(parsed.target())));
  for (const auto& field : parsed) {
    bus::HttpHeader* header = request.add_headers();
    header->set_name(AsciiLower(View(field.name_string())));
    header->set_value(std::string(View(field.value())));
  }
  request.set_body(std::move(parser_->get().body()));
  client_ = StrCat("client/", ShortAgent(View(parsed[http::field::user_agent])));
  Trace trace;
  const std::string_view session = View(parsed["Kubectl-Session"]);
  if (!session.empty()) trace.trace_id = StableHash(StrCat("kubectl-session ", session)) | 1;
  door_->host_->Inject(client_, door_->handler_, std::move(request), trace);
  if (buffer_.size() == 0) WaitReadable();
}

void HttpConnection::Respond(const bus::HttpResponse& response) {
  if (state_ != State::kResponding) return;
  if (unsent_.size() > HttpDoor::kHttpUnsentBytesMax) {
    door_->log_.Warn("an HTTP client reads too slowly: connection closed");
    return Close();
  }
  if (!response.last() && client_finished_) return Close();
  if (!head_written_) WriteHead(response);
  if (!head_request_ && !response.body().empty()) {
    if (chunked_) {
      char size[20];
      const auto end = std::to_chars(size, size + sizeof size, response.body().size(), 16).ptr;
      unsent_.append(size, end);
      unsent_ += "\r\n";
    }
    unsent_ += response.body();
    if (chunked_) unsent_ += "\r\n";
  }
  if (response.last()) {
    if (chunked_ && !head_request_) unsent_ += "0\r\n\r\n";
    door_->requests_.erase(request_);
    request_ = 0;
  }
  Flush();
}

void HttpConnection::WriteHead(const bus::HttpResponse& response) {
  head_written_ = true;
  const unsigned status = response.status() == 0 ? 500 : response.status();
  const bool bodiless = status == 204 || status == 304 || status < 200;
  chunked_ = !response.last() && http11_;
  if (!response.last() && !http11_) keep_alive_ = false;
  StrAppend(&unsent_, "HTTP/1.1 ", status, " ",
            View(http::obsolete_reason(http::int_to_status(status))), "\r\n");
  for (const bus::HttpHeader& header : response.headers()) {
    if (!IsToken(header.name()) || !IsToken(header.value())) continue;
    StrAppend(&unsent_, header.name(), ": ", header.value(), "\r\n");
  }
  if (chunked_) {
    unsent_ += "transfer-encoding: chunked\r\n";
  } else if (response.last() && !bodiless) {
    StrAppend(&unsent_, "content-length: ", response.body().size(), "\r\n");
  }
  if (!keep_alive_) {
    unsent_ += "connection: close\r\n";
  } else if (!http11_) {
    unsent_ += "connection: keep-alive\r\n";
  }
  unsent_ += "\r\n";
}

// What the client sent is not taken; it gets the reason, and time to read it.
void HttpConnection::Reject(unsigned status, const std::string& reason,
                            const std::string& message) {
  state_ = State::kResponding;
  request_ = 0;
  keep_alive_ = false;
  head_written_ = head_request_ = chunked_ = false;
  drain_ = true;
  bus::HttpResponse response;
  response.set_status(status);
  bus::HttpHeader* type = response.add_headers();
  type->set_name("content-type");
  type->set_value("application/json");
  response.set_body(StatusJson(status, reason, message));
  response.set_last(true);
  SetDeadline(kDrainTimeout);
  Respond(response);
}

void HttpConnection::Flush() {
  if (!sending_.empty()) return;
  if (unsent_.empty()) return FinishResponse();
  std::swap(sending_, unsent_);
  sent_ = 0;
  Write();
}

void HttpConnection::Write() {
  write_deadline_ = RealNow() + door_->write_timeout_;
  socket_.async_write_some(asio::buffer(sending_) + sent_,
                           [self = shared_from_this()](const error_code& error, size_t bytes) {
                             if (self->state_ == State::kClosed) return;
                             if (error) return self->Close();
                             self->sent_ += bytes;
                             if (self->sent_ < self->sending_.size()) return self->Write();
                             self->write_deadline_ = RealTime::max();
                             self->sending_.clear();
                             if (self->sending_.capacity() > HttpDoor::kHttpBodyBytesMax) {
                               self->sending_.shrink_to_fit();
                             }
                             self->Flush();
                           });
}

// All is written. If that was the end of a response, the next request may come.
void HttpConnection::FinishResponse() {
  if (state_ != State::kResponding || request_ != 0 || !head_written_) return;
  if (keep_alive_) return NextRequest();
  if (!drain_) return Close();
  // Closing with unread input would reset the connection and could destroy the answer.
  state_ = State::kDraining;
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  Drain();
}

void HttpConnection::Drain() {
  std::array<char, 65536> scratch;
  error_code error;
  for (size_t taken = 0; taken < kDrainBytesMax;) {
    taken += socket_.read_some(asio::buffer(scratch), error);
    if (error == asio::error::would_block) return WaitReadable();
    if (error) break;
  }
  Close();
}

void HttpConnection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  error_code ignored;
  socket_.close(ignored);
  const auto self = shared_from_this();  // the door's table may hold the last reference
  door_->connections_.erase(number_);
  if (request_ == 0) return;
  door_->requests_.erase(request_);
  bus::HttpCancel cancel;
  cancel.set_request(std::exchange(request_, 0));
  door_->host_->Inject(client_, door_->handler_, std::move(cancel));
}

}  // namespace kubemu
