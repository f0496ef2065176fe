#include "messages/api/informer.h"

#include "messages/api/calls.h"
#include "messages/api/kinds.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"

namespace kubemu {
void Informer::Watch(Env& env) {
  ++generation_;
  next_sequence_ = 1;
  used_credit_ = 0;
  listing_ = revision_ == 0;
  seen_.clear();
  bus::WatchRequest request;
  request.set_stream(id_);
  request.set_generation(generation_);
  request.set_kind(options_.kind->id);
  request.set_namespace_(options_.ns);
  request.set_label_selector(options_.label_selector);
  request.set_field_selector(options_.field_selector);
  request.set_revision(revision_);
  request.set_credit(kCredit);
  env.outbox.Because(Trace{});
  env.outbox.Send(std::string(kApiServerAddress), std::move(request));
  retry_.Set(env.now + kRetryInterval);
}

void Informer::Restart(Env& env) {
  // A listing that broke off has seen only part of the objects: it begins again.
  if (listing_) revision_ = 0;
  Watch(env);
}

void Informer::Fail(uint32_t code, Env& env) {
  revision_ = 0;
  if (code == 410) return Watch(env);
  retry_.Set(env.now + kRetryInterval);  // refused: asking again at once would not help
}

void Informer::Tick(Env& env) {
  if (retry_.Due(env.now)) Restart(env);
}

Object Informer::Find(const std::string& key) const {
  const auto it = objects_.find(key);
  return it == objects_.end() ? Object() : it->second;
}

std::vector<Informer::Change> Informer::Receive(const Message& message, Env& env) {
  if (message.kind == bus::LINK_UP && message.As<bus::LinkUp>().process() == "master") {
    Restart(env);
    return {};
  }
  if (message.kind != bus::WATCH_EVENT) return {};
  const auto& event = message.As<bus::WatchEvent>();
  if (event.stream() != id_ || event.generation() != generation_) return {};
  if (event.sequence() < next_sequence_) return {};  // doubled
  if (event.type() == bus::WatchEvent::ERROR) {
    Fail(event.code(), env);
    return {};
  }
  if (event.sequence() > next_sequence_) {
    Restart(env);
    return {};
  }
  ++next_sequence_;
  retry_.Set(env.now + kSilenceMax);
  if (++used_credit_ >= kCredit / 2) {
    bus::WatchCredit credit;
    credit.set_stream(id_);
    credit.set_generation(generation_);
    credit.set_credit(used_credit_);
    env.outbox.Send(std::string(kApiServerAddress), std::move(credit));
    used_credit_ = 0;
  }

  std::vector<Change> changes;
  std::optional<Change> change;
  switch (event.type()) {
    case bus::WatchEvent::ADDED:
    case bus::WatchEvent::MODIFIED:
      if (message.objects.empty()) break;
      change = Put(message.objects[0]);
      break;
    case bus::WatchEvent::DELETED:
      if (!message.objects.empty()) change = Remove(message.objects[0].key());
      break;
    case bus::WatchEvent::SYNCED:
      changes = RemoveStale();
      listing_ = false;
      synced_ = true;
      break;
    default:
      break;
  }
  if (event.revision() > revision_) revision_ = event.revision();
  if (change) changes.push_back(std::move(*change));
  return changes;
}

std::optional<Informer::Change> Informer::Put(const Object& object) {
  const std::string& key = object.key();
  if (listing_) seen_[key] = true;
  Object& slot = objects_[key];
  if (slot && slot.revision() == object.revision()) return std::nullopt;  // known since before
  Change change{key, slot, object};
  slot = object;
  return change;
}

std::optional<Informer::Change> Informer::Remove(const std::string& key) {
  const auto it = objects_.find(key);
  if (it == objects_.end()) return std::nullopt;
  Change change{key, it->second, Object()};
  objects_.erase(it);
  return change;
}

std::vector<Informer::Change> Informer::RemoveStale() {
  std::vector<Change> changes;
  if (!listing_) return changes;
  for (auto it = objects_.begin(); it != objects_.end();) {
    if (seen_.contains(it->first)) {
      ++it;
      continue;
    }
    changes.push_back(Change{it->first, it->second, Object()});
    it = objects_.erase(it);
  }
  seen_.clear();
  return changes;
}

}  // namespace kubemu
