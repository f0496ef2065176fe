#ifndef KUBEMU_NODE_IPTABLES_IPTABLES_H_
#define KUBEMU_NODE_IPTABLES_IPTABLES_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "messages/component.h"
#include "messages/core/deadline.h"
#include "messages/flow/flow_relay.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "node/iptables/conntrack.h"
#include "node/iptables/routes.h"
#include "node/iptables/ruleset.h"

namespace kubemu {

// The packet filter and the network of one node, at address "<node>/iptables". All traffic of the
// node passes here: from outside (the door of its NodePorts, lb), from its pods, from other nodes.
// A connection's first packet goes through the rules; they say whether it may pass and which pod
// gets it; then the flow is passed on to the pod, or to the iptables of the pod's node.
//   REJECT: the opener gets FlowClose REFUSED.   DROP: it hears nothing, as when conntrack is full.
// A connection keeps its pod as long as it lives, whatever becomes of the rules.
class Iptables : public Component {
 public:
  struct Options {
    std::string node;
    size_t conntrack_max = iptables::Conntrack::kConntrackMax;
  };
  // What has happened to connections and datagrams since the beginning.
  struct Statistics {
    uint64_t forwarded = 0;
    uint64_t dropped = 0;      // by a DROP rule or policy
    uint64_t rejected = 0;     // by a REJECT rule
    uint64_t unreachable = 0;  // nobody has the address, or nobody listens there
    uint64_t refused = 0;      // two connections with the same addresses
    uint64_t table_full = 0;   // dropped, because conntrack has no room or no free source port
  };

  // The engine is asked where its pods are when a packet is for one that is not known, at most this
  // often: what it said may have been lost.
  static constexpr Duration kAskInterval = 1s;
  // What is for a node to which the link is down is refused at once, and the node asked whether it
  // is there again, at most this often.
  static constexpr Duration kProbeInterval = 1s;
  // Until a port that is taken is tried again: first, and at most (it doubles).
  static constexpr Duration kListenRetry = 1s;
  static constexpr Duration kListenRetryMax = 32s;

  explicit Iptables(Options options);

  void Receive(const Message& message, Env& env) override;
  void Tick(Env& env) override;
  Time NextWake() const override;

  iptables::Ruleset& ruleset() { return ruleset_; }
  const iptables::Conntrack& conntrack() const { return conntrack_; }
  const Statistics& statistics() const { return statistics_; }
  uint64_t revision() const { return revision_; }

 private:
  // How a first packet ends here.
  struct Decision {
    iptables::Verdict verdict;
    iptables::Connection* connection = nullptr;  // null: it does not pass
    std::string to;
    bus::FlowClose::Reason reason = bus::FlowClose::REASON_UNSPECIFIED;
    std::string detail;  // REASON_UNSPECIFIED without connection: silence

    void Refuse(bus::FlowClose::Reason why, std::string text) {
      reason = why;
      detail = std::move(text);
    }
  };

  void OnRestore(const Message& message, Env& env);
  absl::Status Apply(const bus::IptablesRestore& restore);
  void OnPodUpdate(const Message& message, Env& env);
  void OnFlowOpen(const Message& message, Env& env);
  void OnFlow(const Message& message, Env& env);
  void OnDatagram(const Message& message, Env& env);
  void OnListenResult(const Message& message, Env& env);
  void SyncListeners(Env& env);
  // Questions of the laboratory: "iptables-save" (table=filter|nat, counters=yes) and "explain"
  // (from=, to=, protocol=tcp|udp, in-interface=, out-interface=, format=json).
  void OnInspect(const Message& message, Env& env);
  absl::StatusOr<std::string> AnswerSave(const bus::InspectRequest& request) const;
  absl::StatusOr<std::string> AnswerExplain(const bus::InspectRequest& request, Time now) const;

  void ForgetStaleUdp(const bus::IptablesRestore& restore);
  Decision Decide(const Message& message, const iptables::Packet& packet, Env& env);
  // The packet that the message stands for; a source port of 0 gets a free one.
  template <typename Body>
  iptables::Packet PacketOf(const Message& message, const Body& body, Env& env) const;
  // A source port with which the packet belongs to no known connection.
  void PickSourcePort(iptables::Packet* packet, Env& env) const;
  bool IsDoubled(const Message& message, const iptables::Packet& packet) const;
  void Forget(const std::vector<uint64_t>& flows);

  void AskForPods(Env& env);
  void OnLinkDown(const Message& message, Env& env);
  // True if the link to that peer is down; asks it whether that is still so.
  bool IsDown(std::string_view process, Env& env);

  const std::string door_;
  const std::string engine_;
  const std::string kube_proxy_;
  const std::string kubelet_;
  const std::string pods_;  // what the addresses of this node's pods begin with
  uint64_t revision_ = 0;   // of kube-proxy's rules, last applied
  iptables::Ruleset ruleset_;
  iptables::Conntrack conntrack_;
  iptables::Routes routes_;
  FlowRelay relay_;
  struct Flow {
    uint64_t connection = 0;
    std::string opener;        // its address
    uint64_t opener_flow = 0;  // and its number of the flow
    std::string to;
  };
  std::map<uint64_t, Flow> flows_;                          // by the relay's number
  std::map<uint64_t, uint64_t> flow_of_;                    // connection to flow
  std::map<uint64_t, std::string> datagram_senders_;        // connection to who began it
  std::set<std::pair<bus::Protocol, uint16_t>> listening_;  // asked of the door
  std::set<std::pair<bus::Protocol, uint16_t>> taken_;      // of others; kube-proxy was told
  Ipv4 listening_ip_;
  Deadline listen_retry_;
  Duration listen_delay_ = kListenRetry;
  Time ask_again_{};
  std::map<std::string, Time, std::less<>> down_;  // peers without a link: when to ask again
  Statistics statistics_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_IPTABLES_IPTABLES_H_
