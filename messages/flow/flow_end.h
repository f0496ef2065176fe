#ifndef KUBEMU_MESSAGES_FLOW_FLOW_END_H_
#define KUBEMU_MESSAGES_FLOW_FLOW_END_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "messages/component.h"
#include "messages/proto/flow.pb.h"

namespace kubemu {

// Which flow a FlowData, FlowCredit or FlowClose is about; 0 for other messages.
uint64_t FlowOf(const Message& message);
// Such a message comes from the side that accepted the flow. False for other messages.
bool IsFlowReply(const Message& message);

// Why a flow ended, as a client's error text says it ("connection refused"). Whatever has no text
// of its own is "connection reset by peer".
std::string_view FlowCloseText(bus::FlowClose::Reason reason);

// One end of a flow: a TCP socket made of messages. Keeps what could not be sent yet for lack of
// credit, checks the offsets of what comes in, and grants the other side credit for what was
// consumed.
class FlowEnd {
 public:
  // Bytes the other side may have in flight to us. Bounds what an end buffers.
  static constexpr uint32_t kWindow = 64 * 1024;

  // `self` and `peer` are addresses; `accepted`: the peer opened the flow, so what we send is the
  // reply direction; `credit`: what the peer lets us send at once.
  FlowEnd(std::string self, std::string peer, uint64_t flow, bool accepted, uint64_t credit)
      : self_(std::move(self)),
        peer_(std::move(peer)),
        flow_(flow),
        accepted_(accepted),
        credit_(credit) {}

  const std::string& self() const { return self_; }
  const std::string& peer() const { return peer_; }
  uint64_t flow() const { return flow_; }
  bool accepted() const { return accepted_; }

  // Tells the opener that the connection stands and that it may send.
  void Accept(Env& env) { Grant(kWindow, env); }

  // Queues and sends what credit allows. `fin`: nothing comes after it.
  void Send(std::string_view data, bool fin, Env& env);
  bool fin_sent() const { return fin_sent_; }
  // Bytes that wait for credit.
  size_t unsent() const { return out_.size() - out_sent_; }

  enum class Input { kNew, kDoubled, kLost };
  // What a FlowData is: new data (or the end), a repetition, or one that comes after a gap.
  Input OnData(const bus::FlowData& data);
  bool fin_received() const { return fin_received_; }

  // `bytes` of received data were used up: grants credit again, in few messages.
  void Consumed(size_t bytes, Env& env);
  // The peer granted credit.
  void OnCredit(uint32_t bytes, Env& env);

  bool done() const { return fin_sent_ && fin_received_; }

  // Ends the flow for the other side.
  void Close(bus::FlowClose::Reason reason, std::string detail, Env& env);

 private:
  void Grant(uint32_t bytes, Env& env);
  void Flush(Env& env);

  std::string self_;
  std::string peer_;
  uint64_t flow_;
  bool accepted_;
  bool fin_queued_ = false;
  bool fin_sent_ = false;
  bool fin_received_ = false;
  uint64_t credit_;        // bytes we may send
  uint64_t sent_ = 0;      // offset of what we send next
  uint64_t received_ = 0;  // offset of what comes next
  uint32_t consumed_ = 0;  // not yet granted again
  std::string out_;
  size_t out_sent_ = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_FLOW_FLOW_END_H_
