#include "master/apiserver/cache.h"

#include <algorithm>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/strings.h"

namespace kubemu {
std::string Cache::StoreKey(const Kind& kind, std::string_view ns, std::string_view name) {
  std::string key = "/registry/";
  if (!kind.group.empty()) StrAppend(&key, kind.group, "/");
  StrAppend(&key, kind.plural, "/");
  if (!ns.empty()) StrAppend(&key, ns, "/");
  StrAppend(&key, name);
  return key;
}

Cache::Cache() : kinds_(AllKinds().size()) {}

CacheEvent Cache::Put(const Object& object) {
  OfKind& slot = kinds_[object.kind().id];
  Object& place = slot.objects[object.key()];
  CacheEvent event{object.revision(), std::move(place), object};
  place = object;
  Advance(event, &slot);
  return event;
}

CacheEvent Cache::Remove(const Object& last) {
  OfKind& slot = kinds_[last.kind().id];
  slot.objects.erase(last.key());
  CacheEvent event{last.revision(), last, Object()};
  Advance(event, &slot);
  return event;
}

void Cache::Advance(const CacheEvent& event, OfKind* slot) {
  revision_ = std::max(revision_, event.revision);
  if (started_) slot->log.Append(event);
}

void Cache::Start(uint64_t revision) {
  started_ = true;
  revision_ = std::max(revision_, revision);
  for (OfKind& slot : kinds_) slot.log.StartAfter(revision_);
}

Object Cache::Find(const Kind& kind, std::string_view ns, std::string_view name) const {
  const Objects& objects = kinds_[kind.id].objects;
  const auto it = ns.empty() ? objects.find(name) : objects.find(StrCat(ns, "/", name));
  return it == objects.end() ? Object() : it->second;
}

const Cache::Objects& Cache::All(const Kind& kind) const {
  return kinds_[kind.id].objects;
}

const EventLog& Cache::Log(const Kind& kind) const {
  return kinds_[kind.id].log;
}

Cache::Range Cache::In(const Kind& kind, std::string_view ns) const {
  const Objects& objects = kinds_[kind.id].objects;
  if (ns.empty()) return {objects.begin(), objects.end()};
  // '0' is the character after '/': the range holds every key that begins with "<ns>/".
  return {objects.lower_bound(StrCat(ns, "/")), objects.lower_bound(StrCat(ns, "0"))};
}

}  // namespace kubemu
