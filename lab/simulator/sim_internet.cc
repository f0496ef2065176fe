#include "lab/simulator/sim_internet.h"

#include <utility>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"

namespace kubemu {
namespace {

// TEST-NET-3 (RFC 5737): no address of this world.
constexpr Ipv4 kClientIp(203, 0, 113, 1);
constexpr uint64_t kFirstPort = 32768;
constexpr uint64_t kPorts = 28232;

SocketAddress ClientOf(uint64_t flow) {
  return {kClientIp, static_cast<uint16_t>(kFirstPort + flow % kPorts)};
}

std::string ReasonText(bus::FlowClose::Reason reason) {
  std::string text = AsciiLower(bus::FlowClose::Reason_Name(reason));
  for (char& c : text) {
    if (c == '_') c = ' ';
  }
  return text;
}

}  // namespace

uint64_t SimInternet::Get(SocketAddress server, std::string listener, std::string path) {
  const uint64_t number = next_++;
  answers_[number];
  queued_.push_back({number, server, std::move(listener), std::move(path)});
  return number;
}

void SimInternet::Open(Wanted wanted, Env& env) {
  if (wanted.listener.empty()) {
    answers_[wanted.number] = Answer{.done = true, .error = "refused", .finished = env.now};
    return;
  }
  const SocketAddress client = ClientOf(wanted.number);
  const std::string self = StrCat("internet/", client.ToString());
  std::string request = StrCat("GET ", wanted.path, " HTTP/1.1\r\nHost: ", wanted.server.ToString(),
                               "\r\nConnection: close\r\n\r\n");
  connections_.emplace(
      wanted.number,
      Connection{env.now + kTimeout, std::move(request),
                 FlowEnd(self, wanted.listener, wanted.number, false, 0), HttpResponseReader()});
  bus::FlowOpen open;
  open.set_flow(wanted.number);
  open.set_protocol(bus::TCP);
  open.set_source_ip(client.ip.bits());
  open.set_source_port(client.port);
  open.set_destination_ip(wanted.server.ip.bits());
  open.set_destination_port(wanted.server.port);
  open.set_credit(FlowEnd::kWindow);
  env.outbox.Because(Trace{});
  env.outbox.SendAs(self, wanted.listener, std::move(open));
}

void SimInternet::Receive(const Message& message, Env& env) {
  if (message.kind == bus::LINK_DOWN) {
    const std::string& gone = message.As<bus::LinkDown>().process();
    for (auto it = connections_.begin(); it != connections_.end();) {
      const auto current = it++;
      if (ProcessOf(current->second.end.peer()) != gone) continue;
      Finish(current->first, 0, "", "reset", env.now);
    }
    return;
  }
  const uint64_t flow = FlowOf(message);
  const auto it = connections_.find(flow);
  if (it == connections_.end() || it->second.end.peer() != message.from) return;
  Connection& connection = it->second;
  if (message.kind == bus::FLOW_DATA) {
    OnData(flow, connection, message.As<bus::FlowData>(), env);
  } else if (message.kind == bus::FLOW_CREDIT) {
    connection.end.OnCredit(message.As<bus::FlowCredit>().bytes(), env);
    if (!std::exchange(connection.sent, true)) connection.end.Send(connection.request, false, env);
  } else {
    Finish(flow, 0, "", ReasonText(message.As<bus::FlowClose>().reason()), env.now);
  }
}

void SimInternet::OnData(uint64_t flow, Connection& connection, const bus::FlowData& data,
                         Env& env) {
  switch (connection.end.OnData(data)) {
    case FlowEnd::Input::kDoubled:
      return;
    case FlowEnd::Input::kLost:
      connection.end.Close(bus::FlowClose::RESET, "flow data was lost", env);
      return Finish(flow, 0, "", "reset", env.now);
    case FlowEnd::Input::kNew:
      break;
  }
  connection.reader.Append(data.data());
  connection.end.Consumed(data.data().size(), env);
  if (!connection.reader.done() && !data.fin()) return;
  if (data.fin()) {
    connection.end.Send("", true, env);
  } else {
    connection.end.Close(bus::FlowClose::DONE, "", env);
  }
  const int status = connection.reader.status();
  Finish(flow, status, connection.reader.body(), status == 0 ? "not HTTP" : "", env.now);
}

void SimInternet::Finish(uint64_t flow, int status, std::string body, std::string error, Time now) {
  answers_[flow] = Answer{true, status, std::move(body), std::move(error), now};
  connections_.erase(flow);
}

void SimInternet::Tick(Env& env) {
  for (Wanted& wanted : std::exchange(queued_, {})) Open(std::move(wanted), env);
  while (!connections_.empty() && connections_.begin()->second.deadline <= env.now) {
    const uint64_t flow = connections_.begin()->first;
    connections_.begin()->second.end.Close(bus::FlowClose::TIMED_OUT, "", env);
    Finish(flow, 0, "", "timed out", env.now);
  }
}

Time SimInternet::NextWake() const {
  if (!queued_.empty()) return Time{};
  return connections_.empty() ? kNever : connections_.begin()->second.deadline;
}

}  // namespace kubemu
