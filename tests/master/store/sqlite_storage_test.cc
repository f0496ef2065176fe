#include "master/store/sqlite_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/master/store/store_harness.h"

namespace kubemu {
namespace {

using ::testing::HasSubstr;

class SqliteFile : public ::testing::Test {
 protected:
  std::string path() const { return directory_.file("store.db"); }
  std::unique_ptr<Storage> Open() {
    auto storage = SqliteStorage::Open(path());
    EXPECT_TRUE(storage.ok()) << storage.status();
    return *std::move(storage);
  }
  absl::Status OpenError() { return SqliteStorage::Open(path()).status(); }
  // Some keys, some superseded, committed and closed.
  void Fill() {
    StoreHarness harness([this] { return Open(); });
    for (int i = 0; i < 200; ++i) harness.PutValue(StrCat("k", i % 50), std::string(2000, 'v'));
    ASSERT_TRUE(harness.store().Commit().ok());
  }
  void Sql(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  int64_t Rows() {
    sqlite3* db = nullptr;
    sqlite3_stmt* statement = nullptr;
    sqlite3_open(path().c_str(), &db);
    sqlite3_prepare_v2(db, "SELECT count(*) FROM log", -1, &statement, nullptr);
    sqlite3_step(statement);
    const int64_t rows = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return rows;
  }
  std::string LoadError() { return std::string(Store(Open()).status().message()); }

  TestDirectory directory_;
};

TEST_F(SqliteFile, ASecondProcessOnTheSameFileIsRefused) {
  const std::unique_ptr<Storage> first = Open();
  const absl::Status status = OpenError();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("in use by another process"));
}

TEST_F(SqliteFile, AMissingDirectoryIsNamed) {
  const absl::Status status = SqliteStorage::Open(directory_.file("none/store.db")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("none/store.db"));
}

TEST_F(SqliteFile, AFileOfSomethingElseIsRefusedAndLeftAlone) {
  const std::string text(5000, 'x');
  std::ofstream(path()) << text;
  EXPECT_EQ(OpenError().code(), absl::StatusCode::kDataLoss);
  std::ifstream file(path());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
}

TEST_F(SqliteFile, AnotherProgramsDatabaseIsRefused) {
  Sql("CREATE TABLE theirs (a)");
  EXPECT_THAT(std::string(OpenError().message()), HasSubstr("another program"));
}

TEST_F(SqliteFile, ANewerFormatIsRefused) {
  Fill();
  Sql("PRAGMA user_version = 99");
  EXPECT_EQ(OpenError().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SqliteFile, AFlippedBitInAValueIsFoundByItsChecksum) {
  Fill();
  Sql("UPDATE log SET value = replace(CAST(value AS TEXT), 'vvvvvvvv', 'vvvvvwvv')"
      " WHERE row = (SELECT max(row) FROM log)");
  EXPECT_THAT(LoadError(), HasSubstr("checksum"));
}

TEST_F(SqliteFile, ALostRevisionIsFound) {
  Fill();
  Sql(StrCat("DELETE FROM log WHERE row = ", RowOf(100, 0)));
  EXPECT_THAT(LoadError(), HasSubstr("nothing is left of revision 100"));
}

TEST_F(SqliteFile, AnUnknownKindNamesTheKey) {
  Fill();
  Sql(StrCat("UPDATE log SET kind = 999 WHERE row = ", RowOf(100, 0)));
  EXPECT_THAT(LoadError(), HasSubstr("kind number 999"));
}

TEST_F(SqliteFile, AnOverwrittenPageIsToldAndNotACrash) {
  Fill();
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096 * 3);
  file << std::string(4096, '\x5a');
  file.close();
  EXPECT_EQ(OpenError().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SqliteFile, ATruncatedFileIsToldAndNotACrash) {
  Fill();
  ASSERT_EQ(truncate(path().c_str(), 4096 * 5 + 100), 0);
  auto storage = SqliteStorage::Open(path());
  if (storage.ok()) {
    EXPECT_FALSE(Store(*std::move(storage)).status().ok());
  } else {
    EXPECT_EQ(storage.status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST_F(SqliteFile, CompactionDeletesSupersededRowsOverTheNextCommits) {
  {
    StoreHarness harness([this] { return Open(); });
    const int writes = SqliteStorage::kSweepMax * 2 + 10;
    for (int i = 0; i < writes; ++i) harness.PutValue(StrCat("k", i % 5), "v");
    ASSERT_TRUE(harness.store().Commit().ok());
    harness.Compact(harness.store().revision());
    for (int i = 0; i < 3; ++i) {
      harness.PutValue("k0", "w");
      ASSERT_TRUE(harness.store().Commit().ok());
    }
  }
  EXPECT_EQ(Rows(), 5 + 3);
}

TEST_F(SqliteFile, ASweepGoesOnAfterARestart) {
  StoreHarness harness([this] { return Open(); });
  const int writes = SqliteStorage::kSweepMax + 10;
  for (int i = 0; i < writes; ++i) harness.PutValue("k", StrCat(i));
  harness.Compact(harness.store().revision());
  ASSERT_TRUE(harness.store().Commit().ok());
  harness.Crash();
  EXPECT_EQ(StoreHarness::Describe(harness.Watch(0))[0],
            StrCat("PUT k=", writes - 1, "@", writes + 1));
  harness.PutValue("k", "last");
  ASSERT_TRUE(harness.store().Commit().ok());
  harness.Crash();
  EXPECT_EQ(harness.store().keys(), 1u);
}

TEST_F(SqliteFile, WithoutTheReserveOnTheDiskWritesAreRefusedNotBroken) {
  SqliteStorage::Options options;
  options.reserve_bytes = uint64_t{1} << 60;
  StoreHarness harness([&] { return *SqliteStorage::Open(path(), options); });
  EXPECT_THAT(harness.PutValue("a", "1").error(), HasSubstr("the disk is full"));
  EXPECT_TRUE(harness.store().Commit().ok());
  EXPECT_TRUE(harness.store().status().ok());
}

}  // namespace
}  // namespace kubemu
