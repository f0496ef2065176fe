#include "node/iptables/recent.h"

#include "messages/core/check.h"

namespace kubemu::iptables {

void RecentLists::Release(const std::string& name) {
  const auto it = lists_.find(name);
  KUBEMU_CHECK(it != lists_.end());
  if (--it->second.references == 0) lists_.erase(it);
}

void RecentLists::Forget(List* list, std::map<Ipv4, Entry>::iterator entry) {
  list->by_order.erase(entry->second.order);
  list->entries.erase(entry);
}

void RecentLists::Set(const std::string& name, Ipv4 source, Time now) {
  const auto it = lists_.find(name);
  KUBEMU_CHECK(it != lists_.end());
  List& list = it->second;
  if (const auto old = list.entries.find(source); old != list.entries.end()) Forget(&list, old);
  if (list.entries.size() >= kEntriesMax) {
    Forget(&list, list.entries.find(list.by_order.begin()->second));
  }
  const uint64_t order = next_order_++;
  list.entries[source] = {now, order};
  list.by_order[order] = source;
}

bool RecentLists::Contains(const std::string& name, Ipv4 source, uint32_t seconds, Time now) const {
  const auto list = lists_.find(name);
  if (list == lists_.end()) return false;
  const auto entry = list->second.entries.find(source);
  if (entry == list->second.entries.end()) return false;
  return seconds == 0 || now - entry->second.last <= std::chrono::seconds(seconds);
}

bool RecentLists::Check(const std::string& name, Ipv4 source, uint32_t seconds, bool reap,
                        Time now) {
  const auto it = lists_.find(name);
  KUBEMU_CHECK(it != lists_.end());
  List& list = it->second;
  const auto entry = list.entries.find(source);
  if (entry == list.entries.end()) return false;
  if (seconds == 0) return true;
  const Duration age = std::chrono::seconds(seconds);
  const bool fresh = now - entry->second.last <= age;
  if (reap) {
    const auto oldest = list.entries.find(list.by_order.begin()->second);
    if (now - oldest->second.last > age) Forget(&list, oldest);
  }
  return fresh;
}

size_t RecentLists::EntryCount(const std::string& name) const {
  const auto it = lists_.find(name);
  return it == lists_.end() ? 0 : it->second.entries.size();
}

}  // namespace kubemu::iptables
