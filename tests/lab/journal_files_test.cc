// The lab's reader of journal files: reading on, reading back from the end, and files that go.
#include "lab/observe/journal_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "messages/core/strings.h"
#include "messages/journal/journal.h"
#include "messages/proto/control.pb.h"

namespace kubemu {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr WallTime kStart{Duration(1'700'000'000s)};

WallTime Second(double seconds) {
  return kStart + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

struct Event {
  bus::JournalRecord::Event event = bus::JournalRecord::SENT;
  uint64_t id = 0;
  double second = 0;
  std::string from;
  std::string to;
};

class JournalFilesTest : public testing::Test {
 protected:
  JournalFilesTest()
      : directory_(fs::path(testing::TempDir()) / StrCat("journal-files-", ::getpid())) {
    fs::remove_all(directory_);
  }
  ~JournalFilesTest() override { fs::remove_all(directory_); }

  fs::path PathOf(const std::string& process, int number) const {
    return directory_ / process / StrCat("7.0000", number, ".kmj");
  }
  // Appends the events, a batch each; the file is as old as the last of them.
  void Append(const std::string& process, int number, const std::vector<Event>& events) {
    MemoryJournalSink sink;
    Journal journal(&sink);
    for (const Event& event : events) {
      Message message;
      message.id = event.id;
      message.lamport = event.id;
      message.trace.trace_id = event.id;
      message.from = event.from;
      message.to = event.to;
      message.kind = bus::PING;
      message.body = std::make_shared<bus::Ping>();
      journal.Append(event.event, message, Time{}, Second(event.second));
      journal.Flush();
    }
    fs::create_directories(directory_ / process);
    const fs::path path = PathOf(process, number);
    std::ofstream(path, std::ios::binary | std::ios::app) << sink.bytes();
    const std::chrono::sys_time<Duration> modified(Second(events.back().second).time_since_epoch());
    fs::last_write_time(path, std::chrono::file_clock::from_sys(modified));
  }
  // Three processes for 100 s, ten messages a second of each to the next one, which arrive 1 ms
  // later; a new segment every 20 s.
  void WriteBusyCluster() {
    const std::vector<std::string> names = {"a", "b", "c"};
    for (int segment = 1; segment <= 5; ++segment) {
      for (int p = 0; p < 3; ++p) {
        std::vector<Event> events;
        for (int i = (segment - 1) * 200; i < segment * 200; ++i) {
          const double second = i / 10.0 + p * 0.02;
          const std::string& self = names[static_cast<size_t>(p)];
          const std::string& next = names[static_cast<size_t>((p + 1) % 3)];
          const std::string& last = names[static_cast<size_t>((p + 2) % 3)];
          const auto id = static_cast<uint64_t>(3 * i + p + 1);
          const auto came = static_cast<uint64_t>(3 * i + (p + 2) % 3 + 1);
          events.push_back({bus::JournalRecord::SENT, id, second, self, next});
          events.push_back({bus::JournalRecord::RECEIVED, came,
                            i / 10.0 + (p + 2) % 3 * 0.02 + 0.001, last, self});
        }
        Append(names[static_cast<size_t>(p)], segment, events);
      }
    }
  }
  static std::vector<std::string> Lines(MessageLog& log, const MessageFilter& filter, size_t last) {
    std::vector<std::string> lines;
    for (const SeenMessage* message : log.Ordered()) {
      if (filter.Matches(*message)) lines.push_back(FormatJson(*message));
    }
    if (lines.size() > last) lines.erase(lines.begin(), lines.end() - static_cast<long>(last));
    return lines;
  }

  const fs::path directory_;
};

TEST_F(JournalFilesTest, TheLastMessagesAreThoseOfReadingEverything) {
  WriteBusyCluster();
  MessageLog all;
  ASSERT_TRUE(JournalFiles(directory_).Read(&all).ok());
  ASSERT_EQ(all.size(), 3000u);
  MessageFilter only_b;
  only_b.from = "b";
  for (const MessageFilter& filter : {MessageFilter{}, only_b}) {
    for (size_t count : {1u, 20u, 100u, 700u, 2999u, 5000u}) {
      MessageLog log;
      ASSERT_TRUE(JournalFiles(directory_).ReadLast(&log, filter, count).ok());
      EXPECT_EQ(Lines(log, filter, count), Lines(all, filter, count)) << count;
    }
  }
}

TEST_F(JournalFilesTest, FewMessagesNeedTheNewestBatchesOnly) {
  WriteBusyCluster();
  // Not even looked at: reading it would be an error.
  std::ofstream(PathOf("a", 1), std::ios::binary | std::ios::in)
      << std::string("\2\0\0\0\xff\xff", 6);
  fs::last_write_time(PathOf("a", 1),
                      std::chrono::file_clock::from_sys(
                          std::chrono::sys_time<Duration>(Second(20).time_since_epoch())));
  MessageLog log;
  ASSERT_TRUE(JournalFiles(directory_).ReadLast(&log, {}, 20).ok());
  EXPECT_LT(log.size(), 200u);
  MessageLog more;
  EXPECT_TRUE(absl::IsDataLoss(JournalFiles(directory_).ReadLast(&more, {}, 5000)));
}

TEST_F(JournalFilesTest, AMessageThatWasLongUnderWayStandsWhereItWasSent) {
  Append("a", 1, {{bus::JournalRecord::SENT, 1, 10, "a", "b"}});
  Append("b", 1,
         {{bus::JournalRecord::SENT, 2, 50, "b", "x"},
          {bus::JournalRecord::SENT, 3, 60, "b", "x"},
          {bus::JournalRecord::RECEIVED, 1, 100, "a", "b"}});
  MessageLog log;
  ASSERT_TRUE(JournalFiles(directory_).ReadLast(&log, {}, 1).ok());
  EXPECT_EQ(log.Ordered().back()->id, 3u);
}

TEST_F(JournalFilesTest, ReadGoesOnWhereReadLastBegan) {
  WriteBusyCluster();
  MessageLog log;
  JournalFiles files(directory_);
  ASSERT_TRUE(files.ReadLast(&log, {}, 20).ok());
  const size_t before = log.size();
  ASSERT_TRUE(files.Read(&log).ok());
  EXPECT_EQ(log.size(), before);
  Append("b", 5, {{bus::JournalRecord::SENT, 9001, 101, "b", "x"}});
  Append("b", 6, {{bus::JournalRecord::SENT, 9002, 102, "b", "x"}});
  ASSERT_TRUE(files.Read(&log).ok());
  EXPECT_EQ(log.size(), before + 2);
  EXPECT_EQ(log.Ordered().back()->id, 9002u);
}

TEST_F(JournalFilesTest, AnUnfinishedBatchIsTakenWhenItIsWhole) {
  Append("a", 1, {{bus::JournalRecord::SENT, 1, 1, "a", "b"}});
  Append("a", 2, {{bus::JournalRecord::SENT, 2, 2, "a", "b"}});
  std::ifstream second(PathOf("a", 2), std::ios::binary);
  const std::string batch(std::istreambuf_iterator<char>(second), {});
  const auto append = [&](const std::string& bytes) {
    std::ofstream(PathOf("a", 1), std::ios::binary | std::ios::app) << bytes;
  };
  fs::remove(PathOf("a", 2));
  append(batch.substr(0, 7));
  MessageLog log;
  JournalFiles files(directory_);
  ASSERT_TRUE(files.ReadLast(&log, {}, 5).ok());
  EXPECT_EQ(log.size(), 1u);
  append(batch.substr(7));
  ASSERT_TRUE(files.Read(&log).ok());
  EXPECT_EQ(log.size(), 2u);
}

TEST_F(JournalFilesTest, FilesThatDisappearAreNoError) {
  WriteBusyCluster();
  MessageLog log;
  JournalFiles files(directory_);
  ASSERT_TRUE(files.Read(&log).ok());
  fs::remove(PathOf("a", 1));
  fs::remove_all(directory_ / "c");
  Append("a", 5, {{bus::JournalRecord::SENT, 9001, 101, "a", "x"}});
  ASSERT_TRUE(files.Read(&log).ok());
  EXPECT_EQ(log.size(), 3001u);
  fs::remove_all(directory_);
  EXPECT_TRUE(absl::IsNotFound(files.Read(&log)));
}

TEST_F(JournalFilesTest, WithoutAJournalTheErrorNamesTheFolder) {
  MessageLog log;
  const absl::Status status = JournalFiles(directory_).ReadLast(&log, {}, 1);
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory_.string()));
  EXPECT_THAT(log.Ordered(), IsEmpty());
}

}  // namespace
}  // namespace kubemu
