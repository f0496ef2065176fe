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
  object.KeepJson(json_);
  OfKind& slot = kinds_[object.kind().id];
  CacheEvent event{object.revision(), Object(), object};
  if (const auto known = slot.index.find(object.key()); known != slot.index.end()) {
    event.before = std::exchange(known->second->second, object);
  } else {
    const auto added = slot.objects.emplace(object.key(), object).first;
    slot.index.emplace(added->first, added);
  }
  Advance(event, &slot);
  return event;
}

CacheEvent Cache::Remove(const Object& last) {
  OfKind& slot = kinds_[last.kind().id];
  if (const auto known = slot.index.find(last.key()); known != slot.index.end()) {
    const Objects::iterator gone = known->second;
    slot.index.erase(known);
    slot.objects.erase(gone);
  }
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
  const OfKind& slot = kinds_[kind.id];
  const auto it = ns.empty() ? slot.index.find(name) : slot.index.find(StrCat(ns, "/", name));
  return it == slot.index.end() ? Object() : it->second->second;
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
