#include "messages/journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "messages/core/strings.h"
#include "messages/journal/file_journal.h"
#include "messages/proto/control.pb.h"

namespace kubemu {
namespace {

namespace fs = std::filesystem;
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
  FileJournal::Options Options() {
    FileJournal::Options options;
    options.directory = directory_.string();
    options.process = "node-1";
    options.epoch = 42;
    return options;
  }
  const fs::path directory_;
};

TEST_F(FileJournalTest, WritesToAFileNamedAfterProcessAndEpoch) {
  FileJournal file(Options());
  ASSERT_TRUE(file.Open().ok());
  EXPECT_TRUE(file.Append("abc"));
  EXPECT_TRUE(file.Append("def"));
  EXPECT_EQ(Content(directory_ / "node-1-42.00001.kmj"), "abcdef");
}

TEST_F(FileJournalTest, RotatesAndKeepsTheNewestSegments) {
  FileJournal::Options options = Options();
  options.segment_bytes_max = 10;
  options.segments_max = 3;
  FileJournal file(options);
  ASSERT_TRUE(file.Open().ok());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(file.Append("0123456789"));
  EXPECT_FALSE(fs::exists(directory_ / "node-1-42.00007.kmj"));
  EXPECT_EQ(Content(directory_ / "node-1-42.00008.kmj"), "0123456789");
  EXPECT_TRUE(fs::exists(directory_ / "node-1-42.00010.kmj"));
  EXPECT_FALSE(fs::exists(directory_ / "node-1-42.00011.kmj"));
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
