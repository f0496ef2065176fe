#include "master/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/master/store/store_harness.h"

namespace kubemu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

enum class Backend { kMemory, kSqlite };

// The contract, on both storages.
class StoreContract : public ::testing::TestWithParam<Backend> {
 protected:
  std::unique_ptr<Storage> OpenStorage() {
    if (GetParam() == Backend::kMemory) return std::make_unique<MemoryStorage>(disk_);
    absl::StatusOr<std::unique_ptr<Storage>> storage =
        SqliteStorage::Open(directory_.file("store.db"));
    EXPECT_TRUE(storage.ok()) << storage.status();
    return *std::move(storage);
  }
  void CommitAndCrash() {
    ASSERT_TRUE(harness_.store().Commit().ok());
    harness_.Crash();
    ASSERT_TRUE(harness_.store().status().ok()) << harness_.store().status();
  }
  std::vector<std::string> WatchFrom(uint64_t revision) {
    return StoreHarness::Describe(harness_.Watch(revision));
  }

  TestDirectory directory_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  StoreHarness harness_{[this] { return OpenStorage(); }};
};

INSTANTIATE_TEST_SUITE_P(Storages, StoreContract,
                         ::testing::Values(Backend::kMemory, Backend::kSqlite),
                         [](const auto& info) {
                           return info.param == Backend::kMemory ? "Memory" : "Sqlite";
                         });

TEST_P(StoreContract, AnEmptyStoreIsAtRevisionOneAndSyncsAtOnce) {
  EXPECT_THAT(WatchFrom(0), ElementsAre("SYNCED@1"));
}

TEST_P(StoreContract, OnlyTheApiServerIsHeard) {
  EXPECT_THAT(harness_.Send(Put("a"), {ConfigMap("a", "1")}, "node-1/kubelet"), IsEmpty());
  EXPECT_THAT(harness_.Watch(0, "node-1/kubelet"), IsEmpty());
  EXPECT_THAT(WatchFrom(0), ElementsAre("SYNCED@1"));
}

TEST_P(StoreContract, EachTransactionGetsTheNextRevision) {
  EXPECT_EQ(harness_.PutValue("a", "1").revision(), 2u);
  EXPECT_EQ(harness_.PutValue("b", "1").revision(), 3u);
  EXPECT_EQ(harness_.Txn(Remove("a")).revision(), 4u);
}

TEST_P(StoreContract, OneTransactionWritesAllItsKeysUnderOneRevision) {
  bus::StoreTxn txn = Put("a");
  bus::StoreTxn::Operation* second = txn.add_operations();
  second->set_key("b");
  second->set_object(1);
  EXPECT_EQ(harness_.Txn(txn, {ConfigMap("a", "1"), ConfigMap("b", "2")}).revision(), 2u);
  EXPECT_THAT(WatchFrom(1), ElementsAre("PUT a=1@2", "PUT b=2@2"));
}

TEST_P(StoreContract, ObjectsCarryTheirRevisionAsResourceVersion) {
  harness_.PutValue("a", "1");
  EXPECT_EQ(harness_.Watch(0)[0].objects[0].revision(), 2u);
  harness_.Txn(Remove("a"));
  EXPECT_EQ(harness_.Watch(2)[0].objects[0].revision(), 3u);
}

TEST_P(StoreContract, AFailedCompareWritesNothingAndTakesNoRevision) {
  harness_.PutValue("a", "1");
  const bus::StoreTxnResult result = harness_.Txn(IfAt(0, Put("a")), {ConfigMap("a", "2")});
  EXPECT_FALSE(result.succeeded());
  EXPECT_THAT(result.error(), IsEmpty());
  EXPECT_EQ(result.revision(), 2u);
  EXPECT_THAT(WatchFrom(0), ElementsAre("PUT a=1@2", "SYNCED@2"));
}

TEST_P(StoreContract, ACompareHoldsExactlyAtTheKeysModRevision) {
  EXPECT_TRUE(harness_.Txn(IfAt(0, Put("a")), {ConfigMap("a", "1")}).succeeded());
  EXPECT_FALSE(harness_.Txn(IfAt(1, Put("a")), {ConfigMap("a", "2")}).succeeded());
  EXPECT_TRUE(harness_.Txn(IfAt(2, Put("a")), {ConfigMap("a", "3")}).succeeded());
  EXPECT_FALSE(harness_.Txn(IfAt(2, Remove("a"))).succeeded());
  EXPECT_TRUE(harness_.Txn(IfAt(3, Remove("a"))).succeeded());
  EXPECT_TRUE(harness_.Txn(IfAt(0, Put("a")), {ConfigMap("a", "4")}).succeeded());
}

TEST_P(StoreContract, RemovingAKeyThatIsNotThereTakesNoRevision) {
  const bus::StoreTxnResult result = harness_.Txn(Remove("a"));
  EXPECT_TRUE(result.succeeded());
  EXPECT_EQ(result.revision(), 1u);
}

TEST_P(StoreContract, EventsComeBeforeTheResultOfTheirTransaction) {
  harness_.Watch(0);
  EXPECT_THAT(StoreHarness::Describe(harness_.Send(Put("a"), {ConfigMap("a", "1")})),
              ElementsAre("PUT a=1@2", "result"));
}

TEST_P(StoreContract, ADeletionCarriesTheLastStateAndTheDeletersTrace) {
  harness_.PutValue("a", "last");
  harness_.Watch(2);
  const std::vector<Message> sent =
      harness_.Send(Remove("a"), {}, "master/apiserver", 0, Trace{77, 5});
  EXPECT_THAT(StoreHarness::Describe(sent), ElementsAre("DELETE a=last@3", "result"));
  EXPECT_EQ(sent[0].objects[0].trace(), (Trace{77, 5}));
}

TEST_P(StoreContract, AWatchFromTheBeginningGivesTheKeysInOrderThenSynced) {
  harness_.PutValue("b", "1");
  harness_.PutValue("a", "2");
  harness_.PutValue("b", "3");
  EXPECT_THAT(WatchFrom(0), ElementsAre("PUT a=2@3", "PUT b=3@4", "SYNCED@4"));
}

TEST_P(StoreContract, AWatchResumesAfterARevisionWithoutGapOrRepeat) {
  harness_.PutValue("a", "1");
  harness_.PutValue("a", "2");
  harness_.Txn(Remove("a"));
  EXPECT_THAT(WatchFrom(2), ElementsAre("PUT a=2@3", "DELETE a=2@4"));
  EXPECT_THAT(WatchFrom(4), IsEmpty());
}

TEST_P(StoreContract, AWatchResumesAcrossARestart) {
  harness_.PutValue("a", "1");
  harness_.PutValue("a", "2");
  harness_.Txn(Remove("a"));
  CommitAndCrash();
  EXPECT_THAT(WatchFrom(2), ElementsAre("PUT a=2@3", "DELETE a=2@4"));
}

TEST_P(StoreContract, AWatchFromACompactedRevisionIsToldSo) {
  harness_.PutValue("a", "1");
  harness_.PutValue("a", "2");
  harness_.PutValue("a", "3");
  harness_.Compact(3);
  EXPECT_THAT(WatchFrom(2), ElementsAre("COMPACTED@4"));
  EXPECT_THAT(WatchFrom(3), ElementsAre("PUT a=3@4"));
}

TEST_P(StoreContract, AWatchFromARevisionNotReachedYetBeginsAnew) {
  harness_.PutValue("a", "1");
  EXPECT_THAT(WatchFrom(9), ElementsAre("COMPACTED@2"));
}

TEST_P(StoreContract, CommittedWritesSurviveACrashWithTheirTraces) {
  harness_.Txn(Put("a"), {ConfigMap("a", "1", Trace{42, 7})});
  CommitAndCrash();
  const std::vector<Message> sent = harness_.Watch(0);
  EXPECT_THAT(StoreHarness::Describe(sent), ElementsAre("PUT a=1@2", "SYNCED@2"));
  EXPECT_EQ(sent[0].objects[0].trace(), (Trace{42, 7}));
  EXPECT_EQ(sent[0].As<bus::StoreEvent>().create_revision(), 2u);
}

TEST_P(StoreContract, ACrashBeforeCommitTakesBackTheWholeTurn) {
  harness_.PutValue("a", "1");
  ASSERT_TRUE(harness_.store().Commit().ok());
  harness_.PutValue("a", "2");
  harness_.PutValue("b", "1");
  harness_.Crash();
  EXPECT_THAT(WatchFrom(0), ElementsAre("PUT a=1@2", "SYNCED@2"));
}

TEST_P(StoreContract, RevisionsGoOnAfterARestart) {
  harness_.PutValue("a", "1");
  harness_.Txn(Remove("a"));
  CommitAndCrash();
  EXPECT_EQ(harness_.PutValue("b", "1").revision(), 4u);
}

TEST_P(StoreContract, RevisionsGoOnWhenCompactionLeftNoRowAtAll) {
  harness_.PutValue("a", "1");
  harness_.Txn(Remove("a"));
  harness_.Compact(3);
  CommitAndCrash();
  EXPECT_EQ(harness_.store().revision(), 3u);
  EXPECT_EQ(harness_.store().compacted_revision(), 3u);
  EXPECT_EQ(harness_.PutValue("b", "1").revision(), 4u);
}

TEST_P(StoreContract, CompactionKeepsCurrentValuesAndCreateRevisions) {
  harness_.PutValue("a", "1");
  harness_.PutValue("a", "2");
  harness_.PutValue("b", "1");
  harness_.PutValue("b", "2");
  harness_.Compact(4);
  CommitAndCrash();
  const std::vector<Message> sent = harness_.Watch(0);
  EXPECT_THAT(StoreHarness::Describe(sent), ElementsAre("PUT a=2@3", "PUT b=2@5", "SYNCED@5"));
  EXPECT_EQ(sent[0].As<bus::StoreEvent>().create_revision(), 2u);
  EXPECT_THAT(WatchFrom(4), ElementsAre("PUT b=2@5"));
}

TEST_P(StoreContract, CompactionOfAFutureOrPastRevisionChangesNothing) {
  harness_.PutValue("a", "1");
  harness_.PutValue("a", "2");
  harness_.Compact(9);
  EXPECT_EQ(harness_.store().compacted_revision(), 0u);
  harness_.Compact(3);
  harness_.Compact(2);
  EXPECT_EQ(harness_.store().compacted_revision(), 3u);
}

TEST_P(StoreContract, MalformedTransactionsAreRefusedWhole) {
  harness_.PutValue("a", "1");
  EXPECT_THAT(harness_.Txn(Put("")).error(), HasSubstr("no key"));
  EXPECT_THAT(harness_.Txn(Put("b")).error(), HasSubstr("names attachment 0"));
  bus::StoreTxn twice = Put("c");
  twice.add_operations()->set_key("c");
  EXPECT_THAT(harness_.Txn(twice, {ConfigMap("c", "1")}).error(), HasSubstr("twice"));
  bus::StoreTxn huge;
  for (size_t i = 0; i < kStoreOperationsMax; ++i) huge.add_operations()->set_key("k");
  EXPECT_THAT(harness_.Txn(huge).error(), HasSubstr("at most"));
  EXPECT_EQ(harness_.store().revision(), 2u);
  EXPECT_EQ(harness_.store().keys(), 1u);
}

TEST_P(StoreContract, ADoubledTransactionIsAppliedOnce) {
  harness_.Send(Put("a"), {ConfigMap("a", "1")}, "master/apiserver", 9);
  EXPECT_THAT(harness_.Send(Put("a"), {ConfigMap("a", "1")}, "master/apiserver", 9), IsEmpty());
  EXPECT_EQ(harness_.store().revision(), 2u);
}

TEST_P(StoreContract, HistoryPastItsLimitIsCompactedByItself) {
  for (size_t i = 0; i <= Store::kHistoryMax; ++i) harness_.PutValue("a", StrCat(i));
  EXPECT_GE(harness_.store().compacted_revision(), Store::kHistoryMax / 2);
  CommitAndCrash();
  EXPECT_THAT(WatchFrom(0),
              ElementsAre(StrCat("PUT a=", Store::kHistoryMax, "@", Store::kHistoryMax + 2),
                          StrCat("SYNCED@", Store::kHistoryMax + 2)));
}

// Against a plain model: a random history, with crashes and compactions, gives the model's state,
// and replaying the watch from any revision gives it too.
TEST_P(StoreContract, ARandomHistoryEqualsItsModel) {
  Random random(20);
  std::map<std::string, std::string> model;
  for (int step = 0; step < 600; ++step) {
    const std::string key = StrCat("k", random.Uniform(12));
    if (random.Chance(0.3)) {
      harness_.Txn(Remove(key));
      model.erase(key);
    } else {
      harness_.PutValue(key, StrCat(step));
      model[key] = StrCat(step);
    }
    if (random.Chance(0.02)) harness_.Compact(harness_.store().revision() - random.Uniform(10));
    if (random.Chance(0.05)) CommitAndCrash();
  }
  std::map<std::string, std::string> replayed;
  for (const Message& message : harness_.Watch(0)) {
    if (!message.objects.empty()) {
      replayed[message.As<bus::StoreEvent>().key()] = ValueOf(message.objects[0]);
    }
  }
  EXPECT_EQ(replayed, model);
}

TEST(StoreFailure, WritesAreRefusedWhileTheDiskIsFullAndTakenAgainAfterwards) {
  auto disk = std::make_shared<MemoryDisk>();
  StoreHarness harness([disk] { return std::make_unique<MemoryStorage>(disk); });
  disk->full = true;
  EXPECT_THAT(harness.PutValue("a", "1").error(), HasSubstr("full"));
  EXPECT_TRUE(harness.store().Commit().ok());
  disk->full = false;
  EXPECT_TRUE(harness.PutValue("a", "1").succeeded());
  EXPECT_EQ(harness.store().revision(), 2u);
}

TEST(StoreFailure, AfterAFailedCommitEveryTransactionIsRefused) {
  auto disk = std::make_shared<MemoryDisk>();
  StoreHarness harness([disk] { return std::make_unique<MemoryStorage>(disk); });
  harness.PutValue("a", "1");
  disk->fail_commit = true;
  EXPECT_FALSE(harness.store().Commit().ok());
  disk->fail_commit = false;
  EXPECT_THAT(harness.PutValue("b", "1").error(), HasSubstr("does not take writes"));
  EXPECT_FALSE(harness.store().Commit().ok());
  EXPECT_TRUE(disk->rows.empty());
}

}  // namespace
}  // namespace kubemu
