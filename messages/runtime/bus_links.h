#ifndef KUBEMU_MESSAGES_RUNTIME_BUS_LINKS_H_
#define KUBEMU_MESSAGES_RUNTIME_BUS_LINKS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "messages/message.h"
#include "messages/runtime/clock.h"
#include "messages/runtime/rate_limited_log.h"
#include "messages/runtime/runtime_host.h"
#include "messages/runtime/zmq_endpoint.h"

namespace kubemu {

namespace bus {
class Frame;
class Hello;
}  // namespace bus

// Who is behind the links of a ZmqEndpoint, and which link a message takes (docs/PROTOCOL.md,
// "Links"). Every link begins with a Hello both ways; frames before it, of another epoch, or out of
// sequence have no effect. A peer is reached over its own session at our ROUTER if it has one, else
// over our DEALER to its known endpoint; the choice stays until that link fails, so that messages
// keep their order. Whenever a link is lost the parts hear LinkDown, and LinkUp when one is there
// (again): messages in between may be lost, and parts ask or say again what matters.
//
// Nothing is queued for a peer that cannot be reached, except while the first connection to it is
// being made (kConnectWait, kWaitingMax).
class BusLinks : public ZmqEndpoint::Handler {
 public:
  static constexpr uint32_t kProtocolVersion = 1;
  static constexpr size_t kPeersMax = 16384;
  static constexpr size_t kWaitingMax = 4096;                  // messages per peer
  static constexpr size_t kFrameBytesMax = 1 << 20;            // a frame is closed when past this
  static constexpr size_t kFrameBytesReused = 64 << 10;        // larger ones are freed after use
  static constexpr size_t kMessageBytesMax = 8 << 20;          // larger ones are lost
  static constexpr std::chrono::seconds kConnectWait{1};       // real time
  static constexpr std::chrono::seconds kTakeoverWait{1};      // real time
  static constexpr std::chrono::seconds kGiveUpAfter{60};      // real time, not of `required`
  static constexpr std::chrono::milliseconds kSweepDelay{20};  // see OnRouterDisconnect
  static constexpr std::chrono::milliseconds kRetryMin{50};    // before a new connection
  static constexpr std::chrono::milliseconds kRetryMax{2000};

  // `required`: the peer that must accept us (a node's master; "" if none): its refusal is fatal.
  // `host` and `endpoint` are not owned.
  BusLinks(RuntimeHost* host, ZmqEndpoint* endpoint, std::string required);
  ~BusLinks() override;

  // Where a process listens. Connects on the first message to it, or at once if `now`.
  void SetEndpoint(const std::string& process, const std::string& endpoint, bool now = false);

  // Sends what one turn had for other processes, in order; loses what cannot be sent.
  void Send(std::vector<Message> messages);

  // Takes what has come in; true: more waits.
  bool Receive(size_t frames_max) { return endpoint_->Receive(frames_max, *this); }

  // Does what is due (new connections, names in dispute).
  void Tick(RealTime now);
  // RealTime::max(): nothing is due.
  RealTime NextWake() const;

  // Input that was dropped because it made no sense. For tests and the log.
  uint64_t dropped() const { return dropped_; }

  void OnFrame(const LinkId& link, std::string_view bytes) override;
  void OnConnected(uint64_t dealer) override;
  void OnDisconnected(uint64_t dealer) override;
  void OnRouterDisconnect() override;

 private:
  // One connection and the Hello that came over it.
  struct Link {
    std::string process;  // of a DEALER: whom we expect there
    uint64_t epoch = 0;   // 0: no Hello yet
    uint64_t sent = 0;    // frames
    uint64_t received = 0;
  };
  struct Peer {
    std::string endpoint;  // "": not known
    LinkId router;         // its session at our ROUTER; empty routing id: none
    LinkId dealer;         // ours to it; 0: none
    LinkId path;           // what messages take now
    bool has_path = false;
    bool waited = false;  // the first connection was made or given up
    std::vector<Message> waiting;
    RealTime waiting_until = RealTime::max();
    RealTime retry_at = RealTime::max();
    std::chrono::milliseconds retry_after = kRetryMin;
    RealTime give_up_at = RealTime::max();  // stops to connect until it is sent to again
    bool IsIdle() const;                    // nothing is known of it that would be missed
  };
  // A Hello for a name that another session holds, until that one answers or turns out dead.
  struct Takeover {
    LinkId newcomer;
    uint64_t epoch = 0;
    std::string endpoint;
    RealTime until;
  };

  void OnHello(const LinkId& link, const bus::Hello& hello);
  void OnRouterHello(const LinkId& link, const bus::Hello& hello);
  void OnDealerHello(const LinkId& link, Link& state, const bus::Hello& hello);
  void Accept(const LinkId& link, const std::string& process, uint64_t epoch,
              const std::string& endpoint);
  void Refuse(const LinkId& link, const std::string& why);
  void Dispute(const LinkId& link, const bus::Hello& hello);
  bool IsGone(const LinkId& link) {
    return endpoint_->Probe(link) == ZmqEndpoint::SendResult::kUnreachable;
  }
  void TickPeer(const std::string& process, Peer& peer, RealTime now);
  void TickTakeovers(RealTime now);
  void Sweep();
  bool CheckSequence(Link& state, uint64_t sequence);
  void DeliverAll(const Link& state, const bus::Frame& frame);
  bool SendFrame(const LinkId& link, bus::Frame& frame);
  void LoseLink(const LinkId& link, const std::string& reason);
  void Connect(const std::string& process, Peer& peer);
  void ChoosePath(Peer& peer);
  void FlushWaiting(Peer& peer);
  void SendHello(const LinkId& link, Link& state, const std::string& refused = "");
  void SendTo(const std::string& process, std::vector<Message> messages);
  void SendOver(LinkId link, const std::vector<Message>& messages);
  void TakeFrame(const LinkId& link, const bus::Frame& frame);
  static void Reuse(bus::Frame& frame, size_t bytes);
  void LoseAll(const std::vector<Message>& messages, std::string_view reason);
  void Drop(std::string_view what);

  RuntimeHost* const host_;
  ZmqEndpoint* const endpoint_;
  const std::string required_;
  std::map<LinkId, Link> links_;
  std::map<std::string, Peer> peers_;
  std::map<std::string, Takeover> takeovers_;  // by process
  std::set<std::string> due_;                  // peers with a deadline
  uint64_t connections_ = 0;                   // makes routing ids unique
  uint64_t dropped_ = 0;
  RealTime sweep_at_ = RealTime::max();  // some ROUTER connection ended: find out whose
  RateLimitedLog drop_log_;
  // Reused, with the memory of the messages in them, as long as they are small.
  const std::unique_ptr<bus::Frame> frame_out_;
  const std::unique_ptr<bus::Frame> frame_in_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_BUS_LINKS_H_
