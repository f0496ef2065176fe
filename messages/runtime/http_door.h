#ifndef KUBEMU_MESSAGES_RUNTIME_HTTP_DOOR_H_
#define KUBEMU_MESSAGES_RUNTIME_HTTP_DOOR_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "messages/core/ip.h"
#include "messages/runtime/clock.h"
#include "messages/runtime/rate_limited_log.h"
#include "messages/runtime/runtime_host.h"

namespace boost::asio {
class io_context;
}

namespace kubemu {

class HttpConnection;

// The HTTP door of a process: HTTP/1.1 with keep-alive and pipelining on real sockets, one
// HttpRequest message ("client/<program>" to the part that answers, such as "master/apiserver", or
// "lb", which shows its figures) per request, HttpResponse parts
// back into bytes. All requests of one kubectl run (they carry the same Kubectl-Session header)
// share one trace. Has no logic of its own beyond HTTP's framing: a malformed request is answered
// here, everything else by that part.
class HttpDoor {
 public:
  static constexpr size_t kHttpConnectionsMax = 4096;
  static constexpr uint64_t kHttpBodyBytesMax = 3 << 20;  // apiserver's limit for one request
  static constexpr uint32_t kHttpHeaderBytesMax = 64 * 1024;
  // Bytes that wait for a client that does not read; past it the connection is closed.
  static constexpr size_t kHttpUnsentBytesMax = 64 << 20;
  static constexpr std::chrono::seconds kHeaderTimeout{10};
  static constexpr std::chrono::seconds kBodyTimeout{60};
  static constexpr std::chrono::seconds kIdleTimeout{90};
  // In which a client must have taken some more of what is written to it.
  static constexpr std::chrono::seconds kWriteTimeout{60};
  // Between two looks at deadlines, and at clients whose end shows only when asked for.
  static constexpr std::chrono::milliseconds kSweepInterval{1000};

  // Errors as ListenOn's. `handler` is the part that answers. `host` is not owned.
  static absl::StatusOr<std::unique_ptr<HttpDoor>> Listen(SocketAddress address, bool insecure,
                                                          std::string handler,
                                                          std::chrono::milliseconds write_timeout,
                                                          RuntimeHost* host,
                                                          boost::asio::io_context& io);
  ~HttpDoor();
  HttpDoor(const HttpDoor&) = delete;
  HttpDoor& operator=(const HttpDoor&) = delete;

  SocketAddress address() const { return address_; }

  // An HttpResponse for one of the door's requests; one for a request that is over is ignored.
  void Receive(const Message& message);

 private:
  friend class HttpConnection;
  struct Acceptor;

  HttpDoor(std::string handler, std::chrono::milliseconds write_timeout, RuntimeHost* host,
           std::unique_ptr<Acceptor> acceptor);
  void Accept();
  void Sweep();
  uint64_t Register(HttpConnection* connection);

  const std::string handler_;
  const std::chrono::milliseconds write_timeout_;
  RuntimeHost* const host_;
  std::unique_ptr<Acceptor> acceptor_;
  SocketAddress address_;
  uint64_t next_connection_ = 1;
  uint64_t next_request_ = 1;
  std::map<uint64_t, std::shared_ptr<HttpConnection>> connections_;
  std::map<uint64_t, HttpConnection*> requests_;  // in flight
  bool sweeping_ = false;
  RateLimitedLog log_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_HTTP_DOOR_H_
