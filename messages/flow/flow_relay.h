#ifndef KUBEMU_MESSAGES_FLOW_FLOW_RELAY_H_
#define KUBEMU_MESSAGES_FLOW_FLOW_RELAY_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "messages/component.h"
#include "messages/proto/flow.pb.h"

namespace kubemu {

// The flows that pass through one hop (lb, iptables): what comes in on one side goes out on the
// other, data, credit and close alike. The relay queues nothing: credit travels end to end. A
// doubled data message is dropped; a missing one resets the flow on both sides.
class FlowRelay {
 public:
  static constexpr size_t kFlowsMax = 65536;

  // Accepts the flow that `message` (a FlowOpen) opens and opens its continuation to `to`, with
  // the addresses of `next`. Returns the number of the flow on the far side, or 0 if kFlowsMax is
  // reached: then the opener got FlowClose LIMIT. A doubled FlowOpen changes nothing. `prefix` (a
  // PROXY header) goes to the far side before the opener's first byte.
  uint64_t Forward(const Message& message, std::string to, bus::FlowOpen next, Env& env,
                   std::string prefix = "");

  // Answers a FlowOpen with FlowClose.
  static void Refuse(const Message& message, bus::FlowClose::Reason reason, std::string detail,
                     Env& env);

  // What became of a message given to Receive.
  struct Passed {
    uint64_t flow = 0;         // number of the flow on the far side; 0: no flow of this relay
    uint64_t bytes = 0;        // of data that were passed on
    bool established = false;  // the far side has just accepted
    bool ended = false;        // both directions finished, or the flow was closed
    bus::FlowClose::Reason reason = bus::FlowClose::REASON_UNSPECIFIED;  // if it was closed
    bool from_far_side = false;
  };

  // Passes FlowData, FlowCredit and FlowClose on. Data of an unknown flow is answered with RESET.
  Passed Receive(const Message& message, Env& env);

  // A peer process is gone: its flows are reset on the other side. Returns their numbers.
  std::vector<uint64_t> ResetPeer(std::string_view process, Env& env);
  // Ends one flow on both sides (its pod is gone); an opener to whom the far side had said all is
  // told DONE instead. False if there is no such flow.
  bool Reset(uint64_t flow, bus::FlowClose::Reason reason, const std::string& detail, Env& env);

  // For a hop that may choose again while the far side has not accepted.
  // The flow that a FlowClose from the far side refuses; 0 if the message is anything else.
  uint64_t RefusedFlow(const Message& message) const;
  // The flows to `process` that it has not accepted yet.
  std::vector<uint64_t> UnestablishedTo(std::string_view process) const;
  // Opens the continuation anew, to another peer than before. `tell`: the old one hears FlowClose.
  // REQUIRES: the flow is there and not established.
  void Redirect(uint64_t flow, std::string to, bus::FlowOpen next, bool tell, Env& env);

  // True if `message` (a FlowOpen) repeats one that is known.
  bool IsKnown(const Message& message) const;

  size_t size() const { return flows_.size(); }

 private:
  struct Side {
    std::string peer;
    uint64_t flow = 0;
    uint64_t next_offset = 0;  // of data that comes from this side
    bool fin = false;          // has finished sending
  };
  struct Flow {
    Side near;  // who opened it
    Side far;   // whom we opened it to
    bool established = false;
    uint32_t credit = 0;     // that the opener gave the far side at once
    std::string prefix;      // goes before the opener's data
    size_t prefix_sent = 0;  // bytes of it
  };
  struct Key {
    std::string peer;
    uint64_t flow;
    bool reply;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const {
      return std::hash<std::string>()(key.peer) ^ (key.flow * 0x9e3779b97f4a7c15 + key.reply);
    }
  };

  Passed PassData(uint64_t id, Flow& flow, bool from_far, const Message& message, Env& env);
  uint32_t SendPrefix(uint64_t id, Flow& flow, uint32_t credit, Env& env);
  void SendClose(const Side& side, bool reply, bus::FlowClose::Reason reason,
                 const std::string& detail, Env& env);
  void Erase(uint64_t id);

  uint64_t next_ = 1;
  std::map<uint64_t, Flow> flows_;                    // by number on the far side
  std::unordered_map<Key, uint64_t, KeyHash> index_;  // looked up, never iterated
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_FLOW_FLOW_RELAY_H_
