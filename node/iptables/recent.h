#ifndef KUBEMU_NODE_IPTABLES_RECENT_H_
#define KUBEMU_NODE_IPTABLES_RECENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "messages/core/ip.h"
#include "messages/core/time.h"

namespace kubemu::iptables {

// The lists of "-m recent": for each name, source addresses and when each was last set
// (net/netfilter/xt_recent.c). A list lives as long as a rule names it.
class RecentLists {
 public:
  // Entries of one list; the one set longest ago makes room (xt_recent's ip_list_tot).
  static constexpr size_t kEntriesMax = 100;

  // A rule that names the list is loaded, or gone. The last one takes the list with it.
  void Reference(const std::string& name) { ++lists_[name].references; }
  void Release(const std::string& name);

  // REQUIRES for both: the list is referenced.
  void Set(const std::string& name, Ipv4 source, Time now);
  // True if the source was set at most `seconds` ago (0: ever). `reap` forgets the oldest entry
  // if that is longer ago.
  bool Check(const std::string& name, Ipv4 source, uint32_t seconds, bool reap, Time now);
  // What Check would say; changes nothing.
  bool Contains(const std::string& name, Ipv4 source, uint32_t seconds, Time now) const;

  size_t EntryCount(const std::string& name) const;

 private:
  struct Entry {
    Time last;
    uint64_t order = 0;
  };
  struct List {
    int references = 0;
    std::map<Ipv4, Entry> entries;
    std::map<uint64_t, Ipv4> by_order;  // least recently set first
  };
  void Forget(List* list, std::map<Ipv4, Entry>::iterator entry);

  uint64_t next_order_ = 0;
  std::map<std::string, List> lists_;
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_RECENT_H_
