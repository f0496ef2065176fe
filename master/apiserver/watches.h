#ifndef KUBEMU_MASTER_APISERVER_WATCHES_H_
#define KUBEMU_MASTER_APISERVER_WATCHES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "master/apiserver/cache.h"
#include "master/apiserver/filter.h"
#include "messages/component.h"
#include "messages/core/deadline.h"

namespace kubemu {

// Where a stream's events go, in the form of one face.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  // `object` is the event's. Sent because of the object's last write.
  virtual void Event(bus::WatchEvent::Type type, const Object& object, uint64_t revision,
                     Env& env) = 0;
  virtual void Bookmark(uint64_t revision, Env& env) = 0;
  // All initial events were sent; they are as of `revision`.
  virtual void Synced(uint64_t revision, Env& env) = 0;
  // The stream is over: with an error, or nullptr (its time is up).
  virtual void End(const ApiStatus* error, Env& env) = 0;
};

// Identifies a stream: the address of the watcher and the number it chose.
using StreamId = std::pair<std::string, uint64_t>;

// All watch streams, of both faces. A stream that cannot be written to (its credit is used up)
// holds nothing but its position in the log of its kind; when the log has moved past that position
// the stream ends with 410. Initial events are a list of handles that is consistent with one
// revision. Watches of the pods of one node are found by that node, so that a pod's change costs
// nothing for the other nodes' kubelets.
class Watches {
 public:
  static constexpr size_t kWatchStreamsMax = 100'000;
  static constexpr uint64_t kUnlimited = ~uint64_t{0};

  struct Options {
    Filter filter;
    const Kind* kind = nullptr;
    // Begin after this revision; none: with one ADDED for each existing object.
    std::optional<uint64_t> after;
    uint64_t credit = kUnlimited;
    uint64_t generation = 0;  // of the request; credits of another generation are ignored
    // Silence after which a BOOKMARK is sent; none if zero.
    Duration bookmark_interval{};
    // Time at which the stream ends by itself.
    Time end = kNever;
  };

  // `cache` is not owned and outlives this.
  explicit Watches(const Cache* cache) : cache_(cache) {}

  // Starts a stream, in place of an earlier one of the same id. Errors (410, 504, 429) go to the
  // sink's End.
  void Start(StreamId id, Options options, std::unique_ptr<WatchSink> sink, Env& env);
  void AddCredit(const StreamId& id, uint64_t generation, uint64_t credit, Env& env);
  // Ends a stream without a word.
  void Cancel(const StreamId& id);
  // Ends all streams whose address belongs to the process.
  void CancelProcess(std::string_view process);

  // Tells the streams of the kind about its newest log entry.
  void Publish(const Kind& kind, const CacheEvent& event, Env& env);

  void Tick(Env& env);
  Time NextWake() const { return timers_.empty() ? kNever : timers_.begin()->first; }

  size_t size() const { return streams_.size(); }

 private:
  struct Stream {
    StreamId id;
    Options options;
    std::unique_ptr<WatchSink> sink;
    std::vector<Object> initial;  // what is left of it: from next_initial on
    size_t next_initial = 0;
    bool listing = false;  // SYNCED was not sent yet
    uint64_t list_revision = 0;
    // Everything in the log was sent; `position` has no meaning then.
    bool caught_up = false;
    uint64_t position = 0;
    Time last_sent{};
    Time timer = kNever;
  };
  bool Begin(Stream& stream, Env& env);
  void Pump(Stream& stream, Env& env);
  void PumpInitial(Stream& stream, Env& env);
  void PumpLog(Stream& stream, Env& env);
  void Send(Stream& stream, const Filter::Seen& seen, uint64_t revision, Env& env);
  void Publish(std::map<StreamId, Stream*>& index, const CacheEvent& event, uint64_t position,
               Env& env);
  bool TakeCredit(Stream& stream);
  void SetTimer(Stream& stream, Env& env);
  void DropTimer(Stream& stream);
  void Fail(Stream& stream, const ApiStatus& error, Env& env);
  void Erase(const StreamId& id);
  void Index(Stream& stream);
  void Unindex(Stream& stream);

  using StreamIndex = std::map<StreamId, Stream*>;

  const Cache* const cache_;
  std::map<StreamId, std::unique_ptr<Stream>> streams_;
  std::map<uint32_t, StreamIndex> by_kind_;                  // those not in by_node_
  std::map<std::string, StreamIndex, std::less<>> by_node_;  // pods of one node
  std::set<std::pair<Time, StreamId>> timers_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_WATCHES_H_
