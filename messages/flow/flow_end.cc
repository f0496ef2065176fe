#include "messages/flow/flow_end.h"

#include <algorithm>

namespace kubemu {

uint64_t FlowOf(const Message& message) {
  switch (message.kind) {
    case bus::FLOW_DATA:
      return message.As<bus::FlowData>().flow();
    case bus::FLOW_CREDIT:
      return message.As<bus::FlowCredit>().flow();
    case bus::FLOW_CLOSE:
      return message.As<bus::FlowClose>().flow();
    default:
      return 0;
  }
}

bool IsFlowReply(const Message& message) {
  switch (message.kind) {
    case bus::FLOW_DATA:
      return message.As<bus::FlowData>().reply();
    case bus::FLOW_CREDIT:
      return message.As<bus::FlowCredit>().reply();
    case bus::FLOW_CLOSE:
      return message.As<bus::FlowClose>().reply();
    default:
      return false;
  }
}

std::string_view FlowCloseText(bus::FlowClose::Reason reason) {
  switch (reason) {
    case bus::FlowClose::REFUSED:
      return "connection refused";
    case bus::FlowClose::UNREACHABLE:
      return "no route to host";
    case bus::FlowClose::TIMED_OUT:
      return "connection timed out";
    default:
      return "connection reset by peer";
  }
}

void FlowEnd::Send(std::string_view data, bool fin, Env& env) {
  if (fin_queued_) return;
  fin_queued_ = fin;
  if (unsent() == 0 && data.size() <= credit_ && (!data.empty() || fin)) {
    // The common case: no copy through the buffer.
    bus::FlowData message;
    message.set_flow(flow_);
    message.set_reply(accepted_);
    message.set_offset(sent_);
    message.set_data(data.data(), data.size());
    message.set_fin(fin);
    sent_ += data.size();
    credit_ -= data.size();
    fin_sent_ = fin;
    env.outbox.SendAs(self_, peer_, std::move(message));
    return;
  }
  out_.append(data);
  Flush(env);
}

void FlowEnd::Flush(Env& env) {
  const size_t count = std::min<uint64_t>(unsent(), credit_);
  const bool fin = fin_queued_ && count == unsent() && !fin_sent_;
  if (count == 0 && !fin) return;
  bus::FlowData message;
  message.set_flow(flow_);
  message.set_reply(accepted_);
  message.set_offset(sent_);
  message.set_data(out_.data() + out_sent_, count);
  message.set_fin(fin);
  sent_ += count;
  credit_ -= count;
  out_sent_ += count;
  fin_sent_ = fin_sent_ || fin;
  if (out_sent_ == out_.size()) {
    out_.clear();
    out_sent_ = 0;
  }
  env.outbox.SendAs(self_, peer_, std::move(message));
}

FlowEnd::Input FlowEnd::OnData(const bus::FlowData& data) {
  if (fin_received_ || data.offset() < received_) return Input::kDoubled;
  if (data.offset() > received_) return Input::kLost;
  received_ += data.data().size();
  fin_received_ = data.fin();
  return Input::kNew;
}

void FlowEnd::Consumed(size_t bytes, Env& env) {
  consumed_ += static_cast<uint32_t>(bytes);
  if (consumed_ < kWindow / 2 || fin_received_) return;
  Grant(consumed_, env);
  consumed_ = 0;
}

void FlowEnd::OnCredit(uint32_t bytes, Env& env) {
  credit_ += bytes;
  Flush(env);
}

void FlowEnd::Grant(uint32_t bytes, Env& env) {
  bus::FlowCredit credit;
  credit.set_flow(flow_);
  credit.set_reply(accepted_);
  credit.set_bytes(bytes);
  env.outbox.SendAs(self_, peer_, std::move(credit));
}

void FlowEnd::Close(bus::FlowClose::Reason reason, std::string detail, Env& env) {
  bus::FlowClose close;
  close.set_flow(flow_);
  close.set_reply(accepted_);
  close.set_reason(reason);
  close.set_detail(std::move(detail));
  env.outbox.SendAs(self_, peer_, std::move(close));
}

}  // namespace kubemu
