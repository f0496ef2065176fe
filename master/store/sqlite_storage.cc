#include "master/store/sqlite_storage.h"

#include <sqlite3.h>
#include <sys/statvfs.h>

#include <string_view>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/random.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr int64_t kApplicationId = 0x6b754d55;  // tells our files from other SQLite databases
constexpr int64_t kSchemaVersion = 1;

// The small columns stand before the value, so that a sweep reads no value.
constexpr const char* kTables =
    "CREATE TABLE log ("
    " row INTEGER PRIMARY KEY, supersedes INTEGER NOT NULL, create_revision INTEGER NOT NULL,"
    " removed INTEGER NOT NULL, kind INTEGER NOT NULL, trace_id INTEGER NOT NULL,"
    " cause INTEGER NOT NULL, checksum INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL);"
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);";
constexpr const char* kInsert = "INSERT INTO log VALUES (?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kSelect =
    "SELECT row, supersedes, create_revision, removed, kind, trace_id, cause, checksum, key, value"
    " FROM log ORDER BY row";
constexpr const char* kSetMeta = "INSERT OR REPLACE INTO meta VALUES (?,?)";
constexpr const char* kScan =
    "SELECT row, supersedes, removed FROM log WHERE row > ? AND row < ? ORDER BY row LIMIT ?";
constexpr const char* kErase = "DELETE FROM log WHERE row = ?";

// What the checksum is made of: everything that a flipped bit could falsify.
uint64_t Checksum(const StoreRow& row, std::string_view value) {
  const uint64_t head = StableHash(StrCat(row.row, "|", row.supersedes, "|", row.create_revision,
                                          "|", row.removed ? 1 : 0, "|", row.key));
  return head * 31 + StableHash(value);
}

std::string_view Column(sqlite3_stmt* statement, int index) {
  const void* data = sqlite3_column_blob(statement, index);
  const int size = sqlite3_column_bytes(statement, index);
  if (data == nullptr) return {};
  return std::string_view(static_cast<const char*>(data), static_cast<size_t>(size));
}

uint64_t NumberColumn(sqlite3_stmt* statement, int index) {
  return static_cast<uint64_t>(sqlite3_column_int64(statement, index));
}

void BindNumber(sqlite3_stmt* statement, int index, uint64_t value) {
  sqlite3_bind_int64(statement, index, static_cast<sqlite3_int64>(value));
}

// The text must outlive the statement's step.
void BindText(sqlite3_stmt* statement, int index, std::string_view text) {
  sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

void BindBlob(sqlite3_stmt* statement, int index, std::string_view bytes) {
  // A null pointer would bind NULL instead of no bytes.
  sqlite3_bind_blob(statement, index, bytes.empty() ? "" : bytes.data(),
                    static_cast<int>(bytes.size()), SQLITE_STATIC);
}

absl::StatusOr<StoreRow> ReadRow(sqlite3_stmt* statement, const std::string& path) {
  StoreRow row;
  row.row = NumberColumn(statement, 0);
  row.supersedes = NumberColumn(statement, 1);
  row.create_revision = NumberColumn(statement, 2);
  row.removed = NumberColumn(statement, 3) != 0;
  row.key = std::string(Column(statement, 8));
  const uint64_t kind_id = NumberColumn(statement, 4);
  const std::string_view value = Column(statement, 9);
  const std::string where =
      StrCat("the store ", path, ": ", row.key, " at revision ", RevisionOf(row.row));
  if (Checksum(row, value) != NumberColumn(statement, 7)) {
    return absl::DataLossError(
        StrCat(where,
               " is damaged (its checksum differs); restore the file from a copy, or "
               "delete it to begin with an empty cluster"));
  }
  const Kind* kind = KindById(static_cast<int>(kind_id));
  if (kind == nullptr) {
    return absl::FailedPreconditionError(
        StrCat(where, " is of kind number ", kind_id,
               ", which this version does not know; use the version that wrote it"));
  }
  const Trace trace{NumberColumn(statement, 5), NumberColumn(statement, 6)};
  row.object = Object::FromBytes(*kind, std::string(value), trace);
  if (!row.object) return absl::DataLossError(StrCat(where, " does not parse as ", kind->kind));
  return row;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Storage>> SqliteStorage::Open(const std::string& path,
                                                             Options options) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(
      path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<SqliteStorage> storage(new SqliteStorage(path, options, db));
  if (code != SQLITE_OK) return storage->Error("cannot be opened");
  const absl::Status status = storage->Prepare();
  if (!status.ok()) return status;
  return std::unique_ptr<Storage>(std::move(storage));
}

SqliteStorage::~SqliteStorage() {
  for (sqlite3_stmt* statement : {insert_, meta_, scan_, erase_}) sqlite3_finalize(statement);
  sqlite3_close(db_);  // what was not committed is rolled back
}

absl::Status SqliteStorage::Prepare() {
  sqlite3_extended_result_codes(db_, 0);
  // Exclusive: no shared-memory file, and the lock on the file is kept until the process ends.
  for (const char* pragma :
       {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
        "PRAGMA wal_autocheckpoint=4000", "BEGIN IMMEDIATE", "COMMIT"}) {
    const absl::Status status = Execute(pragma);
    if (!status.ok()) return status;
  }
  for (auto step : {&SqliteStorage::CheckFile, &SqliteStorage::MakeTables}) {
    const absl::Status status = (this->*step)();
    if (!status.ok()) return status;
  }
  const std::pair<const char*, sqlite3_stmt**> statements[] = {
      {kInsert, &insert_}, {kSetMeta, &meta_}, {kScan, &scan_}, {kErase, &erase_}};
  for (const auto& [sql, statement] : statements) {
    const absl::Status status = Statement(sql, statement);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Is it intact, and is it ours?
absl::Status SqliteStorage::CheckFile() {
  const absl::StatusOr<int64_t> tables = Number("SELECT count(*) FROM sqlite_master");
  if (!tables.ok()) return tables.status();
  if (*tables == 0) return absl::OkStatus();
  const absl::StatusOr<int64_t> application = Number("PRAGMA application_id");
  if (!application.ok()) return application.status();
  if (*application != kApplicationId) {
    return absl::DataLossError(
        StrCat("the store ", path_, " is a database of another program; name another file"));
  }
  const absl::StatusOr<int64_t> version = Number("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version != kSchemaVersion) {
    return absl::FailedPreconditionError(StrCat("the store ", path_, " has format ", *version,
                                                ", this version reads format ", kSchemaVersion));
  }
  const absl::StatusOr<int64_t> intact =
      Number("SELECT quick_check = 'ok' FROM pragma_quick_check(1)");
  if (!intact.ok()) return intact.status();
  if (*intact == 1) return absl::OkStatus();
  return absl::DataLossError(
      StrCat("the store ", path_,
             " is damaged (SQLite's quick_check fails); restore the file from "
             "a copy, or delete it to begin with an empty cluster"));
}

absl::Status SqliteStorage::MakeTables() {
  const absl::StatusOr<int64_t> tables = Number("SELECT count(*) FROM sqlite_master");
  if (!tables.ok()) return tables.status();
  if (*tables == 0) {
    // One transaction: a crash leaves either an empty file or a store.
    const std::string sql =
        StrCat("BEGIN IMMEDIATE;", kTables, "PRAGMA application_id=", kApplicationId,
               ";PRAGMA user_version=", kSchemaVersion, ";COMMIT;");
    const absl::Status status = Execute(sql.c_str());
    if (!status.ok()) return status;
  }
  for (const auto& [name, value] :
       {std::pair{"compacted", &compact_to_}, std::pair{"swept", &swept_row_}}) {
    const absl::StatusOr<int64_t> stored = Number(
        StrCat("SELECT coalesce(max(value), 0) FROM meta WHERE name = '", name, "'").c_str());
    if (!stored.ok()) return stored.status();
    *value = static_cast<uint64_t>(*stored);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SqliteStorage::Load(Visitor visit) {
  sqlite3_stmt* statement = nullptr;
  absl::Status status = Statement(kSelect, &statement);
  while (status.ok()) {
    const int code = sqlite3_step(statement);
    if (code == SQLITE_DONE) break;
    if (code != SQLITE_ROW) {
      status = Error("cannot be read");
      break;
    }
    absl::StatusOr<StoreRow> row = ReadRow(statement, path_);
    status = row.ok() ? visit(*std::move(row)) : row.status();
  }
  sqlite3_finalize(statement);
  if (!status.ok()) return status;
  return compact_to_;
}

absl::Status SqliteStorage::Writable() {
  if (!failed_.ok() || space_checked_) return failed_;
  struct statvfs space;
  if (statvfs(path_.c_str(), &space) == 0 &&
      uint64_t{space.f_bavail} * space.f_frsize < options_.reserve_bytes) {
    return absl::ResourceExhaustedError(
        StrCat("the disk is full: less than ", options_.reserve_bytes / 1024 / 1024,
               " MiB are left beside the store ", path_, "; make room"));
  }
  space_checked_ = true;
  return absl::OkStatus();
}

absl::Status SqliteStorage::Append(const StoreRow& row) {
  const absl::Status status = Begin();
  if (!status.ok()) return status;
  const std::string& value = row.object.bytes();
  BindNumber(insert_, 1, row.row);
  BindNumber(insert_, 2, row.supersedes);
  BindNumber(insert_, 3, row.create_revision);
  BindNumber(insert_, 4, row.removed ? 1 : 0);
  BindNumber(insert_, 5, static_cast<uint64_t>(row.object.kind().id));
  BindNumber(insert_, 6, row.object.trace().trace_id);
  BindNumber(insert_, 7, row.object.trace().cause);
  BindNumber(insert_, 8, Checksum(row, value));
  BindText(insert_, 9, row.key);
  BindBlob(insert_, 10, value);
  const int code = sqlite3_step(insert_);
  if (code != SQLITE_DONE) return Fail(Error("does not take a write"));
  sqlite3_reset(insert_);
  return absl::OkStatus();
}

absl::Status SqliteStorage::Compact(uint64_t revision) {
  const absl::Status status = Begin();
  if (!status.ok()) return status;
  compact_to_ = revision;
  return SetMeta("compacted", revision);
}

absl::Status SqliteStorage::Commit() {
  if (!failed_.ok() || !in_transaction_) return failed_;
  const absl::Status status = Sweep();
  if (!status.ok()) return status;
  if (sqlite3_exec(db_, "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Fail(Error("cannot be committed to"));
  }
  in_transaction_ = false;
  space_checked_ = false;
  return absl::OkStatus();
}

// Goes on with deleting what the compaction made needless: the rows that were superseded by one
// up to the compacted revision, and removals up to there.
absl::Status SqliteStorage::Sweep() {
  const uint64_t end = RowOf(compact_to_ + 1, 0);
  if (swept_row_ + 1 >= end) return absl::OkStatus();
  BindNumber(scan_, 1, swept_row_);
  BindNumber(scan_, 2, end);
  BindNumber(scan_, 3, kSweepMax);
  std::vector<uint64_t> needless;
  int rows = 0;
  int code = sqlite3_step(scan_);
  for (; code == SQLITE_ROW; code = sqlite3_step(scan_), ++rows) {
    swept_row_ = NumberColumn(scan_, 0);
    if (NumberColumn(scan_, 1) != 0) needless.push_back(NumberColumn(scan_, 1));
    if (NumberColumn(scan_, 2) != 0) needless.push_back(swept_row_);
  }
  if (code != SQLITE_DONE) return Fail(Error("cannot be read"));
  sqlite3_reset(scan_);
  if (rows < kSweepMax) swept_row_ = end - 1;
  for (const uint64_t row : needless) {
    BindNumber(erase_, 1, row);
    if (sqlite3_step(erase_) != SQLITE_DONE) return Fail(Error("does not take a write"));
    sqlite3_reset(erase_);
  }
  return SetMeta("swept", swept_row_);
}

absl::Status SqliteStorage::Begin() {
  if (!failed_.ok() || in_transaction_) return failed_;
  if (sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Fail(Error("cannot be written to"));
  }
  in_transaction_ = true;
  return absl::OkStatus();
}

absl::Status SqliteStorage::SetMeta(const char* name, uint64_t value) {
  BindText(meta_, 1, name);
  BindNumber(meta_, 2, value);
  if (sqlite3_step(meta_) != SQLITE_DONE) return Fail(Error("does not take a write"));
  sqlite3_reset(meta_);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> SqliteStorage::Number(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const absl::Status status = Statement(sql, &statement);
  if (!status.ok()) return status;
  const bool has_row = sqlite3_step(statement) == SQLITE_ROW;
  const int64_t number = has_row ? sqlite3_column_int64(statement, 0) : 0;
  const absl::Status error = has_row ? absl::OkStatus() : Error("cannot be read");
  sqlite3_finalize(statement);
  if (!error.ok()) return error;
  return number;
}

absl::Status SqliteStorage::Execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error("cannot be opened");
}

absl::Status SqliteStorage::Statement(const char* sql, sqlite3_stmt** statement) {
  const int code = sqlite3_prepare_v2(db_, sql, -1, statement, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error("cannot be read");
}

absl::Status SqliteStorage::Error(const char* doing) const {
  const int code = sqlite3_errcode(db_) & 0xff;
  const std::string text = StrCat("the store ", path_, " ", doing, ": ", sqlite3_errmsg(db_));
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(
          StrCat("the store ", path_,
                 " is in use by another process: does a kubemu-master run "
                 "with the same state directory? Stop it or name another"));
    case SQLITE_NOTADB:
      return absl::DataLossError(
          StrCat("the store ", path_, " is damaged or not a store (SQLite: ", sqlite3_errmsg(db_),
                 "); restore the file from a copy, or delete it to begin with an empty cluster"));
    case SQLITE_CORRUPT:
      return absl::DataLossError(StrCat(text, "; restore the file from a copy, or delete it"));
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(StrCat(text, "; make room and start again"));
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return absl::PermissionDeniedError(text);
    case SQLITE_CANTOPEN:
      return absl::NotFoundError(StrCat(text, " (does its directory exist, may it be written?)"));
    default:
      return absl::UnknownError(text);
  }
}

absl::Status SqliteStorage::Fail(absl::Status status) {
  failed_ = std::move(status);
  return failed_;
}

}  // namespace kubemu
