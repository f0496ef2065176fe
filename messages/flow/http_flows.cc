#include "messages/flow/http_flows.h"

#include "messages/core/strings.h"
#include "messages/flow/http_response.h"

namespace kubemu {
namespace {

// What a client that ignores its credit may put into a connection's buffer.
constexpr size_t kBufferMax = FlowEnd::kWindow + 16 * 1024;

uint64_t FlowNumber(const Message& message) {
  return message.kind == bus::FLOW_OPEN ? message.As<bus::FlowOpen>().flow() : FlowOf(message);
}

void CloseUnknown(const Message& message, bus::FlowClose::Reason reason, std::string detail,
                  Env& env) {
  FlowEnd(message.to, message.from, FlowNumber(message), true, 0)
      .Close(reason, std::move(detail), env);
}

void Render(FlowEnd& end, const HttpFlows::Answer& answer, const HttpRequestHead& head, Env& env) {
  PlainHttpAnswer plain;
  plain.status = answer.status;
  plain.content_type = answer.content_type;
  plain.headers = answer.headers;
  plain.body = answer.body;
  plain.keep_alive = head.keep_alive;
  size_t head_length = 0;
  std::string text = RenderHttp(plain, env.wall, &head_length);
  if (head.method == "HEAD") text.resize(head_length);
  end.Send(text, !head.keep_alive, env);
}

}  // namespace

void HttpFlows::Listen(std::set<uint16_t> ports, Env& env) {
  ports_ = std::move(ports);
  for (auto it = connections_.begin(); it != connections_.end();) {
    const auto current = it++;
    if (ports_.contains(current->second.port)) continue;
    current->second.end.Close(bus::FlowClose::RESET, "the port is no longer served", env);
    connections_.erase(current);
  }
}

void HttpFlows::Receive(const Message& message, const Handler& handler, Env& env) {
  if (message.kind == bus::FLOW_OPEN) return Open(message, env);
  const auto it = connections_.find({message.from, FlowNumber(message)});
  if (it == connections_.end()) {
    if (message.kind == bus::FLOW_DATA) {
      CloseUnknown(message, bus::FlowClose::RESET, "unknown flow", env);
    }
    return;
  }
  it->second.last_active = env.now;
  if (message.kind == bus::FLOW_DATA) {
    return OnData(it, message.As<bus::FlowData>(), handler, env);
  }
  if (message.kind == bus::FLOW_CREDIT) {
    it->second.end.OnCredit(message.As<bus::FlowCredit>().bytes(), env);
    Pump(it->second, handler, env);
    if (it->second.end.done()) connections_.erase(it);
  } else if (message.kind == bus::FLOW_CLOSE) {
    connections_.erase(it);
  }
}

void HttpFlows::Open(const Message& message, Env& env) {
  const auto& open = message.As<bus::FlowOpen>();
  const std::pair<std::string, uint64_t> key{message.from, open.flow()};
  if (connections_.contains(key)) return;  // doubled
  const auto port = static_cast<uint16_t>(open.destination_port());
  if (open.protocol() != bus::TCP || !ports_.contains(port)) {
    return CloseUnknown(message, bus::FlowClose::REFUSED,
                        StrCat(message.to, " does not listen on port ", port), env);
  }
  if (connections_.size() >= kConnectionsMax) {
    return CloseUnknown(message, bus::FlowClose::LIMIT,
                        StrCat("kConnectionsMax: too many connections to ", message.to), env);
  }
  Connection connection{FlowEnd(message.to, message.from, open.flow(), true, open.credit()), port,
                        HttpRequestParser(), env.now};
  connection.end.Accept(env);
  connections_.emplace(key, std::move(connection));
  if (!sweep_.IsSet()) sweep_.Set(env.now + kSweepInterval);
}

void HttpFlows::OnData(Connections::iterator it, const bus::FlowData& data, const Handler& handler,
                       Env& env) {
  Connection& connection = it->second;
  const FlowEnd::Input input = connection.end.OnData(data);
  if (input == FlowEnd::Input::kDoubled) return;
  if (input == FlowEnd::Input::kLost || connection.parser.buffered() > kBufferMax) {
    connection.end.Close(bus::FlowClose::RESET, "flow data was lost", env);
    connections_.erase(it);
    return;
  }
  connection.parser.Append(data.data());
  Pump(connection, handler, env);
  if (connection.end.done()) connections_.erase(it);
}

// Answers the requests that are there, as long as the client takes the answers.
void HttpFlows::Pump(Connection& connection, const Handler& handler, Env& env) {
  FlowEnd& end = connection.end;
  while (end.unsent() == 0 && !end.fin_sent()) {
    HttpRequestHead head;
    const HttpRequestParser::Result result = connection.parser.Next(&head);
    if (result == HttpRequestParser::Result::kRequest) {
      Render(end, handler(connection.port, head), head, env);
    } else if (result == HttpRequestParser::Result::kContinue) {
      end.Send("HTTP/1.1 100 Continue\r\n\r\n", false, env);
    } else if (result == HttpRequestParser::Result::kBad) {
      Answer bad;
      bad.status = connection.parser.bad_status();
      bad.body = StrCat(bad.status, " ", HttpReason(bad.status), "\n");
      Render(end, bad, {.method = "GET", .target = "", .keep_alive = false}, env);
    } else {
      if (end.fin_received()) end.Send("", true, env);
      break;
    }
  }
  end.Consumed(connection.parser.TakeConsumed(), env);
}

void HttpFlows::Tick(Env& env) {
  if (!sweep_.Take(env.now)) return;
  env.outbox.Because(Trace{});
  for (auto it = connections_.begin(); it != connections_.end();) {
    const auto current = it++;
    Connection& connection = current->second;
    const Duration idle = env.now - connection.last_active;
    if (idle < (connection.end.fin_sent() ? kSweepInterval : kIdleMax)) continue;
    connection.end.Close(bus::FlowClose::DONE, "", env);
    connections_.erase(current);
  }
  if (!connections_.empty()) sweep_.Set(env.now + kSweepInterval);
}

}  // namespace kubemu
