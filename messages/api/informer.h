#ifndef KUBEMU_MESSAGES_API_INFORMER_H_
#define KUBEMU_MESSAGES_API_INFORMER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages/component.h"
#include "messages/core/deadline.h"

namespace kubemu {

struct Kind;

// A cache of the objects of one kind, kept equal to the API server's by a watch (client-go's
// reflector and store). It asks for the stream again, from its last revision, when an event is
// missing, when the stream has been silent for kSilenceMax, or when the link to the master comes
// up; after a 410 it starts from the beginning and drops what is no longer there.
//
// Its part calls Tick from its own Tick and Receive from its own Receive, and holds no cache of its
// own beside it.
class Informer {
 public:
  // The server sends a BOOKMARK every kBookmarkInterval of silence.
  static constexpr Duration kBookmarkInterval = 10s;
  static constexpr Duration kSilenceMax = 25s;
  static constexpr Duration kRetryInterval = 1s;  // until the first event of a new stream comes
  static constexpr uint32_t kCredit = 1000;  // events in flight; half of it is given back at once

  struct Options {
    const Kind* kind = nullptr;
    std::string ns;  // "": all
    std::string label_selector;
    std::string field_selector;
  };

  // One object's change. `before` is none for a new object, `after` is none for a deleted one
  // (before then holds its last state).
  struct Change {
    std::string key;
    Object before;
    Object after;
  };

  // `stream` tells the informers of one part apart: 1, 2, 3 ...
  Informer(uint64_t stream, Options options) : id_(stream), options_(std::move(options)) {}

  // Handles WatchEvent of this stream and LinkUp/LinkDown of "master". Returns the changes, in
  // order; empty also for messages that are not its own.
  std::vector<Change> Receive(const Message& message, Env& env);

  // Starts the watch, or starts it again when that is due.
  void Tick(Env& env);
  Time NextWake() const { return retry_.at(); }

  // True once all that existed when the watch began is in the cache. Stays true while the link is
  // down: the cache is then old, as in Kubernetes.
  bool synced() const { return synced_; }

  // By Object::key(), in order.
  const std::map<std::string, Object>& objects() const { return objects_; }
  // None if there is no such object.
  Object Find(const std::string& key) const;
  uint64_t revision() const { return revision_; }

 private:
  void Watch(Env& env);
  void Restart(Env& env);
  void Fail(uint32_t code, Env& env);
  std::optional<Change> Put(const Object& object);
  std::optional<Change> Remove(const std::string& key);
  std::vector<Change> RemoveStale();

  const uint64_t id_;
  const Options options_;
  std::map<std::string, Object> objects_;
  std::map<std::string, bool> seen_;  // keys of the initial events; used until SYNCED
  bool synced_ = false;
  bool listing_ = false;     // the current stream began from the beginning
  uint64_t generation_ = 0;  // of the stream: distinguishes a new stream's events
  uint64_t revision_ = 0;
  uint64_t next_sequence_ = 1;
  uint32_t used_credit_ = 0;
  Deadline retry_ = [] {
    Deadline at_once;
    at_once.Set(Time{});
    return at_once;
  }();
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_INFORMER_H_
