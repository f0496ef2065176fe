#include "messages/runtime/bus_links.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"

namespace kubemu {
namespace {

bool IsProcessName(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace

BusLinks::BusLinks(RuntimeHost* host, ZmqEndpoint* endpoint, std::string required)
    : host_(host),
      endpoint_(endpoint),
      required_(std::move(required)),
      frame_out_(std::make_unique<bus::Frame>()),
      frame_in_(std::make_unique<bus::Frame>()) {}

BusLinks::~BusLinks() = default;

bool BusLinks::Peer::IsIdle() const {
  return endpoint.empty() && router.routing_id.empty() && dealer.dealer == 0 && waiting.empty();
}

void BusLinks::Drop(std::string_view what) {
  ++dropped_;
  drop_log_.Warn(StrCat("dropped input on ", endpoint_->endpoint(), ": ", what));
}

void BusLinks::SetEndpoint(const std::string& process, const std::string& endpoint, bool now) {
  if (process == host_->process() || !IsProcessName(process)) return;
  if (!peers_.contains(process) && peers_.size() >= kPeersMax) {
    return Drop(StrCat("limit: no more than ", kPeersMax, " peers"));
  }
  Peer& peer = peers_[process];
  const bool changed = peer.endpoint != endpoint;
  peer.endpoint = endpoint;
  const auto link = links_.find(peer.dealer);
  const bool works = link != links_.end() && link->second.epoch != 0;
  if (changed && peer.dealer.dealer != 0 && !works) {
    LoseLink(peer.dealer, "its endpoint changed");
    peer.retry_at = RealTime::max();
    peer.retry_after = kRetryMin;
    Connect(process, peer);
  } else if (now && peer.dealer.dealer == 0) {
    Connect(process, peer);
  }
}

void BusLinks::Connect(const std::string& process, Peer& peer) {
  const std::string id = StrCat(host_->process(), "#", host_->epoch(), "#", ++connections_);
  const auto dealer = endpoint_->Connect(peer.endpoint, id);
  peer.retry_at = RealTime::max();
  due_.insert(process);
  if (!dealer.ok()) {
    Drop(StrCat("endpoint of ", process, ": ", std::string(dealer.status().message())));
    peer.endpoint.clear();
    peer.waited = true;
    return;
  }
  peer.dealer = LinkId{*dealer, ""};
  links_[peer.dealer].process = process;
  if (!peer.waited && peer.waiting_until == RealTime::max()) {
    peer.waiting_until = RealNow() + kConnectWait;
  }
  if (process != required_ && peer.give_up_at == RealTime::max()) {
    peer.give_up_at = RealNow() + kGiveUpAfter;
  }
}

void BusLinks::SendHello(const LinkId& link, Link& state, const std::string& refused) {
  bus::Hello hello;
  hello.set_process(host_->process());
  hello.set_epoch(host_->epoch());
  hello.set_endpoint(endpoint_->endpoint());
  hello.set_protocol_version(kProtocolVersion);
  hello.set_refused(refused);
  bus::Frame frame;
  frame.set_process(host_->process());
  frame.set_epoch(host_->epoch());
  frame.set_sequence(++state.sent);
  bus::Envelope* envelope = frame.add_messages();
  envelope->set_from(host_->process() + "/bus");
  envelope->set_kind(bus::HELLO);
  hello.SerializeToString(envelope->mutable_body());
  endpoint_->Send(link, frame);
}

void BusLinks::OnConnected(uint64_t dealer) {
  const LinkId link{dealer, ""};
  if (const auto it = links_.find(link); it != links_.end()) SendHello(link, it->second);
}

void BusLinks::OnDisconnected(uint64_t dealer) {
  LoseLink(LinkId{dealer, ""}, "the connection was closed");
}

void BusLinks::OnRouterDisconnect() {
  if (sweep_at_ == RealTime::max()) sweep_at_ = RealNow() + kSweepDelay;
}

void BusLinks::OnFrame(const LinkId& link, std::string_view bytes) {
  if (frame_in_->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    TakeFrame(link, *frame_in_);
  } else {
    Drop("a frame that does not parse");
  }
  Reuse(*frame_in_, bytes.size());
}

// Empties a frame; one that was large gives its memory back.
void BusLinks::Reuse(bus::Frame& frame, size_t bytes) {
  frame.Clear();
  if (bytes > kFrameBytesReused) bus::Frame().Swap(&frame);
}

void BusLinks::TakeFrame(const LinkId& link, const bus::Frame& frame) {
  if (frame.messages_size() == 1 && frame.messages(0).kind() == bus::HELLO) {
    bus::Hello hello;
    if (!hello.ParseFromString(frame.messages(0).body()) || hello.epoch() != frame.epoch() ||
        hello.process() != frame.process()) {
      return Drop("a Hello that does not parse");
    }
    if (const auto it = links_.find(link); it != links_.end()) {
      it->second.received = frame.sequence();
    }
    return OnHello(link, hello);
  }
  const auto it = links_.find(link);
  if (it == links_.end() || it->second.epoch == 0) return Drop("a frame before any Hello");
  Link& state = it->second;
  if (frame.epoch() != state.epoch || frame.process() != state.process) {
    return Drop(StrCat("a frame of another epoch or process than ", state.process, "'s"));
  }
  if (CheckSequence(state, frame.sequence())) DeliverAll(state, frame);
  if (takeovers_.empty()) return;
  const auto takeover = takeovers_.find(frame.process());
  if (takeover != takeovers_.end()) takeover->second.until = RealTime{};
}

// True: the frame is new. A gap is told to the parts as a link that was down for a moment.
bool BusLinks::CheckSequence(Link& state, uint64_t sequence) {
  if (sequence <= state.received) {
    Drop(StrCat("a doubled frame from ", state.process));
    return false;
  }
  const uint64_t lost = sequence - state.received - 1;
  state.received = sequence;
  if (lost > 0) {
    spdlog::warn("{} frames from {} were lost", lost, state.process);
    host_->LinkDown(state.process, state.epoch, StrCat(lost, " frames were lost"));
    host_->LinkUp(state.process, state.epoch);
  }
  return true;
}

void BusLinks::DeliverAll(const Link& state, const bus::Frame& frame) {
  std::string error;
  for (const bus::Envelope& envelope : frame.messages()) {
    if (ProcessOf(envelope.from()) != state.process) {
      Drop(StrCat(state.process, " sent a message in the name of ", envelope.from()));
      continue;
    }
    if (ProcessOf(envelope.to()) != host_->process()) {
      Drop(StrCat(state.process, " sent a message for ", envelope.to()));
      continue;
    }
    Message message;
    if (!FromEnvelope(envelope, &message, &error)) {
      Drop(StrCat("a message from ", envelope.from(), ": ", error));
      continue;
    }
    host_->Deliver(std::move(message));
  }
}

void BusLinks::OnHello(const LinkId& link, const bus::Hello& hello) {
  if (link.dealer != 0) {
    const auto it = links_.find(link);
    if (it != links_.end()) OnDealerHello(link, it->second, hello);
    return;
  }
  OnRouterHello(link, hello);
}

void BusLinks::OnDealerHello(const LinkId& link, Link& state, const bus::Hello& hello) {
  const std::string process = state.process;
  if (!hello.refused().empty() && process == required_) return host_->Fatal(hello.refused());
  if (!hello.refused().empty() || hello.process() != process ||
      hello.protocol_version() != kProtocolVersion) {
    const std::string why = !hello.refused().empty() ? hello.refused()
                            : hello.process() != process
                                ? StrCat("the process there is called \"", hello.process(), "\"")
                                : StrCat("it speaks protocol version ", hello.protocol_version(),
                                         ", not ", kProtocolVersion);
    Drop(StrCat("no link to ", process, ": ", why));
    return LoseLink(link, why);
  }
  if (state.epoch == hello.epoch()) return SendHello(link, state);  // it asks whether we are there
  state.epoch = hello.epoch();
  Peer& peer = peers_[process];
  peer.retry_after = kRetryMin;
  peer.give_up_at = RealTime::max();
  const bool had_path = peer.has_path;
  ChoosePath(peer);
  FlushWaiting(peer);
  if (!had_path) host_->LinkUp(process, hello.epoch());
}

void BusLinks::OnRouterHello(const LinkId& link, const bus::Hello& hello) {
  if (!IsProcessName(hello.process()) || hello.epoch() == 0) {
    return Drop("a Hello without a valid process name and epoch");
  }
  if (const auto it = links_.find(link); it != links_.end()) {
    if (it->second.process != hello.process() || it->second.epoch != hello.epoch()) {
      return Drop("a second Hello that contradicts the first");
    }
    const auto takeover = takeovers_.find(hello.process());
    if (takeover != takeovers_.end()) takeover->second.until = RealTime{};  // it is alive
    return;
  }
  if (hello.protocol_version() != kProtocolVersion) {
    return Refuse(link,
                  StrCat("protocol version ", hello.protocol_version(), " of ", hello.process(),
                         " is not ", kProtocolVersion, ", that of ", host_->process()));
  }
  if (hello.process() == host_->process()) {
    return Refuse(link, StrCat("process name ", hello.process(), " is already taken by ",
                               endpoint_->endpoint()));
  }
  const auto it = peers_.find(hello.process());
  if (it == peers_.end() && peers_.size() >= kPeersMax) {
    return Refuse(link, StrCat("limit: no more than ", kPeersMax, " peers"));
  }
  if (it != peers_.end() && !it->second.router.routing_id.empty()) {
    const LinkId old = it->second.router;
    if (links_[old].epoch != hello.epoch() && !IsGone(old)) return Dispute(link, hello);
    LoseLink(old, "it connected again");
  }
  Accept(link, hello.process(), hello.epoch(), hello.endpoint());
}

void BusLinks::Accept(const LinkId& link, const std::string& process, uint64_t epoch,
                      const std::string& endpoint) {
  spdlog::debug("link to {} epoch {} at {}", process, epoch, endpoint);
  Peer& peer = peers_[process];
  Link& state = links_[link];
  state.process = process;
  state.epoch = epoch;
  state.received = 1;
  peer.router = link;
  SendHello(link, state);
  const bool had_path = peer.has_path;
  ChoosePath(peer);
  FlushWaiting(peer);
  if (!had_path) host_->LinkUp(process, epoch);
}

void BusLinks::Refuse(const LinkId& link, const std::string& why) {
  Drop(StrCat("refused: ", why));
  Link none;
  SendHello(link, none, why);
}

// The name belongs to another session. Whether that one lives shows when it is asked.
void BusLinks::Dispute(const LinkId& link, const bus::Hello& hello) {
  if (takeovers_.contains(hello.process())) {
    return Refuse(link, StrCat("process name ", hello.process(), " is wanted by another process"));
  }
  const LinkId old = peers_[hello.process()].router;
  SendHello(old, links_[old]);
  takeovers_[hello.process()] =
      Takeover{link, hello.epoch(), hello.endpoint(), RealNow() + kTakeoverWait};
}

void BusLinks::TickTakeovers(RealTime now) {
  for (auto it = takeovers_.begin(); it != takeovers_.end();) {
    const std::string process = it->first;
    const Takeover takeover = it->second;
    const LinkId old = peers_[process].router;
    const bool gone = old.routing_id.empty() || IsGone(old);
    if (!gone && takeover.until > now) {
      ++it;
      continue;
    }
    it = takeovers_.erase(it);
    if (gone) {
      if (!old.routing_id.empty()) LoseLink(old, "the connection was closed");
      Accept(takeover.newcomer, process, takeover.epoch, takeover.endpoint);
    } else {
      Refuse(takeover.newcomer, StrCat("process name ", process,
                                       " is already taken by a process that is alive (epoch ",
                                       links_[old].epoch, "); stop it or choose another name"));
    }
  }
}

void BusLinks::ChoosePath(Peer& peer) {
  if (peer.has_path) return;
  const auto live = [this](const LinkId& link) {
    const auto it = links_.find(link);
    return it != links_.end() && it->second.epoch != 0;
  };
  if (!peer.router.routing_id.empty() && live(peer.router)) {
    peer.path = peer.router;
  } else if (peer.dealer.dealer != 0 && live(peer.dealer)) {
    peer.path = peer.dealer;
  } else {
    return;
  }
  peer.has_path = true;
}

void BusLinks::FlushWaiting(Peer& peer) {
  peer.waited = true;
  peer.waiting_until = RealTime::max();
  if (peer.waiting.empty() || !peer.has_path) return;
  SendOver(peer.path, std::exchange(peer.waiting, {}));
}

void BusLinks::LoseLink(const LinkId& link, const std::string& reason) {
  const auto it = links_.find(link);
  if (it == links_.end()) return;
  const Link state = it->second;
  links_.erase(it);
  Peer& peer = peers_[state.process];
  if (link.dealer != 0) {
    endpoint_->Disconnect(link.dealer);
    peer.dealer = LinkId{};
    peer.retry_at = RealNow() + peer.retry_after;
    peer.retry_after = std::min(2 * peer.retry_after, kRetryMax);
    due_.insert(state.process);
  } else {
    peer.router = LinkId{};
  }
  if (state.epoch == 0) return;
  if (peer.has_path && peer.path == link) peer.has_path = false;
  host_->LinkDown(state.process, state.epoch, reason);
  ChoosePath(peer);
  if (peer.has_path) {
    host_->LinkUp(state.process, links_[peer.path].epoch);
  } else if (peer.IsIdle()) {
    peers_.erase(state.process);
  }
}

}  // namespace kubemu
