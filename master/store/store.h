#ifndef KUBEMU_MASTER_STORE_STORE_H_
#define KUBEMU_MASTER_STORE_STORE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "master/store/storage.h"
#include "messages/component.h"
#include "messages/proto/store.pb.h"

namespace kubemu {

// The keys and values of the cluster, at "master/store": etcd's contract, spoken as
// messages/proto/store.proto, in front of a Storage.
//
//  * Every transaction that changes something has a revision of its own, one more than the last,
//    over all restarts. As in etcd an empty store is at revision 1.
//  * The store writes metadata.resourceVersion: an object that was put under revision N, and the
//    last state of one that was removed under N, carry N wherever they appear.
//  * A transaction that changes nothing (no operation, or only removals of keys that do not exist)
//    succeeds without a revision. A transaction that is malformed is answered with `error`.
//  * The events of a transaction go to the watchers before its result goes to the asker.
//  * A watch from a revision that is compacted, or that the store has not reached (the watcher
//    knew a store that is gone), is answered with COMPACTED.
//
// Every write is in the Storage's open transaction when its result is sent; Commit makes the turn's
// writes durable. The runtime calls it before the turn's messages leave the process, so that
// nobody outside ever learns of a write that a crash could take back.
class Store : public Component {
 public:
  static constexpr size_t kHistoryMax = 20'000;  // events; past it the store compacts by itself
  static constexpr size_t kKeysMax = 500'000;
  static constexpr size_t kWatchersMax = 16;
  static constexpr size_t kRecentMax = 4096;  // transactions by which a doubled one is recognised

  // Loads what the storage holds. See status().
  explicit Store(std::unique_ptr<Storage> storage);

  // OK, or why the store cannot serve: it could not be loaded, or a commit failed. It then answers
  // every transaction with this error. To be shown to the user after construction.
  const absl::Status& status() const { return status_; }

  // Makes durable what was written since the last call. If it fails, this turn's messages must not
  // leave and the process must end with the error's text (memory is ahead of the disk).
  absl::Status Commit();

  void Receive(const Message& message, Env& env) override;
  void Tick(Env&) override {}
  Time NextWake() const override { return kNever; }

  uint64_t revision() const { return revision_; }
  uint64_t compacted_revision() const { return compacted_; }
  size_t keys() const { return entries_.size(); }

 private:
  struct Entry {
    Object object;
    uint64_t row = 0;  // of its last write
    uint64_t create_revision = 0;
  };
  struct Event {
    std::string key;
    Object object;
    uint64_t revision = 0;
    uint64_t create_revision = 0;
    bool removed = false;
  };

  absl::Status Load();
  absl::Status LoadRow(StoreRow row);

  void Transact(const Message& message, Env& env);
  absl::Status Check(const bus::StoreTxn& txn, const Message& message) const;
  bool Holds(const bus::StoreTxn::Compare& compare) const;
  // Returns the number of keys changed.
  absl::StatusOr<size_t> Apply(const bus::StoreTxn& txn, const Message& message, Env& env);
  StoreRow RowFor(const bus::StoreTxn::Operation& operation, const Entry* before, uint64_t revision,
                  size_t position, const Message& message) const;
  void Remember(StoreRow row);
  bool IsDouble(const Message& message);

  void Watch(const Message& message, Env& env);
  void SendAll(const std::string& watcher, Env& env) const;
  void SendEvent(const std::string& watcher, const Event& event, Env& env) const;
  void Compact(uint64_t revision);

  const std::unique_ptr<Storage> storage_;
  absl::Status status_;
  uint64_t revision_ = 1;
  uint64_t compacted_ = 0;
  std::map<std::string, Entry> entries_;
  std::deque<Event> history_;  // of the revisions after compacted_, in order
  std::set<std::string> watchers_;
  std::set<uint64_t> recent_;
  std::deque<uint64_t> recent_order_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_STORE_STORE_H_
