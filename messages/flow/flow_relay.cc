#include "messages/flow/flow_relay.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace kubemu {

void FlowRelay::Refuse(const Message& message, bus::FlowClose::Reason reason, std::string detail,
                       Env& env) {
  bus::FlowClose close;
  close.set_flow(message.As<bus::FlowOpen>().flow());
  close.set_reply(true);
  close.set_reason(reason);
  close.set_detail(std::move(detail));
  env.outbox.SendAs(message.to, message.from, std::move(close));
}

bool FlowRelay::IsKnown(const Message& message) const {
  return index_.contains(Key{message.from, message.As<bus::FlowOpen>().flow(), false});
}

uint64_t FlowRelay::Forward(const Message& message, std::string to, bus::FlowOpen next, Env& env,
                            std::string prefix) {
  const auto& open = message.As<bus::FlowOpen>();
  const Key near_key{message.from, open.flow(), false};
  if (const auto known = index_.find(near_key); known != index_.end()) return known->second;
  if (flows_.size() >= kFlowsMax) {
    Refuse(message, bus::FlowClose::LIMIT, "kFlowsMax: too many flows through this hop", env);
    return 0;
  }
  const uint64_t id = next_++;
  Flow& flow = flows_[id];
  flow.near = Side{message.from, open.flow()};
  flow.far = Side{to, id};
  flow.credit = open.credit();
  flow.prefix = std::move(prefix);
  index_.emplace(near_key, id);
  index_.emplace(Key{to, id, true}, id);
  next.set_flow(id);
  next.set_credit(open.credit());
  env.outbox.Send(std::move(to), std::move(next));
  return id;
}

uint64_t FlowRelay::RefusedFlow(const Message& message) const {
  if (message.kind != bus::FLOW_CLOSE || !message.As<bus::FlowClose>().reply()) return 0;
  const auto it = index_.find(Key{message.from, message.As<bus::FlowClose>().flow(), true});
  if (it == index_.end() || flows_.find(it->second)->second.established) return 0;
  return it->second;
}

std::vector<uint64_t> FlowRelay::UnestablishedTo(std::string_view process) const {
  std::vector<uint64_t> flows;
  for (const auto& [id, flow] : flows_) {
    if (!flow.established && ProcessOf(flow.far.peer) == process) flows.push_back(id);
  }
  return flows;
}

void FlowRelay::Redirect(uint64_t id, std::string to, bus::FlowOpen next, bool tell, Env& env) {
  Flow& flow = flows_.find(id)->second;
  if (tell) SendClose(flow.far, false, bus::FlowClose::RESET, "another way was chosen", env);
  index_.erase(Key{flow.far.peer, id, true});
  flow.far = Side{to, id};
  index_.emplace(Key{to, id, true}, id);
  next.set_flow(id);
  next.set_credit(flow.credit);
  env.outbox.Send(std::move(to), std::move(next));
}

FlowRelay::Passed FlowRelay::Receive(const Message& message, Env& env) {
  Passed passed;
  Key key{message.from, 0, false};
  if (message.kind == bus::FLOW_DATA) {
    key.flow = message.As<bus::FlowData>().flow();
    key.reply = message.As<bus::FlowData>().reply();
  } else if (message.kind == bus::FLOW_CREDIT) {
    key.flow = message.As<bus::FlowCredit>().flow();
    key.reply = message.As<bus::FlowCredit>().reply();
  } else if (message.kind == bus::FLOW_CLOSE) {
    key.flow = message.As<bus::FlowClose>().flow();
    key.reply = message.As<bus::FlowClose>().reply();
  } else {
    return passed;
  }
  const bool from_far = key.reply;
  const auto it = index_.find(key);
  if (it == index_.end()) {
    if (message.kind == bus::FLOW_DATA) {
      SendClose(Side{key.peer, key.flow}, !from_far, bus::FlowClose::RESET, "unknown flow", env);
    }
    return passed;
  }
  const uint64_t id = it->second;
  Flow& flow = flows_.find(id)->second;
  if (message.kind == bus::FLOW_DATA) return PassData(id, flow, from_far, message, env);

  passed.flow = id;
  passed.from_far_side = from_far;
  const Side& other = from_far ? flow.near : flow.far;
  if (message.kind == bus::FLOW_CREDIT) {
    passed.established = from_far && !std::exchange(flow.established, flow.established || from_far);
    bus::FlowCredit credit = message.As<bus::FlowCredit>();
    if (from_far) credit.set_bytes(SendPrefix(id, flow, credit.bytes(), env));
    credit.set_flow(other.flow);
    credit.set_reply(from_far);
    env.outbox.Send(other.peer, std::move(credit));
    return passed;
  }
  const auto& close = message.As<bus::FlowClose>();
  SendClose(other, from_far, close.reason(), close.detail(), env);
  passed.ended = true;
  passed.reason = close.reason();
  Erase(id);
  return passed;
}

// Sends what `credit` allows of the prefix; what is left of the credit is the opener's.
uint32_t FlowRelay::SendPrefix(uint64_t id, Flow& flow, uint32_t credit, Env& env) {
  const size_t count = std::min<size_t>(credit, flow.prefix.size() - flow.prefix_sent);
  if (count == 0) return credit;
  bus::FlowData data;
  data.set_flow(id);
  data.set_offset(flow.prefix_sent);
  data.set_data(flow.prefix.substr(flow.prefix_sent, count));
  flow.prefix_sent += count;
  env.outbox.Send(flow.far.peer, std::move(data));
  return credit - static_cast<uint32_t>(count);
}

FlowRelay::Passed FlowRelay::PassData(uint64_t id, Flow& flow, bool from_far,
                                      const Message& message, Env& env) {
  Side& side = from_far ? flow.far : flow.near;
  const Side& other = from_far ? flow.near : flow.far;
  const auto& data = message.As<bus::FlowData>();
  Passed passed;
  passed.flow = id;
  passed.from_far_side = from_far;
  if (data.offset() < side.next_offset || side.fin) return passed;  // doubled
  if (data.offset() > side.next_offset) {
    Reset(id, bus::FlowClose::RESET, "flow data was lost", env);
    passed.ended = true;
    passed.reason = bus::FlowClose::RESET;
    return passed;
  }
  side.next_offset += data.data().size();
  side.fin = data.fin();
  passed.bytes = data.data().size();
  bus::FlowData next = data;
  if (!from_far && !flow.prefix.empty()) {
    // An end without data needs no credit and may come before the whole prefix was allowed.
    SendPrefix(id, flow, UINT32_MAX, env);
    next.set_offset(data.offset() + flow.prefix.size());
  }
  next.set_flow(other.flow);
  next.set_reply(from_far);
  env.outbox.Send(other.peer, std::move(next));
  if (flow.near.fin && flow.far.fin) {
    passed.ended = true;
    passed.reason = bus::FlowClose::DONE;
    Erase(id);
  }
  return passed;
}

void FlowRelay::SendClose(const Side& side, bool reply, bus::FlowClose::Reason reason,
                          const std::string& detail, Env& env) {
  bus::FlowClose close;
  close.set_flow(side.flow);
  close.set_reply(reply);
  close.set_reason(reason);
  close.set_detail(detail);
  env.outbox.Send(side.peer, std::move(close));
}

std::vector<uint64_t> FlowRelay::ResetPeer(std::string_view process, Env& env) {
  std::vector<uint64_t> gone;
  for (const auto& [id, flow] : flows_) {
    if (ProcessOf(flow.near.peer) == process || ProcessOf(flow.far.peer) == process) {
      gone.push_back(id);
    }
  }
  for (const uint64_t id : gone) {
    Reset(id, bus::FlowClose::RESET, "the link to the peer's process is down", env);
  }
  return gone;
}

bool FlowRelay::Reset(uint64_t id, bus::FlowClose::Reason reason, const std::string& detail,
                      Env& env) {
  const auto it = flows_.find(id);
  if (it == flows_.end()) return false;
  // Whoever had all of the answer before the other side went away has lost nothing.
  const bool answered = it->second.far.fin;
  SendClose(it->second.near, true, answered ? bus::FlowClose::DONE : reason, detail, env);
  SendClose(it->second.far, false, reason, detail, env);
  Erase(id);
  return true;
}

void FlowRelay::Erase(uint64_t id) {
  const auto it = flows_.find(id);
  index_.erase(Key{it->second.near.peer, it->second.near.flow, false});
  index_.erase(Key{it->second.far.peer, id, true});
  flows_.erase(it);
}

}  // namespace kubemu
