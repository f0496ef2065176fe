#include "lb/check_client.h"

#include <utility>

#include "messages/core/strings.h"
#include "messages/proto/flow.pb.h"

namespace kubemu {

uint64_t CheckClient::Start(const std::string& node, SocketAddress to, Env& env) {
  const uint64_t flow = next_flow_++;
  const std::string peer = node + "/iptables";
  checks_.emplace(flow, Check{StrCat("GET /healthz HTTP/1.1\r\nHost: ", to.ToString(),
                                     "\r\nUser-Agent: kubemu-lb\r\nConnection: close\r\n\r\n"),
                              FlowEnd(kCheckAddress, peer, flow, false, 0), HttpResponseReader()});
  bus::FlowOpen open;
  open.set_flow(flow);
  open.set_protocol(bus::TCP);
  open.set_source_ip(self_.bits());
  open.set_source_port(next_port_);
  open.set_destination_ip(to.ip.bits());
  open.set_destination_port(to.port);
  open.set_credit(FlowEnd::kWindow);
  next_port_ = next_port_ == kLastPort ? kFirstPort : static_cast<uint16_t>(next_port_ + 1);
  env.outbox.SendAs(kCheckAddress, peer, std::move(open));
  return flow;
}

void CheckClient::Cancel(uint64_t flow, Env& env) {
  const auto it = checks_.find(flow);
  if (it == checks_.end()) return;
  it->second.end.Close(bus::FlowClose::TIMED_OUT, "the health check took too long", env);
  checks_.erase(it);
}

std::optional<CheckClient::Result> CheckClient::Receive(const Message& message, Env& env) {
  uint64_t flow = 0;
  if (message.kind == bus::FLOW_DATA) {
    flow = message.As<bus::FlowData>().flow();
  } else if (message.kind == bus::FLOW_CREDIT) {
    flow = message.As<bus::FlowCredit>().flow();
  } else if (message.kind == bus::FLOW_CLOSE) {
    flow = message.As<bus::FlowClose>().flow();
  }
  const auto it = checks_.find(flow);
  // Not ours, or late: the check has ended.
  if (it == checks_.end() || it->second.end.peer() != message.from) return std::nullopt;
  Check& check = it->second;
  if (message.kind == bus::FLOW_DATA) return OnData(flow, check, message.As<bus::FlowData>(), env);
  if (message.kind == bus::FLOW_CREDIT) {
    check.end.OnCredit(message.As<bus::FlowCredit>().bytes(), env);
    if (!std::exchange(check.sent, true)) check.end.Send(check.request, false, env);
    return std::nullopt;
  }
  checks_.erase(it);
  return Result{flow, false, std::string(FlowCloseText(message.As<bus::FlowClose>().reason()))};
}

std::optional<CheckClient::Result> CheckClient::OnData(uint64_t flow, Check& check,
                                                       const bus::FlowData& data, Env& env) {
  Result result{flow, false, "connection reset by peer"};
  switch (check.end.OnData(data)) {
    case FlowEnd::Input::kDoubled:
      return std::nullopt;
    case FlowEnd::Input::kLost:
      check.end.Close(bus::FlowClose::RESET, "flow data was lost", env);
      checks_.erase(flow);
      return result;
    case FlowEnd::Input::kNew:
      break;
  }
  check.reader.Append(data.data());
  check.end.Consumed(data.data().size(), env);
  if (!check.reader.done() && !data.fin()) return std::nullopt;
  if (data.fin()) {
    check.end.Send("", true, env);
  } else {
    check.end.Close(bus::FlowClose::DONE, "", env);
  }
  const int status = check.reader.status();
  result.passed = status == 200;
  result.text = status == 0 ? "the answer is not HTTP" : StrCat(status, " ", HttpReason(status));
  checks_.erase(flow);
  return result;
}

}  // namespace kubemu
