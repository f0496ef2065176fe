#include "node/network/pod_servers.h"

#include <algorithm>

#include "messages/core/strings.h"
#include "messages/flow/flow_relay.h"
#include "messages/flow/http_response.h"
#include "messages/proto/flow.pb.h"

namespace kubemu {
namespace {

// What a client that ignores its credit may put into a connection's buffer beyond the window.
constexpr size_t kWindowSlack = 16 * 1024;

void SendReset(const Message& message, Env& env) {
  FlowEnd(message.to, message.from, FlowOf(message), true, 0)
      .Close(bus::FlowClose::RESET, "unknown flow", env);
}

bool IsRoot(std::string_view target) {
  target = target.substr(0, target.find('?'));
  return target == "/" || target == "/index.html";
}

}  // namespace

void PodServers::Open(const Message& message, NetPod* pod, Env& env) {
  const auto& open = message.As<bus::FlowOpen>();
  Key key{message.to, message.from, open.flow()};
  if (index_.contains(key)) return;  // doubled
  const auto refuse = [&](bus::FlowClose::Reason reason, std::string detail) {
    FlowEnd(message.to, message.from, open.flow(), true, 0).Close(reason, std::move(detail), env);
  };
  if (pod == nullptr) return refuse(bus::FlowClose::UNREACHABLE, "there is no such pod");
  const auto listener = pod->listeners.find(static_cast<uint16_t>(open.destination_port()));
  if (open.protocol() != bus::TCP || listener == pod->listeners.end() || listener->second.closed ||
      (listener->second.spec.local_only && message.from != pod->address)) {
    return refuse(bus::FlowClose::REFUSED, "nothing listens on that port of the pod");
  }
  if (connections_.size() >= kConnectionsMax) {
    return refuse(bus::FlowClose::LIMIT,
                  "kConnectionsMax: too many connections to this node's pods");
  }
  const uint64_t id = next_++;
  const auto it = connections_
                      .emplace(id, Connection{.end = FlowEnd(message.to, message.from, open.flow(),
                                                             true, open.credit()),
                                              .pod = pod,
                                              .listener = &listener->second,
                                              .client = {Ipv4(open.source_ip()),
                                                         static_cast<uint16_t>(open.source_port())},
                                              .parser = {},
                                              .head = {},
                                              .call_text = {},
                                              .trace = message.Context(),
                                              .last_active = env.now})
                      .first;
  index_.emplace(std::move(key), id);
  ++listener->second.connections;
  if (listener->second.spec.proxy_protocol) it->second.proxy.emplace();
  it->second.end.Accept(env);
  if (!sweep_.IsSet()) sweep_.Set(env.now + kSweepInterval);
}

void PodServers::Receive(const Message& message, Env& env) {
  const auto known = index_.find(Key{message.to, message.from, FlowOf(message)});
  if (known == index_.end()) {
    if (message.kind == bus::FLOW_DATA) SendReset(message, env);
    return;
  }
  const auto it = connections_.find(known->second);
  Connection& connection = it->second;
  connection.last_active = env.now;
  if (message.kind == bus::FLOW_DATA) return OnData(it, message, env);
  if (message.kind == bus::FLOW_CLOSE) return Erase(it);
  connection.end.OnCredit(message.As<bus::FlowCredit>().bytes(), env);
  if (connection.listener == nullptr) return EraseIfDone(it);
  if (connection.listener->spec.protocol == ServerSpec::Protocol::kEcho) {
    Echo(connection, "", false, env);
  } else if (connection.listener->spec.protocol == ServerSpec::Protocol::kDns) {
    PumpDns(connection, env);
  } else {
    Pump(it->first, connection, env);
  }
  EraseIfDone(it);
}

void PodServers::OnData(Connections::iterator it, const Message& message, Env& env) {
  const auto& data = message.As<bus::FlowData>();
  Connection& connection = it->second;
  const FlowEnd::Input input = connection.end.OnData(data);
  if (input == FlowEnd::Input::kDoubled) return;
  if (connection.listener == nullptr) {
    if (!data.data().empty()) {
      connection.end.Close(bus::FlowClose::RESET, "the container has ended", env);
      return Erase(it);
    }
    return EraseIfDone(it);
  }
  if (input == FlowEnd::Input::kLost ||
      connection.parser.buffered() > FlowEnd::kWindow + kWindowSlack) {
    connection.end.Close(bus::FlowClose::RESET, "flow data was lost", env);
    return Erase(it);
  }
  std::string after_header;
  std::string_view bytes = data.data();
  if (connection.proxy) {
    after_header = data.data();
    if (!TakeProxyHeader(connection, &after_header, data.fin(), env)) return Erase(it);
    if (connection.proxy) return;  // there is more to come of it
    bytes = after_header;
  }
  if (connection.listener->spec.protocol == ServerSpec::Protocol::kEcho) {
    Echo(connection, bytes, data.fin(), env);
  } else if (connection.listener->spec.protocol == ServerSpec::Protocol::kDns) {
    connection.dns_input += bytes;
    connection.echo_pending += bytes.size();
    PumpDns(connection, env);
  } else {
    if (!connection.busy) connection.trace = message.Context();
    connection.parser.Append(bytes);
    Pump(it->first, connection, env);
  }
  EraseIfDone(it);
}

// Once the header is there, *data is what stands behind it. False: the connection was reset, for
// who leaves the header out may not be who he says (proxy-protocol.txt, section 2).
bool PodServers::TakeProxyHeader(Connection& connection, std::string* data, bool fin, Env& env) {
  ProxyHeaderReader& reader = *connection.proxy;
  const ProxyHeaderReader::Result result = reader.Append(*data);
  if (result == ProxyHeaderReader::Result::kBad ||
      (result == ProxyHeaderReader::Result::kNeedMore && fin)) {
    if (connection.listener->log != nullptr) {
      connection.listener->log->Append(
          env.wall, StrCat(connection.client.ip.ToString(), " no PROXY header: reset"));
    }
    connection.end.Close(bus::FlowClose::RESET, "no PROXY header", env);
    return false;
  }
  if (result == ProxyHeaderReader::Result::kNeedMore) {
    connection.end.Consumed(data->size(), env);
    return true;
  }
  connection.end.Consumed(data->size() - std::min(data->size(), reader.rest().size()), env);
  if (reader.source()) connection.client = *reader.source();
  *data = reader.rest();
  connection.proxy.reset();
  return true;
}

void PodServers::Echo(Connection& connection, std::string_view data, bool fin, Env& env) {
  if (!data.empty() || fin) connection.end.Send(data, fin, env);
  connection.echo_pending += data.size();
  if (connection.end.unsent() > 0) return;
  connection.end.Consumed(std::exchange(connection.echo_pending, 0), env);
}

// Each message stands behind its length, two bytes (RFC 1035 section 4.2.2). A client that does not
// take the answers gets no credit for more queries.
void PodServers::PumpDns(Connection& connection, Env& env) {
  std::string& input = connection.dns_input;
  while (dns_ != nullptr && connection.end.unsent() == 0 && input.size() >= 2) {
    const size_t length = static_cast<size_t>(static_cast<unsigned char>(input[0])) << 8 |
                          static_cast<unsigned char>(input[1]);
    if (input.size() - 2 < length) break;
    const auto answer = dns_->Answer(std::string_view(input).substr(2, length), /*tcp=*/true,
                                     connection.pod->ip, env);
    input.erase(0, length + 2);
    if (!answer) continue;
    std::string framed = {static_cast<char>(answer->size() >> 8),
                          static_cast<char>(answer->size() & 255)};
    framed += *answer;
    connection.end.Send(framed, false, env);
  }
  if (connection.end.unsent() > 0) return;
  connection.end.Consumed(std::exchange(connection.echo_pending, 0), env);
  if (connection.end.fin_received()) connection.end.Send("", true, env);
}

// Answers the requests that are there, one by one, as long as the client takes the answers.
void PodServers::Pump(uint64_t id, Connection& connection, Env& env) {
  while (!connection.busy && connection.end.unsent() == 0 && !connection.end.fin_sent()) {
    const HttpRequestParser::Result result = connection.parser.Next(&connection.head);
    if (result == HttpRequestParser::Result::kRequest) {
      Handle(id, connection, env);
    } else if (result == HttpRequestParser::Result::kContinue) {
      connection.end.Send("HTTP/1.1 100 Continue\r\n\r\n", false, env);
    } else if (result == HttpRequestParser::Result::kBad) {
      connection.head = HttpRequestHead{.method = "GET", .target = "", .keep_alive = false};
      const int status = connection.parser.bad_status();
      SendAnswer(connection, status, StrCat(status, " ", HttpReason(status), "\n"), env);
    } else {
      if (connection.end.fin_received()) connection.end.Send("", true, env);
      break;
    }
  }
  connection.end.Consumed(connection.parser.TakeConsumed(), env);
}

void PodServers::Handle(uint64_t id, Connection& connection, Env& env) {
  const ServerSpec& spec = connection.listener->spec;
  ClearTimer(id, connection);
  connection.answered = true;
  Duration delay = spec.delay;
  if (spec.jitter > Duration{}) delay += Duration(env.random.Uniform(spec.jitter.count() + 1));
  if (delay == Duration{} && spec.calls.empty()) return Answer(connection, env);
  connection.busy = true;
  connection.next_call = 0;
  connection.call_failed = false;
  connection.call_text.clear();
  if (delay > Duration{}) return SetTimer(id, connection, env.now + delay);
  Proceed(id, connection, env);
}

// The delay is over: makes the next call, or answers.
void PodServers::Proceed(uint64_t id, Connection& connection, Env& env) {
  const ServerSpec& spec = connection.listener->spec;
  if (connection.next_call < spec.calls.size()) {
    wanted_.push_back(Wanted{id, connection.pod, &spec.calls[connection.next_call],
                             connection.listener->container, connection.trace});
    ++connection.next_call;
    return;
  }
  connection.busy = false;
  Answer(connection, env);
}

void PodServers::OnFetched(uint64_t id, const FetchResult& result, Env& env) {
  const auto it = connections_.find(id);
  if (it == connections_.end()) return;
  Connection& connection = it->second;
  const FetchTarget& target = connection.listener->spec.calls[connection.next_call - 1];
  StrAppend(&connection.call_text, "call ", target.url, " -> ");
  if (result.status == 0) {
    StrAppend(&connection.call_text, result.error, "\n");
  } else {
    StrAppend(&connection.call_text, result.status, "\n");
    for (const std::string_view line : StrSplit(StripSpaces(result.body), '\n')) {
      StrAppend(&connection.call_text, "  ", line, "\n");
    }
  }
  if (result.status < 200 || result.status >= 400) connection.call_failed = true;
  env.outbox.Because(connection.trace);
  Proceed(id, connection, env);
  Pump(id, connection, env);
  EraseIfDone(it);
}

void PodServers::Answer(Connection& connection, Env& env) {
  const ServerSpec& spec = connection.listener->spec;
  if (env.now < connection.listener->since + spec.ready_after) {
    return SendAnswer(connection, 503, "not ready yet\n", env);
  }
  if (spec.ready_with_dns && (dns_ == nullptr || !dns_->synced())) {
    return SendAnswer(connection, 503, "kubernetes\n", env);  // the plugin that is not ready
  }
  if (spec.fail > 0 && env.random.Chance(spec.fail)) {
    return SendAnswer(connection, 500, "failed on purpose (--fail)\n", env);
  }
  if (spec.root_only && !IsRoot(connection.head.target)) {
    return SendAnswer(connection, 404, "404 Not Found\n", env);
  }
  if (spec.root_only && connection.head.method != "GET" && connection.head.method != "HEAD") {
    return SendAnswer(connection, 405, "405 Method Not Allowed\n", env);
  }
  if (!spec.calls.empty()) {
    return SendAnswer(connection, connection.call_failed ? 502 : 200,
                      StrCat(spec.body, connection.call_text), env);
  }
  AnswerGood(connection, env);
}

// The path of most requests: the answer was rendered before.
void PodServers::AnswerGood(Connection& connection, Env& env) {
  Listener& listener = *connection.listener;
  if (listener.spec.proxy_protocol) {
    return SendAnswer(connection, 200,
                      StrCat(listener.spec.body, "client: ", connection.client.ToString(), "\n"),
                      env);
  }
  if (!connection.head.keep_alive || listener.closed) {
    return SendAnswer(connection, 200, listener.spec.body, env);
  }
  const int64_t second =
      std::chrono::duration_cast<std::chrono::seconds>(env.wall.time_since_epoch()).count();
  if (listener.answer_second != second) {
    PlainHttpAnswer answer;
    answer.server = listener.spec.server;
    answer.content_type = listener.spec.content_type;
    answer.body = listener.spec.body;
    listener.answer = RenderHttp(answer, env.wall, &listener.answer_head);
    listener.answer_second = second;
  }
  std::string_view text = listener.answer;
  if (connection.head.method == "HEAD") text = text.substr(0, listener.answer_head);
  connection.end.Send(text, false, env);
  WriteLog(connection, 200, text.size() - listener.answer_head, env);
}

void PodServers::SendAnswer(Connection& connection, int status, std::string_view body, Env& env) {
  const ServerSpec& spec = connection.listener->spec;
  PlainHttpAnswer answer;
  answer.status = status;
  answer.server = spec.server;
  if (status == 200) answer.content_type = spec.content_type;
  answer.body = body;
  answer.keep_alive = connection.head.keep_alive && !connection.listener->closed;
  size_t head_length = 0;
  std::string text = RenderHttp(answer, env.wall, &head_length);
  if (connection.head.method == "HEAD") text.resize(head_length);
  connection.end.Send(text, !answer.keep_alive, env);
  WriteLog(connection, status, text.size() - head_length, env);
}

void PodServers::WriteLog(Connection& connection, int status, size_t bytes, Env& env) {
  if (connection.listener->log == nullptr) return;
  std::string line;
  line.reserve(96);
  StrAppend(&line, connection.client.ip.ToString(), " \"", connection.head.method, " ",
            std::string_view(connection.head.target).substr(0, 200), "\" ", status, " ", bytes);
  connection.listener->log->Append(env.wall, line);
}

void PodServers::SetTimer(uint64_t id, Connection& connection, Time at) {
  connection.timer = at;
  timers_.emplace(at, id);
}

void PodServers::Tick(Env& env) {
  while (!timers_.empty() && timers_.begin()->first <= env.now) {
    const uint64_t id = timers_.begin()->second;
    timers_.erase(timers_.begin());
    const auto it = connections_.find(id);
    Connection& connection = it->second;
    connection.timer = kNever;
    env.outbox.Because(connection.trace);
    if (connection.busy) {
      Proceed(id, connection, env);
      if (!connection.busy) Pump(id, connection, env);
    } else {
      connection.end.Send("", true, env);
    }
    EraseIfDone(it);
  }
  if (sweep_.Take(env.now)) Sweep(env);
}

// Closes what is idle, and forgets what its client never finished.
void PodServers::Sweep(Env& env) {
  env.outbox.Because(Trace{});
  for (auto it = connections_.begin(); it != connections_.end();) {
    const auto current = it++;
    Connection& connection = current->second;
    const Duration idle = env.now - connection.last_active;
    if (connection.listener == nullptr) {
      if (idle < kSweepInterval) continue;
      connection.end.Close(bus::FlowClose::DONE, "", env);
      Erase(current);
      continue;
    }
    if (connection.listener->spec.protocol == ServerSpec::Protocol::kEcho || connection.busy) {
      continue;
    }
    if (connection.end.fin_sent() && idle >= kSweepInterval) {
      connection.end.Close(bus::FlowClose::DONE, "", env);
      Erase(current);
    } else if (idle >= kIdleMax) {
      connection.end.Send("", true, env);
      EraseIfDone(current);
    }
  }
  if (!connections_.empty()) sweep_.Set(env.now + kSweepInterval);
}

bool PodServers::Idle(const Connection& connection) {
  return connection.listener->spec.protocol == ServerSpec::Protocol::kHttp && !connection.busy &&
         connection.parser.buffered() == 0 && connection.end.unsent() == 0;
}

void PodServers::Drain(const std::string& address, const std::string& container, Duration idle,
                       Env& env) {
  for (auto it = connections_.begin(); it != connections_.end();) {
    const auto current = it++;
    Connection& connection = current->second;
    if (connection.listener == nullptr || connection.pod->address != address ||
        connection.listener->container != container || connection.end.fin_sent()) {
      continue;
    }
    if (connection.listener->spec.protocol != ServerSpec::Protocol::kHttp) {
      connection.end.Send("", true, env);
    } else if (Idle(connection)) {
      const Duration rest = connection.answered ? idle : kFreshGrace;
      if (rest > Duration{}) {
        SetTimer(current->first, connection, env.now + rest);
      } else {
        connection.end.Send("", true, env);
      }
    }
    EraseIfDone(current);
  }
}

void PodServers::Close(const std::string& address, const std::string& container, bool killed,
                       Env& env) {
  for (auto it = connections_.begin(); it != connections_.end();) {
    const auto current = it++;
    Connection& connection = current->second;
    if (connection.pod->address != address) continue;
    if (connection.listener == nullptr) {
      if (!container.empty()) continue;
      connection.end.Close(bus::FlowClose::DONE, "", env);
      Erase(current);
      continue;
    }
    if (!container.empty() && connection.listener->container != container) continue;
    if (!killed && Idle(connection)) connection.end.Send("", true, env);
    const bool said_all = connection.end.fin_sent() && connection.end.unsent() == 0;
    if (!said_all || container.empty()) {
      connection.end.Close(said_all ? bus::FlowClose::DONE : bus::FlowClose::RESET,
                           "the container has ended", env);
      Erase(current);
    } else {
      ClearTimer(current->first, connection);
      Release(connection);
      connection.listener = nullptr;
      connection.last_active = env.now;
      EraseIfDone(current);
    }
  }
}

// The process has closed its end: it can exit without loss.
void PodServers::Release(Connection& connection) {
  if (!std::exchange(connection.held, false) || connection.listener == nullptr) return;
  --connection.listener->connections;
}

void PodServers::EraseIfDone(Connections::iterator it) {
  if (it->second.end.done()) return Erase(it);
  if (it->second.end.fin_sent()) Release(it->second);
}

void PodServers::Erase(Connections::iterator it) {
  Connection& connection = it->second;
  ClearTimer(it->first, connection);
  Release(connection);
  index_.erase(Key{connection.end.self(), connection.end.peer(), connection.end.flow()});
  connections_.erase(it);
}

void PodServers::ClearTimer(uint64_t id, Connection& connection) {
  if (connection.timer == kNever) return;
  timers_.erase({connection.timer, id});
  connection.timer = kNever;
}

Time PodServers::NextWake() const {
  return timers_.empty() ? sweep_.at() : std::min(sweep_.at(), timers_.begin()->first);
}

}  // namespace kubemu
