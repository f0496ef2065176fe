#ifndef KUBEMU_MESSAGES_FLOW_HTTP_FLOWS_H_
#define KUBEMU_MESSAGES_FLOW_HTTP_FLOWS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "messages/component.h"
#include "messages/core/deadline.h"
#include "messages/flow/flow_end.h"
#include "messages/flow/http_request_parser.h"

namespace kubemu {

// The HTTP server of a part that answers at once (health, metrics): HTTP/1.1 with keep-alive and
// pipelining over flows that others open to the part's address.
class HttpFlows {
 public:
  static constexpr size_t kConnectionsMax = 1024;
  static constexpr Duration kIdleMax = 90s;  // a connection without a request is closed
  static constexpr Duration kSweepInterval = 15s;

  struct Answer {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string headers;  // more of them, each with its "\r\n"
    std::string body;
  };
  // What to say to a request that came for that port.
  using Handler = std::function<Answer(uint16_t port, const HttpRequestHead& request)>;

  // The ports that are served from now on; connections to others are reset, new ones refused.
  void Listen(std::set<uint16_t> ports, Env& env);
  const std::set<uint16_t>& ports() const { return ports_; }

  // Takes FlowOpen, FlowData, FlowCredit and FlowClose from the side that opened the flow.
  void Receive(const Message& message, const Handler& handler, Env& env);
  void Tick(Env& env);
  Time NextWake() const { return sweep_.at(); }

  size_t size() const { return connections_.size(); }

 private:
  struct Connection {
    FlowEnd end;
    uint16_t port;
    HttpRequestParser parser;
    Time last_active;
  };
  using Connections = std::map<std::pair<std::string, uint64_t>, Connection>;  // by peer and flow

  void Open(const Message& message, Env& env);
  void OnData(Connections::iterator it, const bus::FlowData& data, const Handler& handler,
              Env& env);
  void Pump(Connection& connection, const Handler& handler, Env& env);

  std::set<uint16_t> ports_;
  Connections connections_;
  Deadline sweep_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_FLOW_HTTP_FLOWS_H_
