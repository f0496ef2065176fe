#ifndef KUBEMU_MESSAGES_JOURNAL_FILE_JOURNAL_H_
#define KUBEMU_MESSAGES_JOURNAL_FILE_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "messages/journal/journal.h"

namespace kubemu {

// A journal in files: <directory>/<process>/<epoch>.<segment>.kmj, segments numbered 00001,
// 00002, ... A segment that could not take the next batch within segment_bytes_max is closed and
// the next one begun. When that makes more than segments_max files in the process's folder, the
// oldest go: first those of other incarnations, by epoch and number, then the own ones. So a
// process keeps at most segments_max * segment_bytes_max bytes (256 MiB, some 12 million messages
// of traffic), however often it was started. A reader may find a file gone that it has seen.
class FileJournal : public JournalSink {
 public:
  // A few batches of the largest size (Journal::kJournalBufferMax) should fit; more makes "the last
  // 20 messages" of many nodes dear, as a reader opens a segment of each.
  static constexpr size_t kSegmentBytesMax = 1 << 20;
  static constexpr size_t kSegmentsMax = 256;  // of a process, over all its incarnations

  struct Options {
    std::string directory;
    std::string process;
    uint64_t epoch = 1;
    size_t segment_bytes_max = kSegmentBytesMax;
    size_t segments_max = kSegmentsMax;
  };

  explicit FileJournal(Options options)
      : options_(std::move(options)),
        folder_(std::filesystem::path(options_.directory) / options_.process) {}
  ~FileJournal() override;
  FileJournal(const FileJournal&) = delete;
  FileJournal& operator=(const FileJournal&) = delete;

  // Makes the folder and the first segment. The error names the path and the reason.
  absl::Status Open();

  // False, and nothing is written, if the file could not take all of it (a full disk): a torn
  // record never stays. Tries again with the next records.
  bool Append(std::string_view records) override;

  // Of the current segment.
  std::string path() const { return PathOf(segment_); }

 private:
  std::string PathOf(uint64_t segment) const;
  absl::Status OpenSegment();
  void DeleteOldest() const;

  const Options options_;
  const std::filesystem::path folder_;
  int file_ = -1;
  uint64_t segment_ = 0;
  size_t size_ = 0;  // bytes in the current segment
};

// One file of a journal, as its name tells.
struct JournalSegment {
  std::filesystem::path path;
  std::string process;
  uint64_t epoch = 0;
  uint64_t number = 0;
};

// Nothing if `path` is not named like a segment.
std::optional<JournalSegment> ParseSegmentPath(const std::filesystem::path& path);
// The segments of one process, those of `last_epoch` behind all others, else by epoch and number.
// None if there is no such folder.
std::vector<JournalSegment> ListSegments(const std::filesystem::path& folder,
                                         uint64_t last_epoch = UINT64_MAX);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_JOURNAL_FILE_JOURNAL_H_
