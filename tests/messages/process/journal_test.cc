#include "messages/journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "messages/core/strings.h"
#include "messages/journal/file_journal.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"

namespace kubemu {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

Message MessageOf(uint64_t id) {
  Message message;
  message.id = id;
  message.from = "a/x";
  message.to = "b/y";
  message.kind = bus::PING;
  message.body = std::make_shared<bus::Ping>();
  return message;
}

std::vector<bus::JournalRecord> Read(std::string_view bytes) {
  std::vector<bus::JournalRecord> records;
  std::string error;
  ReadJournal(bytes, &records, &error);
  EXPECT_EQ(error, "");
  return records;
}

// Takes what the test allows.
class FlakySink : public MemoryJournalSink {
 public:
  bool works = true;
  bool Append(std::string_view records) override {
    return works && MemoryJournalSink::Append(records);
  }
};

TEST(Journal, WhatCouldNotBeWrittenLeavesAGapRecordThatCounts) {
  FlakySink sink;
  Journal journal(&sink);
  const auto append = [&](uint64_t id) {
    journal.Append(bus::JournalRecord::SENT, MessageOf(id), Time{}, WallTime{});
    journal.Flush();
  };
  append(1);
  sink.works = false;
  append(2);
  append(3);
  sink.works = true;
  append(4);
  append(5);
  const auto records = Read(sink.bytes());
  ASSERT_THAT(records, SizeIs(4));
  EXPECT_EQ(records[0].id(), 1u);
  EXPECT_EQ(records[1].event(), bus::JournalRecord::GAP);
  EXPECT_EQ(records[1].lamport(), 2u);
  EXPECT_EQ(records[2].id(), 4u);
  EXPECT_EQ(records[3].id(), 5u);
}

TEST(Journal, ABatchIsReadWithoutThoseBeforeIt) {
  MemoryJournalSink sink;
  Journal journal(&sink);
  size_t one = 0;
  for (uint64_t id = 1; id <= 4; ++id) {
    journal.Append(bus::JournalRecord::SENT, MessageOf(id), Time{}, WallTime{});
    if (id % 2 == 0) journal.Flush();
    if (id == 2) one = sink.bytes().size();
  }
  const auto records = Read(std::string_view(sink.bytes()).substr(one));
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0].id(), 3u);
  EXPECT_EQ(records[1].id(), 4u);
  EXPECT_EQ(records[1].from(), "a/x");
  EXPECT_EQ(records[1].to(), "b/y");
}

TEST(Journal, AFullBufferIsWrittenWithoutBeingAsked) {
  MemoryJournalSink sink;
  Journal journal(&sink);
  uint64_t id = 0;
  while (sink.bytes().empty()) {
    journal.Append(bus::JournalRecord::SENT, MessageOf(++id), Time{}, WallTime{});
    ASSERT_LE(journal.buffered(), Journal::kJournalBufferMax);
  }
  EXPECT_THAT(Read(sink.bytes()), SizeIs(id));
}

TEST(Journal, AnUnfinishedLastBatchStays) {
  MemoryJournalSink sink;
  Journal journal(&sink);
  journal.Append(bus::JournalRecord::SENT, MessageOf(1), Time{}, WallTime{});
  journal.Flush();
  const size_t one = sink.bytes().size();
  journal.Append(bus::JournalRecord::SENT, MessageOf(2), Time{}, WallTime{});
  journal.Flush();
  for (size_t cut = one; cut < sink.bytes().size(); ++cut) {
    std::vector<bus::JournalRecord> records;
    std::string error;
    EXPECT_EQ(ReadJournal(std::string_view(sink.bytes()).substr(0, cut), &records, &error), one);
    EXPECT_THAT(records, SizeIs(1));
    EXPECT_EQ(error, "");
  }
}

TEST(Journal, ADamagedBatchIsNamedByItsPlace) {
  MemoryJournalSink sink;
  Journal journal(&sink);
  journal.Append(bus::JournalRecord::SENT, MessageOf(1), Time{}, WallTime{});
  journal.Flush();
  std::string bytes = sink.bytes();
  bytes[4] = '\xff';
  bytes[5] = '\xff';
  std::vector<bus::JournalRecord> records;
  std::string error;
  EXPECT_EQ(ReadJournal(bytes, &records, &error), 0u);
  EXPECT_THAT(error, HasSubstr("at byte 0"));
}

TEST(Journal, ABatchTellsItsTimeWithoutBeingRead) {
  MemoryJournalSink sink;
  Journal journal(&sink);
  for (int64_t second = 1; second <= 3; ++second) {
    journal.Append(bus::JournalRecord::SENT, MessageOf(1), Time{}, WallTime(Duration(second)));
    if (second != 1) journal.Flush();
  }
  const auto first = PeekBatch(sink.bytes(), 0);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->wall, WallTime(Duration(1)));
  const auto second = PeekBatch(sink.bytes(), first->end);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->wall, WallTime(Duration(3)));
  EXPECT_EQ(second->end, sink.bytes().size());
  EXPECT_FALSE(PeekBatch(sink.bytes(), second->end).has_value());
  EXPECT_FALSE(PeekBatch(std::string_view(sink.bytes()).substr(0, second->end - 1), first->end));
}

TEST(Journal, TheEndOfAFlowsDataIsWritten) {
  MemoryJournalSink sink;
  Journal journal(&sink);
  for (bool fin : {false, true}) {
    bus::FlowData data;
    data.set_data("x");
    data.set_fin(fin);
    Message message = MessageOf(1);
    message.kind = bus::FLOW_DATA;
    message.body = std::make_shared<bus::FlowData>(data);
    journal.Append(bus::JournalRecord::SENT, message, Time{}, WallTime{});
  }
  journal.Flush();
  const auto records = Read(sink.bytes());
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0].what(), "");
  EXPECT_EQ(records[1].what(), "FIN");
  EXPECT_EQ(records[1].bytes(), 1u);
}

class FileJournalTest : public testing::Test {
 protected:
  FileJournalTest() : directory_(fs::path(testing::TempDir()) / StrCat("journal-", ::getpid())) {
    fs::remove_all(directory_);
  }
  ~FileJournalTest() override { fs::remove_all(directory_); }
  static std::string Content(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  // The names of node-1's files.
  std::vector<std::string> Segments() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_ / "node-1")) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  FileJournal::Options Options() {
    FileJournal::Options options;
    options.directory = directory_.string();
    options.process = "node-1";
    options.epoch = 42;
    return options;
  }
  const fs::path directory_;
};

TEST_F(FileJournalTest, WritesToAFileBelowTheProcessNamedAfterTheEpoch) {
  FileJournal file(Options());
  ASSERT_TRUE(file.Open().ok());
  EXPECT_TRUE(file.Append("abc"));
  EXPECT_TRUE(file.Append("def"));
  EXPECT_EQ(Content(directory_ / "node-1" / "42.00001.kmj"), "abcdef");
}

TEST_F(FileJournalTest, ASegmentNeverPassesItsLimitAndTheOldestGo) {
  FileJournal::Options options = Options();
  options.segment_bytes_max = 10;
  options.segments_max = 3;
  FileJournal file(options);
  ASSERT_TRUE(file.Open().ok());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(file.Append("0123456"));
  EXPECT_THAT(Segments(), ElementsAre("42.00008.kmj", "42.00009.kmj", "42.00010.kmj"));
  EXPECT_TRUE(file.Append("789"));
  EXPECT_EQ(Content(directory_ / "node-1" / "42.00010.kmj"), "0123456789");
}

TEST_F(FileJournalTest, TheLimitHoldsOverAllIncarnationsOfAProcess) {
  FileJournal::Options options = Options();
  options.segment_bytes_max = 4;
  options.segments_max = 4;
  FileJournal::Options other = options;
  other.process = "node-10";
  FileJournal neighbour(other);
  ASSERT_TRUE(neighbour.Open().ok());
  for (uint64_t epoch : {98, 99, 100}) {
    options.epoch = epoch;
    FileJournal file(options);
    ASSERT_TRUE(file.Open().ok());
    EXPECT_TRUE(file.Append("abcd"));
    EXPECT_TRUE(file.Append("abcd"));
  }
  EXPECT_THAT(Segments(),
              ElementsAre("100.00001.kmj", "100.00002.kmj", "99.00001.kmj", "99.00002.kmj"));
  EXPECT_TRUE(fs::exists(neighbour.path()));
}

TEST_F(FileJournalTest, AWallClockThatWasSetBackDoesNotCostTheRunningIncarnationItsFiles) {
  FileJournal::Options options = Options();
  options.segment_bytes_max = 4;
  options.segments_max = 2;
  for (uint64_t epoch : {100, 5}) {
    options.epoch = epoch;
    FileJournal file(options);
    ASSERT_TRUE(file.Open().ok());
    EXPECT_TRUE(file.Append("abcd"));
    EXPECT_TRUE(file.Append("abcd"));
  }
  EXPECT_THAT(Segments(), ElementsAre("5.00001.kmj", "5.00002.kmj"));
}

TEST_F(FileJournalTest, FilesOfOtherNamesAreLeftAlone) {
  fs::create_directories(directory_ / "node-1");
  std::ofstream(directory_ / "node-1" / "notes.txt") << "mine";
  std::ofstream(directory_ / "node-1" / "1.x.kmj") << "mine";
  FileJournal::Options options = Options();
  options.segments_max = 1;
  FileJournal file(options);
  ASSERT_TRUE(file.Open().ok());
  EXPECT_THAT(Segments(), ElementsAre("1.x.kmj", "42.00001.kmj", "notes.txt"));
}

TEST_F(FileJournalTest, ADirectoryThatCannotBeMadeIsAClearError) {
  std::ofstream(directory_) << "a file";
  FileJournal file(Options());
  const absl::Status status = file.Open();
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory_.string()));
}

// A file size limit does what a full disk does: a write is cut short, the next one fails.
TEST_F(FileJournalTest, AFullDiskLeavesWholeRecordsOnly) {
  FileJournal file(Options());
  ASSERT_TRUE(file.Open().ok());
  ASSERT_TRUE(file.Append("12345678"));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit tight{12, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  EXPECT_FALSE(file.Append("abcdefgh"));
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(Content(file.path()), "12345678");
  EXPECT_TRUE(file.Append("ijkl"));
  EXPECT_EQ(Content(file.path()), "12345678ijkl");
}

}  // namespace
}  // namespace kubemu
