#include "master/apiserver/watches.h"

#include <algorithm>

#include "messages/api/kinds.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"

namespace kubemu {

using Seen = Filter::Seen;

void Watches::Start(StreamId id, Options options, std::unique_ptr<WatchSink> sink, Env& env) {
  Cancel(id);
  if (streams_.size() >= kWatchStreamsMax) {
    const ApiStatus error = api_error::TooManyRequests(
        StrCat("the server holds ", kWatchStreamsMax, " watches already"), 1);
    return sink->End(&error, env);
  }
  auto owned = std::make_unique<Stream>();
  Stream& stream = *owned;
  stream.id = id;
  stream.options = std::move(options);
  stream.sink = std::move(sink);
  stream.last_sent = env.now;
  streams_[id] = std::move(owned);
  Index(stream);
  if (Begin(stream, env)) {
    SetTimer(stream, env);
    Pump(stream, env);
  }
}

// Finds where the stream begins. False: it has failed and is gone.
bool Watches::Begin(Stream& stream, Env& env) {
  const Kind& kind = *stream.options.kind;
  const EventLog& log = cache_->Log(kind);
  if (stream.options.after) {
    const uint64_t after = *stream.options.after;
    if (after > cache_->revision()) {
      Fail(stream, api_error::ResourceVersionTooNew(after, cache_->revision()), env);
      return false;
    }
    const std::optional<uint64_t> position = log.PositionAfter(after);
    if (!position) {
      Fail(stream, api_error::ResourceVersionTooOld(after, log.dropped_revision()), env);
      return false;
    }
    stream.position = *position;
    return true;
  }
  stream.listing = true;
  stream.list_revision = cache_->revision();
  stream.position = log.end();
  const Cache::Range range = cache_->In(kind, stream.options.filter.ns());
  for (auto it = range.begin; it != range.end; ++it) {
    if (stream.options.filter.Matches(it->second)) stream.initial.push_back(it->second);
  }
  return true;
}

bool Watches::TakeCredit(Stream& stream) {
  if (stream.options.credit == kUnlimited) return true;
  if (stream.options.credit == 0) return false;
  --stream.options.credit;
  return true;
}

// Sends what the stream has not seen yet, as far as its credit goes.
void Watches::Pump(Stream& stream, Env& env) {
  PumpInitial(stream, env);
  if (stream.listing || stream.caught_up) return;
  if (stream.position < cache_->Log(*stream.options.kind).begin()) {
    // The log has moved past what the watcher still has to see.
    return Fail(
        stream,
        api_error::ResourceVersionTooOld(0, cache_->Log(*stream.options.kind).dropped_revision()),
        env);
  }
  PumpLog(stream, env);
}

void Watches::PumpInitial(Stream& stream, Env& env) {
  if (!stream.listing) return;
  while (stream.next_initial < stream.initial.size()) {
    if (!TakeCredit(stream)) return;
    const Object object = std::move(stream.initial[stream.next_initial++]);
    stream.sink->Event(bus::WatchEvent::ADDED, object, object.revision(), env);
    stream.last_sent = env.now;
  }
  if (!TakeCredit(stream)) return;
  stream.listing = false;
  stream.initial = {};
  stream.sink->Synced(stream.list_revision, env);
  stream.last_sent = env.now;
}

void Watches::PumpLog(Stream& stream, Env& env) {
  const EventLog& log = cache_->Log(*stream.options.kind);
  for (; stream.position < log.end(); ++stream.position) {
    const CacheEvent& event = log.At(stream.position);
    const Seen seen = stream.options.filter.See(event);
    if (seen.type == Seen::kNothing) continue;
    if (!TakeCredit(stream)) return;
    Send(stream, seen, event.revision, env);
  }
  stream.caught_up = true;
}

void Watches::Send(Stream& stream, const Seen& seen, uint64_t revision, Env& env) {
  const auto type = seen.type == Seen::kAdded      ? bus::WatchEvent::ADDED
                    : seen.type == Seen::kModified ? bus::WatchEvent::MODIFIED
                                                   : bus::WatchEvent::DELETED;
  stream.sink->Event(type, seen.object, revision, env);
  stream.last_sent = env.now;
}

void Watches::AddCredit(const StreamId& id, uint64_t generation, uint64_t credit, Env& env) {
  const auto it = streams_.find(id);
  if (it == streams_.end()) return;
  Stream& stream = *it->second;
  if (stream.options.credit == kUnlimited || stream.options.generation != generation) return;
  stream.options.credit += std::min(credit, kUnlimited - 1 - stream.options.credit);
  Pump(stream, env);
}

void Watches::Publish(StreamIndex& index, const CacheEvent& event, uint64_t position, Env& env) {
  for (auto& [id, stream] : index) {
    if (!stream->caught_up) continue;  // finds it in the log when it has credit again
    const Seen seen = stream->options.filter.See(event);
    if (seen.type == Seen::kNothing) continue;
    if (TakeCredit(*stream)) {
      Send(*stream, seen, event.revision, env);
    } else {
      stream->caught_up = false;
      stream->position = position;
    }
  }
}

void Watches::Publish(const Kind& kind, const CacheEvent& event, Env& env) {
  const uint64_t position = cache_->Log(kind).end() - 1;
  if (const auto it = by_kind_.find(kind.id); it != by_kind_.end())
    Publish(it->second, event, position, env);
  if (by_node_.empty()) return;
  const std::string& before = NodeNameOf(event.before);
  const std::string& after = NodeNameOf(event.after);
  if (!before.empty()) {
    if (const auto it = by_node_.find(before); it != by_node_.end())
      Publish(it->second, event, position, env);
  }
  if (after.empty() || after == before) return;
  if (const auto it = by_node_.find(after); it != by_node_.end())
    Publish(it->second, event, position, env);
}

void Watches::Fail(Stream& stream, const ApiStatus& error, Env& env) {
  stream.sink->End(&error, env);
  Erase(StreamId(stream.id));
}

void Watches::Cancel(const StreamId& id) {
  if (streams_.contains(id)) Erase(id);
}

void Watches::CancelProcess(std::string_view process) {
  // Addresses of one process are its name ("lb") and "<process>/...": two ranges of the map.
  for (const std::string& first : {std::string(process), StrCat(process, "/")}) {
    auto it = streams_.lower_bound(StreamId(first, 0));
    while (it != streams_.end() && ProcessOf(it->first.first) == process) {
      const StreamId id = it->first;
      ++it;
      Erase(id);
    }
  }
}

void Watches::Erase(const StreamId& id) {
  Stream& stream = *streams_.at(id);
  DropTimer(stream);
  Unindex(stream);
  streams_.erase(id);
}

void Watches::Index(Stream& stream) {
  const std::string* node = stream.options.filter.node_name();
  StreamIndex& index = node != nullptr ? by_node_[*node] : by_kind_[stream.options.kind->id];
  index[stream.id] = &stream;
}

void Watches::Unindex(Stream& stream) {
  if (const std::string* node = stream.options.filter.node_name(); node != nullptr) {
    const auto it = by_node_.find(*node);
    it->second.erase(stream.id);
    if (it->second.empty()) by_node_.erase(it);
  } else {
    by_kind_[stream.options.kind->id].erase(stream.id);
  }
}

void Watches::DropTimer(Stream& stream) {
  if (stream.timer != kNever) timers_.erase({stream.timer, stream.id});
  stream.timer = kNever;
}

void Watches::SetTimer(Stream& stream, Env& env) {
  DropTimer(stream);
  stream.timer = stream.options.end;
  if (stream.options.bookmark_interval > Duration{}) {
    // One that is behind for lack of credit gets none: it is looked at again an interval later.
    const Time due =
        (stream.caught_up ? stream.last_sent : env.now) + stream.options.bookmark_interval;
    stream.timer = std::min(stream.timer, std::max(due, env.now + Duration{1}));
  }
  if (stream.timer != kNever) timers_.insert({stream.timer, stream.id});
}

void Watches::Tick(Env& env) {
  while (!timers_.empty() && timers_.begin()->first <= env.now) {
    const StreamId id = timers_.begin()->second;
    Stream& stream = *streams_.at(id);
    if (stream.options.end <= env.now) {
      stream.sink->End(nullptr, env);
      Erase(id);
      continue;
    }
    if (stream.last_sent + stream.options.bookmark_interval <= env.now && stream.caught_up) {
      if (TakeCredit(stream)) stream.sink->Bookmark(cache_->revision(), env);
      stream.last_sent = env.now;
    }
    SetTimer(stream, env);
  }
}

}  // namespace kubemu
