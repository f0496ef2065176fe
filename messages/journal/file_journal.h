#ifndef KUBEMU_MESSAGES_JOURNAL_FILE_JOURNAL_H_
#define KUBEMU_MESSAGES_JOURNAL_FILE_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "messages/journal/journal.h"

namespace kubemu {

// A journal in files: <directory>/<process>-<epoch>.<segment>.kmj, segments numbered 00001,
// 00002, ... A segment that has grown past segment_bytes_max is closed and the next one begun; only
// the newest segments_max of this incarnation are kept.
class FileJournal : public JournalSink {
 public:
  static constexpr size_t kSegmentBytesMax = 64 << 20;
  static constexpr size_t kSegmentsMax = 8;

  struct Options {
    std::string directory;
    std::string process;
    uint64_t epoch = 1;
    size_t segment_bytes_max = kSegmentBytesMax;
    size_t segments_max = kSegmentsMax;
  };

  explicit FileJournal(Options options) : options_(std::move(options)) {}
  ~FileJournal() override;
  FileJournal(const FileJournal&) = delete;
  FileJournal& operator=(const FileJournal&) = delete;

  // Makes the directory and the first segment. The error names the path and the reason.
  absl::Status Open();

  // False, and nothing is written, if the file could not take all of it (a full disk): a torn
  // record never stays. Tries again with the next records.
  bool Append(std::string_view records) override;

  // Of the current segment.
  std::string path() const { return PathOf(segment_); }

 private:
  std::string PathOf(uint64_t segment) const;
  absl::Status OpenSegment();

  const Options options_;
  int file_ = -1;
  uint64_t segment_ = 0;
  size_t size_ = 0;  // bytes in the current segment
  std::deque<uint64_t> kept_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_JOURNAL_FILE_JOURNAL_H_
