#include <algorithm>
#include <utility>

#include "messages/core/strings.h"
#include "messages/runtime/bus_links.h"

// The sending half of BusLinks, and what it does when time passes.
namespace kubemu {
namespace {

// Many parts send to few processes: grouped, in the order of the first message to each.
std::vector<std::pair<std::string, std::vector<Message>>> ByProcess(std::vector<Message> messages) {
  std::vector<std::pair<std::string, std::vector<Message>>> groups;
  std::map<std::string, size_t, std::less<>> index;
  for (Message& message : messages) {
    const std::string_view process = ProcessOf(message.to);
    auto it = index.find(process);
    if (it == index.end()) {
      it = index.emplace(std::string(process), groups.size()).first;
      groups.emplace_back(it->first, std::vector<Message>());
    }
    groups[it->second].second.push_back(std::move(message));
  }
  return groups;
}

}  // namespace

void BusLinks::Send(std::vector<Message> messages) {
  for (auto& [process, group] : ByProcess(std::move(messages))) SendTo(process, std::move(group));
}

void BusLinks::SendTo(const std::string& process, std::vector<Message> messages) {
  const auto it = peers_.find(process);
  if (it == peers_.end()) return LoseAll(messages, StrCat("no route to process ", process));
  Peer& peer = it->second;
  if (peer.has_path) return SendOver(peer.path, messages);
  if (peer.endpoint.empty()) return LoseAll(messages, StrCat("no route to process ", process));
  if (peer.dealer.dealer == 0 && peer.retry_at == RealTime::max()) {
    peer.waited = false;
    Connect(process, peer);
  }
  if (peer.waited) return LoseAll(messages, StrCat("the link to ", process, " is down"));
  for (Message& message : messages) {
    if (peer.waiting.size() < kWaitingMax) {
      peer.waiting.push_back(std::move(message));
    } else {
      host_->Lost(message, StrCat("limit: ", kWaitingMax, " messages wait for a connection"));
    }
  }
}

void BusLinks::LoseAll(const std::vector<Message>& messages, std::string_view reason) {
  for (const Message& message : messages) host_->Lost(message, reason);
}

// Frames of about kFrameBytesMax. What could not be sent because the link is over or its queue is
// full is lost, and the receiver sees the gap in the sequence.
void BusLinks::SendOver(LinkId link, const std::vector<Message>& messages) {
  bus::Frame& frame = *frame_out_;
  frame.Clear();  // a link that was lost may have left something
  size_t bytes = 0;
  size_t first = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    bus::Envelope* envelope = frame.add_messages();
    ToEnvelope(messages[i], envelope);
    const size_t size = envelope->ByteSizeLong();
    if (size > kMessageBytesMax) {
      frame.mutable_messages()->RemoveLast();
      host_->Lost(messages[i], StrCat("limit: a message of ", size, " bytes"));
    } else {
      bytes += size;
    }
    if (bytes < kFrameBytesMax && i + 1 < messages.size()) continue;
    if (frame.messages_size() > 0 && !SendFrame(link, frame)) {
      const auto begin = messages.begin() + static_cast<ptrdiff_t>(first);
      return LoseAll(std::vector<Message>(begin, messages.end()), "the link is down");
    }
    Reuse(frame, bytes);
    bytes = 0;
    first = i + 1;
  }
}

// False: the link is over.
bool BusLinks::SendFrame(const LinkId& link, bus::Frame& frame) {
  const auto it = links_.find(link);
  if (it == links_.end()) return false;
  frame.set_process(host_->process());
  frame.set_epoch(host_->epoch());
  frame.set_sequence(++it->second.sent);
  const ZmqEndpoint::SendResult result = endpoint_->Send(link, frame);
  if (result == ZmqEndpoint::SendResult::kUnreachable) {
    LoseLink(link, "the connection was closed");
    return false;
  }
  if (result == ZmqEndpoint::SendResult::kFull) {
    for (const bus::Envelope& envelope : frame.messages()) {
      Message message;
      std::string error;
      if (FromEnvelope(envelope, &message, &error)) {
        host_->Lost(message, "limit: the link's send queue is full");
      }
    }
  }
  return true;
}

void BusLinks::Sweep() {
  sweep_at_ = RealTime::max();
  std::vector<LinkId> gone;
  for (const auto& [link, state] : links_) {
    if (link.dealer == 0 && IsGone(link)) gone.push_back(link);
  }
  for (const LinkId& link : gone) LoseLink(link, "the connection was closed");
}

void BusLinks::TickPeer(const std::string& process, Peer& peer, RealTime now) {
  if (peer.waiting_until <= now) {
    peer.waited = true;
    peer.waiting_until = RealTime::max();
    LoseAll(std::exchange(peer.waiting, {}), StrCat("no connection to ", process, " in time"));
  }
  if (peer.give_up_at <= now) {
    peer.give_up_at = peer.retry_at = RealTime::max();
    LoseLink(peer.dealer, "it cannot be reached");
    peer.retry_at = RealTime::max();
    peer.waited = false;  // a later message gets a new chance
  } else if (peer.retry_at <= now) {
    Connect(process, peer);
  }
}

void BusLinks::Tick(RealTime now) {
  if (sweep_at_ <= now) Sweep();
  if (!takeovers_.empty()) TickTakeovers(now);
  for (const std::string& process : std::exchange(due_, {})) {
    const auto it = peers_.find(process);
    if (it == peers_.end()) continue;
    TickPeer(process, it->second, now);
    if (!peers_.contains(process)) continue;
    const Peer& peer = peers_[process];
    if (std::min({peer.waiting_until, peer.retry_at, peer.give_up_at}) != RealTime::max()) {
      due_.insert(process);
    }
  }
}

RealTime BusLinks::NextWake() const {
  RealTime wake = sweep_at_;
  for (const auto& [process, takeover] : takeovers_) {
    wake = std::min({wake, takeover.until, RealNow() + kSweepDelay});
  }
  for (const std::string& process : due_) {
    const auto it = peers_.find(process);
    if (it == peers_.end()) continue;
    const Peer& peer = it->second;
    wake = std::min({wake, peer.waiting_until, peer.retry_at, peer.give_up_at});
  }
  return wake;
}

}  // namespace kubemu
