#include "master/scheduler/scheduling_queue.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace kubemu {

Duration SchedulingQueue::BackoffOf(int attempts) {
  Duration backoff = kBackoffInitial;
  for (int i = 1; i < attempts && backoff < kBackoffMax; ++i) backoff *= 2;
  return std::min(backoff, kBackoffMax);
}

SchedulingQueue::ActiveKey SchedulingQueue::KeyOf(const Entry& entry) {
  return {-int64_t{entry.item.pod->priority}, entry.item.since, entry.sequence};
}

void SchedulingQueue::Enter(const std::string& key, Entry& entry, Place place) {
  entry.place = place;
  switch (place) {
    case Place::kActive:
      active_.emplace(KeyOf(entry), key);
      break;
    case Place::kBackoff:
      backoff_.emplace(entry.backoff_until, key);
      break;
    case Place::kUnschedulable:
      unschedulable_.emplace(entry.item.since, key);
      break;
  }
}

void SchedulingQueue::Leave(const std::string& key, Entry& entry) {
  switch (entry.place) {
    case Place::kActive:
      active_.erase(KeyOf(entry));
      break;
    case Place::kBackoff:
      backoff_.erase({entry.backoff_until, key});
      break;
    case Place::kUnschedulable:
      unschedulable_.erase({entry.item.since, key});
      break;
  }
}

void SchedulingQueue::Add(std::shared_ptr<const PodInfo> pod, Trace trace, Time now) {
  const std::string key = pod->key;
  Remove(key);
  Entry& entry = pods_[key];
  entry.item = QueuedPod{std::move(pod), trace, 0, now, 0};
  entry.sequence = next_sequence_++;
  Enter(key, entry, Place::kActive);
}

void SchedulingQueue::Update(std::shared_ptr<const PodInfo> pod, bool may_help, Trace trace,
                             Time now) {
  const auto at = pods_.find(pod->key);
  if (at == pods_.end()) return Add(std::move(pod), trace, now);
  Entry& entry = at->second;
  Leave(at->first, entry);
  entry.item.pod = std::move(pod);
  Enter(at->first, entry, entry.place);
  if (!may_help || entry.place != Place::kUnschedulable) return;
  entry.item.trace = trace;
  MoveOn(at->first, entry, now);
}

void SchedulingQueue::Remove(const std::string& key) {
  const auto at = pods_.find(key);
  if (at == pods_.end()) return;
  Leave(key, at->second);
  pods_.erase(at);
}

const QueuedPod* SchedulingQueue::Find(const std::string& key) const {
  const auto at = pods_.find(key);
  return at == pods_.end() ? nullptr : &at->second.item;
}

std::optional<QueuedPod> SchedulingQueue::Pop() {
  if (active_.empty()) return std::nullopt;
  const std::string key = active_.begin()->second;
  const auto at = pods_.find(key);
  Leave(key, at->second);
  QueuedPod item = std::move(at->second.item);
  pods_.erase(at);
  ++item.attempts;
  return item;
}

void SchedulingQueue::Park(QueuedPod item, uint32_t plugins, Time now) {
  const std::string key = item.pod->key;
  Remove(key);
  Entry& entry = pods_[key];
  entry.item = std::move(item);
  entry.item.plugins = plugins;
  entry.item.since = now;
  entry.backoff_until = now + BackoffOf(entry.item.attempts);
  entry.sequence = next_sequence_++;
  if (unschedulable_.empty()) next_flush_ = now + kFlushInterval;
  Enter(key, entry, Place::kUnschedulable);
}

void SchedulingQueue::Retry(QueuedPod item, Time now) {
  const std::string key = item.pod->key;
  Park(std::move(item), 0, now);
  Entry& entry = pods_[key];
  Leave(key, entry);
  Enter(key, entry, Place::kBackoff);
}

void SchedulingQueue::MoveOn(const std::string& key, Entry& entry, Time now) {
  Leave(key, entry);
  Enter(key, entry, entry.backoff_until > now ? Place::kBackoff : Place::kActive);
}

void SchedulingQueue::MoveFor(uint32_t plugins, Trace trace, Time now) {
  if (unschedulable_.empty()) return;
  std::vector<std::string> keys;
  for (const auto& [since, key] : unschedulable_) {
    if ((pods_[key].item.plugins & plugins) != 0) keys.push_back(key);
  }
  for (const std::string& key : keys) {
    Entry& entry = pods_[key];
    entry.item.trace = trace;
    MoveOn(key, entry, now);
  }
}

void SchedulingQueue::Flush(Time now) {
  while (!backoff_.empty() && backoff_.begin()->first <= now) {
    const std::string key = backoff_.begin()->second;
    Entry& entry = pods_[key];
    Leave(key, entry);
    Enter(key, entry, Place::kActive);
  }
  if (unschedulable_.empty() || next_flush_ > now) return;
  next_flush_ = now + kFlushInterval;
  while (!unschedulable_.empty() && unschedulable_.begin()->first + kUnschedulableMax <= now) {
    const std::string key = unschedulable_.begin()->second;
    MoveOn(key, pods_[key], now);
  }
}

Time SchedulingQueue::NextWake() const {
  Time wake = kNever;
  if (!backoff_.empty()) wake = backoff_.begin()->first;
  if (!unschedulable_.empty()) wake = std::min(wake, next_flush_);
  return wake;
}

}  // namespace kubemu
