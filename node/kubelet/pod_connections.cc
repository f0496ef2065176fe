#include "node/kubelet/pod_connections.h"

#include <algorithm>

#include "messages/core/strings.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/intstr.pb.h"
#include "node/kubelet/go_duration.h"

namespace kubemu {
namespace {

constexpr size_t kFirstMax = 256;
constexpr char kAwaitingHeaders[] = " (Client.Timeout exceeded while awaiting headers)";

// pkg/probe/util.go, ResolveContainerPort.
void SetPort(const k8s::intstr::IntOrString& port, const k8s::core::v1::Container& container,
             PodRequest* request) {
  if (port.type() == 0) {
    request->port = static_cast<uint32_t>(std::clamp(port.int_val(), 0, 65535));
    if (request->port == 0) request->bad_port = StrCat("invalid port number: ", port.int_val());
    return;
  }
  for (const auto& candidate : container.ports()) {
    if (candidate.name() == port.str_val()) {
      request->port = static_cast<uint32_t>(candidate.container_port());
      return;
    }
  }
  if (!ParseInteger(port.str_val(), &request->port) || request->port == 0 ||
      request->port > 65535) {
    request->port = 0;
    request->bad_port = StrCat("strconv.Atoi: parsing \"", port.str_val(), "\": invalid syntax");
  }
}

std::string HttpText(const k8s::core::v1::HTTPGetAction& get, std::string_view place,
                     std::string_view path, std::string_view purpose) {
  std::string host(place);
  std::string agent = StrCat("kube-", purpose, "/1.33");
  std::string accept = "*/*";
  std::string others;
  for (const auto& header : get.http_headers()) {
    const std::string name = AsciiLower(header.name());
    if (name == "host") {
      host = header.value();
    } else if (name == "user-agent") {
      agent = header.value();
    } else if (name == "accept") {
      accept = header.value();
    } else {
      StrAppend(&others, header.name(), ": ", header.value(), "\r\n");
    }
  }
  std::string text = StrCat("GET ", path, " HTTP/1.1\r\nHost: ", host, "\r\n");
  if (!agent.empty()) StrAppend(&text, "User-Agent: ", agent, "\r\n");
  if (!accept.empty()) StrAppend(&text, "Accept: ", accept, "\r\n");
  return StrCat(text, others, "Connection: close\r\n\r\n");
}

// What net/http says of an answer that does not begin as HTTP does.
std::string Malformed(std::string_view first) {
  std::string_view line = first.substr(0, first.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const size_t space = line.find(' ');
  std::string what;
  if (space == std::string_view::npos) {
    what = StrCat("malformed HTTP response \"", line, "\"");
  } else {
    std::string_view status = line.substr(space + 1);
    status = status.substr(0, status.find(' '));
    const bool code = status.size() == 3 && std::all_of(status.begin(), status.end(), IsDigit);
    what = code ? StrCat("malformed HTTP version \"", line.substr(0, space), "\"")
                : StrCat("malformed HTTP status code \"", status, "\"");
  }
  return "net/http: HTTP/1.x transport connection broken: " + what;
}

}  // namespace

PodRequest HttpGetRequest(const k8s::core::v1::HTTPGetAction& get,
                          const k8s::core::v1::Container& container, Ipv4 pod_ip,
                          std::string_view purpose) {
  PodRequest request;
  const bool https = get.scheme() == "HTTPS";
  request.kind = https ? PodRequest::Kind::kHttps : PodRequest::Kind::kHttp;
  request.host = get.host().empty() ? pod_ip.ToString() : get.host();
  SetPort(get.port(), container, &request);
  const std::string place = StrCat(request.host, ":", request.port);
  const std::string path = get.path().starts_with("/") ? get.path() : "/" + get.path();
  request.url = StrCat(https ? "https://" : "http://", place, path);
  request.text = HttpText(get, place, path, purpose);
  return request;
}

PodRequest ConnectRequest(PodRequest::Kind kind, const k8s::intstr::IntOrString& port,
                          const std::string& host, const k8s::core::v1::Container& container,
                          Ipv4 pod_ip) {
  PodRequest request;
  request.kind = kind;
  request.host = host.empty() ? pod_ip.ToString() : host;
  SetPort(port, container, &request);
  return request;
}

void PodConnections::Start(PodRequest request, Env& env) {
  const Trace trace = env.outbox.cause();
  if (request.port == 0) return Report(request, false, request.bad_port, trace);
  if (connections_.size() >= kInFlightMax) {
    return Report(request, false, "kInFlightMax: too many probes of this node in flight", trace);
  }
  const absl::StatusOr<Ipv4> parsed = Ipv4::Parse(request.host);
  SocketAddress to{address_, static_cast<uint16_t>(request.port)};
  // The node's own 127.0.0.1; where nodes share one machine, their addresses are in 127.0.0.0/8.
  if (parsed.ok() && *parsed != Ipv4(127, 0, 0, 1)) to.ip = *parsed;
  if (!parsed.ok() && request.host != "localhost") {
    std::string text = StrCat("dial tcp: lookup ", request.host, ": no such host");
    if (!request.url.empty()) text = StrCat("Get \"", request.url, "\": ", text);
    return Report(request, false, std::move(text), trace);
  }
  const uint64_t flow = next_flow_++;
  bus::FlowOpen open;
  open.set_flow(flow);
  open.set_protocol(bus::TCP);
  open.set_destination_ip(to.ip.bits());
  open.set_destination_port(to.port);
  open.set_credit(FlowEnd::kWindow);
  const Time deadline = env.now + request.timeout;
  connections_.emplace(flow, Connection{.request = std::move(request),
                                        .to = to,
                                        .deadline = deadline,
                                        .trace = trace,
                                        .end = FlowEnd(self_, iptables_, flow, false, 0),
                                        .reader = {},
                                        .first = {}});
  deadlines_.emplace(deadline, flow);
  env.outbox.SendAs(self_, iptables_, std::move(open));
}

void PodConnections::Receive(const Message& message, Env& env) {
  if (!IsFlowReply(message) || message.from != iptables_) return;
  const uint64_t flow = FlowOf(message);
  const auto it = connections_.find(flow);
  if (it == connections_.end()) return;
  if (message.kind == bus::FLOW_CREDIT) {
    OnCredit(it, message.As<bus::FlowCredit>().bytes(), env);
  } else if (message.kind == bus::FLOW_DATA) {
    OnData(it, message.As<bus::FlowData>(), env);
  } else {
    OnClose(it, message.As<bus::FlowClose>().reason());
  }
}

void PodConnections::OnCredit(Connections::iterator it, uint32_t bytes, Env& env) {
  Connection& connection = it->second;
  connection.end.OnCredit(bytes, env);
  if (std::exchange(connection.established, true)) return;
  const PodRequest& request = connection.request;
  switch (request.kind) {
    case PodRequest::Kind::kHttp:
      return connection.end.Send(request.text, false, env);
    case PodRequest::Kind::kHttps:
      connection.end.Close(bus::FlowClose::DONE, "", env);
      return Finish(
          it, false,
          StrCat("Get \"", request.url, "\": http: server gave HTTP response to HTTPS client"));
    case PodRequest::Kind::kTcp:
      connection.end.Close(bus::FlowClose::DONE, "", env);
      return Finish(it, true, "");
    case PodRequest::Kind::kGrpc:
      return;
  }
}

void PodConnections::OnData(Connections::iterator it, const bus::FlowData& data, Env& env) {
  Connection& connection = it->second;
  const FlowEnd::Input input = connection.end.OnData(data);
  if (input == FlowEnd::Input::kDoubled) return;
  if (input == FlowEnd::Input::kLost) {
    connection.end.Close(bus::FlowClose::RESET, "flow data was lost", env);
    return OnClose(it, bus::FlowClose::RESET);
  }
  const size_t room = kFirstMax - std::min(connection.first.size(), kFirstMax);
  connection.first += data.data().substr(0, room);
  connection.reader.Append(data.data());
  connection.end.Consumed(data.data().size(), env);
  if (connection.request.kind != PodRequest::Kind::kHttp) return;
  if (!connection.reader.done() && !data.fin()) return;
  if (data.fin()) {
    connection.end.Send("", true, env);
  } else {
    connection.end.Close(bus::FlowClose::DONE, "", env);
  }
  FinishHttp(it);
}

void PodConnections::FinishHttp(Connections::iterator it) {
  const Connection& connection = it->second;
  const int status = connection.reader.status();
  if (status == 0) {
    const std::string what = connection.first.empty() ? "EOF" : Malformed(connection.first);
    return Finish(it, false, StrCat("Get \"", connection.request.url, "\": ", what));
  }
  if (connection.request.any_status || (status >= 200 && status < 400)) return Finish(it, true, "");
  Finish(it, false, StrCat("HTTP probe failed with statuscode: ", status));
}

void PodConnections::OnClose(Connections::iterator it, bus::FlowClose::Reason reason) {
  const Connection& connection = it->second;
  const PodRequest& request = connection.request;
  if (request.kind == PodRequest::Kind::kGrpc) return;  // tried again until its time is up
  std::string text;
  if (!connection.established) {
    const char* why = reason == bus::FlowClose::UNREACHABLE ? "no route to host"
                      : reason == bus::FlowClose::TIMED_OUT ? "connection timed out"
                      : reason == bus::FlowClose::RESET     ? "connection reset by peer"
                                                            : "connection refused";
    text = StrCat("dial tcp ", connection.to.ToString(), ": connect: ", why);
  } else if (reason == bus::FlowClose::DONE) {
    text = "EOF";
  } else {
    text = StrCat("read tcp ", connection.to.ToString(), ": read: connection reset by peer");
  }
  if (!request.url.empty()) text = StrCat("Get \"", request.url, "\": ", text);
  Finish(it, false, std::move(text));
}

void PodConnections::OnTimeout(Connections::iterator it, Env& env) {
  Connection& connection = it->second;
  const PodRequest& request = connection.request;
  env.outbox.Because(connection.trace);
  connection.end.Close(bus::FlowClose::TIMED_OUT, "the probe's time is up", env);
  std::string text;
  if (request.kind == PodRequest::Kind::kGrpc) {
    text = StrCat("timeout: failed to connect service \"", request.host, ":", request.port,
                  "\" within ", GoDuration(request.timeout), ": context deadline exceeded");
  } else if (request.kind == PodRequest::Kind::kTcp) {
    text = StrCat("dial tcp ", connection.to.ToString(), ": i/o timeout");
  } else {
    text = StrCat("Get \"", request.url, "\": ",
                  connection.established
                      ? std::string("context deadline exceeded")
                      : StrCat("dial tcp ", connection.to.ToString(), ": i/o timeout"),
                  kAwaitingHeaders);
  }
  Finish(it, false, std::move(text));
}

void PodConnections::Finish(Connections::iterator it, bool success, std::string message) {
  Report(it->second.request, success, std::move(message), it->second.trace);
  deadlines_.erase({it->second.deadline, it->first});
  connections_.erase(it);
}

void PodConnections::Report(const PodRequest& request, bool success, std::string message,
                            Trace trace) {
  Result result;
  result.pod_uid = request.pod_uid;
  result.result.set_number(request.number);
  result.result.set_success(success);
  result.result.set_message(std::move(message));
  result.trace = trace;
  finished_.push_back(std::move(result));
}

void PodConnections::Tick(Env& env) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= env.now) {
    OnTimeout(connections_.find(deadlines_.begin()->second), env);
  }
}

}  // namespace kubemu
