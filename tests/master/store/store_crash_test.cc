#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/master/store/store_harness.h"

namespace kubemu {
namespace {

constexpr int kKills = 30;

std::unique_ptr<Storage> OpenOrNull(const std::string& path) {
  auto storage = SqliteStorage::Open(path);
  return storage.ok() ? *std::move(storage) : nullptr;
}

// Writes turn after turn and acknowledges each committed revision on the pipe, until it is killed.
[[noreturn]] void WriteForEver(const std::string& path, int acknowledge) {
  std::unique_ptr<Storage> storage = OpenOrNull(path);
  if (storage == nullptr) _exit(1);
  StoreHarness harness([&] { return std::move(storage); });
  if (!harness.store().status().ok()) _exit(1);
  for (uint64_t turn = 0;; ++turn) {
    for (int i = 0; i < 3; ++i) {
      const uint64_t next = harness.store().revision() + 1;
      // The value is the revision under which it is written.
      harness.PutValue(StrCat("k", next % 10), StrCat(next));
    }
    if (turn % 50 == 49) harness.Compact(harness.store().revision() - 20);
    if (!harness.store().Commit().ok()) _exit(1);
    const uint64_t revision = harness.store().revision();
    if (write(acknowledge, &revision, sizeof revision) != sizeof revision) _exit(1);
  }
}

// Starts a writer, kills it in the middle of its work, and returns the last acknowledged revision.
uint64_t WriteUntilKilled(const std::string& path, Random& random) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    WriteForEver(path, ends[1]);
  }
  close(ends[1]);
  uint64_t acknowledged = 0;
  uint64_t revision = 0;
  const uint64_t acknowledgements = 1 + random.Uniform(60);
  for (uint64_t i = 0; i < acknowledgements; ++i) {
    if (read(ends[0], &revision, sizeof revision) != sizeof revision) break;
    acknowledged = revision;
  }
  // A busy wait of a random length, so that the kill hits any point of a turn.
  volatile uint64_t spin = random.Uniform(400'000);
  while (spin > 0) spin = spin - 1;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  while (read(ends[0], &revision, sizeof revision) == sizeof revision) acknowledged = revision;
  close(ends[0]);
  return acknowledged;
}

TEST(StoreCrash, EveryAcknowledgedWriteSurvivesKillMinusNine) {
  TestDirectory directory;
  const std::string path = directory.file("store.db");
  Random random(7);
  uint64_t previous = 1;
  for (int round = 0; round < kKills; ++round) {
    const uint64_t acknowledged = WriteUntilKilled(path, random);
    ASSERT_GT(acknowledged, previous) << "round " << round;
    std::unique_ptr<Storage> storage = OpenOrNull(path);
    ASSERT_NE(storage, nullptr) << "round " << round;
    StoreHarness harness([&] { return std::move(storage); });
    ASSERT_TRUE(harness.store().status().ok()) << harness.store().status();
    const uint64_t revision = harness.store().revision();
    EXPECT_GE(revision, acknowledged);
    EXPECT_EQ((revision - 1) % 3, 0u) << "a turn was committed in part";
    // Every key holds the newest value at or before the store's revision.
    for (const Message& message : harness.Watch(0)) {
      if (message.objects.empty()) continue;
      const uint64_t value = message.As<bus::StoreEvent>().revision();
      EXPECT_EQ(ValueOf(message.objects[0]), StrCat(value));
      EXPECT_GT(value + 10, revision);
    }
    previous = revision;
  }
}

// Writes until the disk refuses; acknowledges what was committed. Ends with 0 if the refusal came
// as an error.
[[noreturn]] void WriteUntilTheDiskIsFull(const std::string& path, int acknowledge) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit files{400 * 1024, 400 * 1024};
  setrlimit(RLIMIT_FSIZE, &files);
  std::unique_ptr<Storage> storage = OpenOrNull(path);
  if (storage == nullptr) _exit(1);
  StoreHarness harness([&] { return std::move(storage); });
  for (int turn = 0; turn < 10'000; ++turn) {
    harness.PutValue(StrCat("k", turn), std::string(3000, 'v'));
    if (!harness.store().Commit().ok()) {
      _exit(harness.PutValue("late", "v").error().empty() ? 2 : 0);
    }
    const uint64_t revision = harness.store().revision();
    if (write(acknowledge, &revision, sizeof revision) != sizeof revision) _exit(3);
  }
  _exit(4);
}

TEST(StoreCrash, AFileThatCannotGrowIsAnErrorAndLosesNothingAcknowledged) {
  TestDirectory directory;
  const std::string path = directory.file("store.db");
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    WriteUntilTheDiskIsFull(path, ends[1]);
  }
  close(ends[1]);
  uint64_t acknowledged = 0;
  uint64_t revision = 0;
  while (read(ends[0], &revision, sizeof revision) == sizeof revision) acknowledged = revision;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ASSERT_GT(acknowledged, 10u);
  std::unique_ptr<Storage> storage = OpenOrNull(path);
  ASSERT_NE(storage, nullptr);
  const Store store(std::move(storage));
  EXPECT_TRUE(store.status().ok()) << store.status();
  EXPECT_GE(store.revision(), acknowledged);
}

}  // namespace
}  // namespace kubemu
