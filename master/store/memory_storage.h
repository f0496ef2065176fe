#ifndef KUBEMU_MASTER_STORE_MEMORY_STORAGE_H_
#define KUBEMU_MASTER_STORE_MEMORY_STORAGE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "master/store/storage.h"

namespace kubemu {

// The disk of a simulated machine: what was committed. It outlives the process that writes to it.
struct MemoryDisk {
  std::map<uint64_t, StoreRow> rows;
  uint64_t compacted_revision = 0;
  // Faults that a simulation may switch on and off.
  bool full = false;         // Writable answers ResourceExhausted
  bool fail_commit = false;  // the next Commit fails, as a disk that was pulled out
};

// Storage for simulated clusters: keeps shared handles to the objects, no bytes are made.
class MemoryStorage : public Storage {
 public:
  explicit MemoryStorage(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}

  absl::StatusOr<uint64_t> Load(Visitor visit) override;
  absl::Status Writable() override;
  absl::Status Append(const StoreRow& row) override;
  absl::Status Compact(uint64_t revision) override;
  absl::Status Commit() override;

 private:
  void Sweep(uint64_t from, uint64_t to);

  const std::shared_ptr<MemoryDisk> disk_;
  std::vector<StoreRow> uncommitted_;
  uint64_t compact_to_ = 0;
  absl::Status failed_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_STORE_MEMORY_STORAGE_H_
