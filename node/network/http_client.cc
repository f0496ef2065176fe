#include "node/network/http_client.h"

#include "messages/core/strings.h"
#include "messages/proto/flow.pb.h"

namespace kubemu {

void HttpClients::Start(uint64_t tag, const std::string& container, NetPod& pod,
                        const FetchTarget& target, Ipv4 destination, Env& env) {
  if (fetches_.size() >= kInFlightMax) {
    finished_.push_back({tag, 0, "", "kInFlightMax: too many requests in flight on this node"});
    return;
  }
  const bool local = destination.IsLoopback() || destination == pod.ip;
  const uint64_t flow = next_flow_++;
  const std::string peer = local ? pod.address : iptables_;
  std::string request = StrCat("GET ", target.path, " HTTP/1.1\r\nHost: ", target.host, ":",
                               target.port, "\r\nUser-Agent: kubemu\r\nConnection: close\r\n\r\n");
  fetches_.emplace(
      flow, Fetch{tag, container, std::move(request), env.now + kTimeout, env.outbox.cause(),
                  destination, FlowEnd(pod.address, peer, flow, false, 0), HttpResponseReader()});
  bus::FlowOpen open;
  open.set_flow(flow);
  open.set_protocol(bus::TCP);
  open.set_source_ip((destination.IsLoopback() ? kLocalhost : pod.ip).bits());
  open.set_source_port(pod.TakePort());
  open.set_destination_ip(destination.bits());
  open.set_destination_port(target.port);
  open.set_credit(FlowEnd::kWindow);
  env.outbox.SendAs(pod.address, peer, std::move(open));
}

bool HttpClients::Receive(const Message& message, Env& env) {
  if (!IsFlowReply(message)) return false;
  const uint64_t flow = FlowOf(message);
  const auto it = fetches_.find(flow);
  if (it == fetches_.end() || it->second.end.peer() != message.from ||
      it->second.end.self() != message.to) {
    return true;  // late: the request has ended
  }
  Fetch& fetch = it->second;
  if (message.kind == bus::FLOW_DATA) {
    OnData(fetch, message.As<bus::FlowData>(), env);
  } else if (message.kind == bus::FLOW_CREDIT) {
    fetch.end.OnCredit(message.As<bus::FlowCredit>().bytes(), env);
    if (!std::exchange(fetch.sent, true)) fetch.end.Send(fetch.request, false, env);
  } else {
    const auto reason = message.As<bus::FlowClose>().reason();
    Finish(flow, 0, "", std::string(FlowCloseText(reason)));
  }
  return true;
}

void HttpClients::OnData(Fetch& fetch, const bus::FlowData& data, Env& env) {
  const uint64_t flow = fetch.end.flow();
  switch (fetch.end.OnData(data)) {
    case FlowEnd::Input::kDoubled:
      return;
    case FlowEnd::Input::kLost:
      fetch.end.Close(bus::FlowClose::RESET, "flow data was lost", env);
      return Finish(flow, 0, "", "connection reset by peer");
    case FlowEnd::Input::kNew:
      break;
  }
  fetch.reader.Append(data.data());
  fetch.end.Consumed(data.data().size(), env);
  if (!fetch.reader.done() && !data.fin()) return;
  if (data.fin()) {
    fetch.end.Send("", true, env);
  } else {
    fetch.end.Close(bus::FlowClose::DONE, "", env);
  }
  const int status = fetch.reader.status();
  Finish(flow, status, fetch.reader.body(), status == 0 ? "the answer is not HTTP" : "");
}

void HttpClients::Finish(uint64_t flow, int status, std::string body, std::string error) {
  const auto it = fetches_.find(flow);
  finished_.push_back(
      {it->second.tag, status, std::move(body), std::move(error), it->second.destination});
  fetches_.erase(it);
}

void HttpClients::Tick(Env& env) {
  while (!fetches_.empty() && fetches_.begin()->second.deadline <= env.now) {
    Fetch& fetch = fetches_.begin()->second;
    env.outbox.Because(fetch.trace);
    fetch.end.Close(bus::FlowClose::TIMED_OUT, "the answer took too long", env);
    Finish(fetch.end.flow(), 0, "", "connection timed out");
  }
}

Time HttpClients::NextWake() const {
  return fetches_.empty() ? kNever : fetches_.begin()->second.deadline;
}

void HttpClients::Abandon(const std::string& address, const std::string& container, Env& env) {
  for (auto it = fetches_.begin(); it != fetches_.end();) {
    const auto current = it++;
    Fetch& fetch = current->second;
    if (fetch.end.self() != address) continue;
    if (!container.empty() && fetch.container != container) continue;
    fetch.end.Close(bus::FlowClose::RESET, "the container has ended", env);
    fetches_.erase(current);
  }
}

}  // namespace kubemu
