#ifndef KUBEMU_MASTER_STORE_SQLITE_STORAGE_H_
#define KUBEMU_MASTER_STORE_SQLITE_STORAGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "master/store/storage.h"

struct sqlite3;
struct sqlite3_stmt;

namespace kubemu {

// Storage in one SQLite file (WAL, synchronous=FULL): one SQLite transaction, and so one fsync,
// per Commit. The file belongs to one process at a time; a killed process leaves no lock behind.
// Each row carries a checksum over its content.
class SqliteStorage : public Storage {
 public:
  struct Options {
    // Writable answers ResourceExhausted while the file system has less than this left: what a
    // turn writes, and the WAL's checkpoint, must always find room.
    uint64_t reserve_bytes = 16 * 1024 * 1024;
  };

  // Rows that one Commit sweeps away after a compaction, so that no turn takes long.
  static constexpr int kSweepMax = 1000;

  // Opens the file, or makes it. Errors name the path and what to do:
  //   Unavailable  another process has the file open
  //   DataLoss     it is damaged, or no store of ours
  //   FailedPrecondition  a newer version of kubemu wrote it
  //   PermissionDenied, NotFound, ResourceExhausted, Unknown  the system refuses
  static absl::StatusOr<std::unique_ptr<Storage>> Open(const std::string& path, Options options);
  static absl::StatusOr<std::unique_ptr<Storage>> Open(const std::string& path) {
    return Open(path, Options());
  }

  ~SqliteStorage() override;
  SqliteStorage(const SqliteStorage&) = delete;
  SqliteStorage& operator=(const SqliteStorage&) = delete;

  absl::StatusOr<uint64_t> Load(Visitor visit) override;
  absl::Status Writable() override;
  absl::Status Append(const StoreRow& row) override;
  absl::Status Compact(uint64_t revision) override;
  absl::Status Commit() override;

 private:
  SqliteStorage(std::string path, Options options, sqlite3* db)
      : path_(std::move(path)), options_(options), db_(db) {}

  absl::Status Prepare();
  absl::Status CheckFile();
  absl::Status MakeTables();
  absl::StatusOr<int64_t> Number(const char* sql);
  absl::Status Execute(const char* sql);
  absl::Status Statement(const char* sql, sqlite3_stmt** statement);
  absl::Status Begin();
  absl::Status Sweep();
  absl::Status SetMeta(const char* name, uint64_t value);
  // The error of the last call on the database, in words.
  absl::Status Error(const char* doing) const;
  absl::Status Fail(absl::Status status);

  const std::string path_;
  const Options options_;
  sqlite3* const db_;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* meta_ = nullptr;
  sqlite3_stmt* scan_ = nullptr;
  sqlite3_stmt* erase_ = nullptr;
  bool in_transaction_ = false;
  bool space_checked_ = false;  // since the last commit
  uint64_t compact_to_ = 0;     // revision
  uint64_t swept_row_ = 0;      // rows up to this one have been swept
  absl::Status failed_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_STORE_SQLITE_STORAGE_H_
