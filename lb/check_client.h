#ifndef KUBEMU_LB_CHECK_CLIENT_H_
#define KUBEMU_LB_CHECK_CLIENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "messages/component.h"
#include "messages/core/ip.h"
#include "messages/flow/flow_end.h"
#include "messages/flow/http_response.h"

namespace kubemu {

// The address that health checks are sent from: apart from "lb", so that they can be told from
// clients' traffic.
inline constexpr char kCheckAddress[] = "lb/health";

// Health checks in flight: GET /healthz over a connection of its own each, to a node's address, as
// cloud load balancers do. Nothing here has a deadline: the caller cancels what takes too long.
class CheckClient {
 public:
  static constexpr uint16_t kFirstPort = 32768;  // of those it connects from, as Linux' default
  static constexpr uint16_t kLastPort = 60999;

  // `self`: lb's own IP, that checks come from.
  explicit CheckClient(Ipv4 self) : self_(self) {}

  // Returns the check's number, never 0.
  uint64_t Start(const std::string& node, SocketAddress to, Env& env);
  void Cancel(uint64_t check, Env& env);

  struct Result {
    uint64_t check = 0;
    bool passed = false;  // HTTP status 200
    std::string text;     // "200 OK", "503 Service Unavailable", "connection refused"
  };
  // The end of a check, if the message is that.
  std::optional<Result> Receive(const Message& message, Env& env);

  size_t in_flight() const { return checks_.size(); }

 private:
  struct Check {
    std::string request;
    FlowEnd end;
    HttpResponseReader reader;
    bool sent = false;
  };
  std::optional<Result> OnData(uint64_t flow, Check& check, const bus::FlowData& data, Env& env);

  const Ipv4 self_;
  uint64_t next_flow_ = 1;
  uint16_t next_port_ = kFirstPort;
  std::map<uint64_t, Check> checks_;  // by flow
};

}  // namespace kubemu

#endif  // KUBEMU_LB_CHECK_CLIENT_H_
