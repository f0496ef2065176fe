#include "master/store/memory_storage.h"

#include <utility>

namespace kubemu {

absl::StatusOr<uint64_t> MemoryStorage::Load(Visitor visit) {
  for (const auto& [number, row] : disk_->rows) {
    const absl::Status status = visit(row);
    if (!status.ok()) return status;
  }
  return disk_->compacted_revision;
}

absl::Status MemoryStorage::Writable() {
  if (!failed_.ok()) return failed_;
  return disk_->full ? absl::ResourceExhaustedError("the disk of the store is full")
                     : absl::OkStatus();
}

absl::Status MemoryStorage::Append(const StoreRow& row) {
  if (!failed_.ok()) return failed_;
  uncommitted_.push_back(row);
  return absl::OkStatus();
}

absl::Status MemoryStorage::Compact(uint64_t revision) {
  if (!failed_.ok()) return failed_;
  compact_to_ = revision;
  return absl::OkStatus();
}

absl::Status MemoryStorage::Commit() {
  if (!failed_.ok()) return failed_;
  if (disk_->fail_commit) {
    uncommitted_.clear();
    return failed_ = absl::UnavailableError("the disk of the store does not take writes");
  }
  for (StoreRow& row : uncommitted_) disk_->rows.emplace(row.row, std::move(row));
  uncommitted_.clear();
  if (compact_to_ > disk_->compacted_revision) {
    Sweep(disk_->compacted_revision, compact_to_);
    disk_->compacted_revision = compact_to_;
  }
  return absl::OkStatus();
}

// Deletes what became unneeded in the revisions after `from` up to `to`.
void MemoryStorage::Sweep(uint64_t from, uint64_t to) {
  auto it = disk_->rows.lower_bound(RowOf(from + 1, 0));
  while (it != disk_->rows.end() && RevisionOf(it->first) <= to) {
    if (it->second.supersedes != 0) disk_->rows.erase(it->second.supersedes);
    it = it->second.removed ? disk_->rows.erase(it) : std::next(it);
  }
}

}  // namespace kubemu
