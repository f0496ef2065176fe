#ifndef KUBEMU_MASTER_STORE_STORAGE_H_
#define KUBEMU_MASTER_STORE_STORAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "messages/object.h"

namespace kubemu {

// Operations in one transaction.
inline constexpr size_t kStoreOperationsMax = 4096;

// Rows are numbered by revision and by position in the revision's transaction, so that they sort
// in the order in which they were written.
constexpr uint64_t RowOf(uint64_t revision, size_t position) {
  return revision * kStoreOperationsMax + position;
}
constexpr uint64_t RevisionOf(uint64_t row) {
  return row / kStoreOperationsMax;
}

// One write of one key: what the storage is made of. Rows are only added, never changed.
struct StoreRow {
  uint64_t row = 0;
  uint64_t supersedes = 0;  // the row that held the key until now; 0: the key is new
  std::string key;
  uint64_t create_revision = 0;
  bool removed = false;
  Object object;  // never none; of a removal: the last state
};

// Where the store's rows are kept. Two real ones: MemoryStorage and SqliteStorage. Used by one
// thread.
//
// What Append and Compact did is kept for certain once Commit answered OK, and is wholly gone if
// the process ends before. After Append or Commit has failed the storage refuses every further
// call with the same error: the caller's memory is then ahead of it, and only a restart, which
// loads what was committed, brings both together.
class Storage {
 public:
  using Visitor = absl::FunctionRef<absl::Status(StoreRow)>;

  virtual ~Storage() = default;

  // Gives all committed rows, in order, to `visit`, and returns the revision up to which history
  // was compacted (0: never). Rows up to that revision may lack what was superseded since. Stops
  // at the visitor's first error. DataLoss: the storage is damaged; says where.
  virtual absl::StatusOr<uint64_t> Load(Visitor visit) = 0;

  // OK if a transaction may be begun. ResourceExhausted while the disk is (nearly) full: nothing
  // is broken, and it becomes OK again by itself when there is space.
  virtual absl::Status Writable() = 0;

  // REQUIRES: rows come in ascending order.
  virtual absl::Status Append(const StoreRow& row) = 0;

  // Rows up to `revision` that were superseded or removed up to then are no longer needed.
  virtual absl::Status Compact(uint64_t revision) = 0;

  // Makes everything since the last Commit durable, at once or not at all. Costs nothing if there
  // was nothing.
  virtual absl::Status Commit() = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_STORE_STORAGE_H_
