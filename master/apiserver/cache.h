#ifndef KUBEMU_MASTER_APISERVER_CACHE_H_
#define KUBEMU_MASTER_APISERVER_CACHE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "master/apiserver/event_log.h"
#include "messages/object.h"

namespace kubemu {

struct Kind;

// All API objects as of one revision of the store, by kind and "namespace/name" (the order of
// etcd's keys), with metadata.resourceVersion = the revision of their last write, and the recent
// changes of each kind. Fed by the store's events only.
class Cache {
 public:
  using Objects = std::map<std::string, Object, std::less<>>;

  // JSON of objects in the cache (and of those that its logs still hold) that was asked for and is
  // kept for the next one who asks. Past it JSON is made each time.
  static constexpr size_t kJsonBytesMax = 64 << 20;

  // The store's key of an object: "/registry/<group>/<resource>/<namespace>/<name>".
  static std::string StoreKey(const Kind& kind, std::string_view ns, std::string_view name);

  Cache();

  // The object takes its place. Returns the change, which is also the newest entry of the kind's
  // log (before Start nothing is logged).
  CacheEvent Put(const Object& object);
  // `last` is the state that was removed, with the removal's revision.
  CacheEvent Remove(const Object& last);
  // All that existed is in the cache: changes after `revision` are logged from now on.
  void Start(uint64_t revision);

  bool started() const { return started_; }
  uint64_t revision() const { return revision_; }

  // None if there is no such object.
  Object Find(const Kind& kind, std::string_view ns, std::string_view name) const;
  const Objects& All(const Kind& kind) const;
  const EventLog& Log(const Kind& kind) const;

  // The range of keys of one namespace, or of all ("").
  struct Range {
    Objects::const_iterator begin;
    Objects::const_iterator end;
  };
  Range In(const Kind& kind, std::string_view ns) const;

 private:
  struct OfKind {
    Objects objects;
    // The same by key, for lookups: keys have long beginnings in common, which a tree compares
    // again and again. The keys are those of `objects`; never iterated.
    std::unordered_map<std::string_view, Objects::iterator> index;
    EventLog log;
  };
  void Advance(const CacheEvent& event, OfKind* slot);

  std::vector<OfKind> kinds_;  // by Kind::id
  const std::shared_ptr<JsonBudget> json_ = std::make_shared<JsonBudget>(JsonBudget{kJsonBytesMax});
  uint64_t revision_ = 0;
  bool started_ = false;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_CACHE_H_
