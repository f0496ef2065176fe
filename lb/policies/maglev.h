#ifndef KUBEMU_LB_POLICIES_MAGLEV_H_
#define KUBEMU_LB_POLICIES_MAGLEV_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lb/policies/policy.h"

namespace kubemu {

// The lookup table of Maglev (Eisenbud and others, NSDI 2016, section 3.4): each node has a
// permutation of the table's places of its own and they take places in turn, so that each has
// almost the same number of them, and most places keep their node when another comes or goes.
class MaglevTable {
 public:
  // The paper's small table: a prime, at least 100 times the nodes for 1 % of evenness.
  static constexpr uint32_t kSize = 65537;

  // REQUIRES: names is not empty, sorted, and has at most kSize names.
  explicit MaglevTable(const std::vector<std::string>& names);

  // The index of the name at this hash.
  uint32_t Lookup(uint64_t hash) const { return places_[hash % kSize]; }
  const std::vector<uint32_t>& places() const { return places_; }

 private:
  std::vector<uint32_t> places_;
};

// The tables that are in use, shared by all Services with the same nodes.
class MaglevTables {
 public:
  // 256 KiB each. Past it, the one that was not asked for the longest is forgotten and made anew
  // when it is asked for again.
  static constexpr size_t kTablesMax = 64;

  std::shared_ptr<const MaglevTable> Get(const std::vector<std::string>& names);
  size_t size() const { return tables_.size(); }

 private:
  struct Entry {
    std::shared_ptr<const MaglevTable> table;
    uint64_t last_use = 0;
  };
  uint64_t uses_ = 0;
  std::map<std::vector<std::string>, Entry> tables_;
};

// By the connection's addresses and ports, as in the paper. Weights are not looked at.
class Maglev : public Policy {
 public:
  // `tables` is not owned.
  explicit Maglev(MaglevTables* tables) : tables_(tables) {}

  size_t Pick(const std::vector<Candidate>& candidates, const ConnectionKey& key,
              Random& random) override;

 private:
  MaglevTables* const tables_;
  std::vector<std::string> names_;          // of the table below
  std::weak_ptr<const MaglevTable> table_;  // the limit of MaglevTables holds for all
};

}  // namespace kubemu

#endif  // KUBEMU_LB_POLICIES_MAGLEV_H_
