#ifndef KUBEMU_LAB_OBSERVE_JOURNAL_FILES_H_
#define KUBEMU_LAB_OBSERVE_JOURNAL_FILES_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "lab/observe/message_log.h"
#include "messages/core/time.h"

namespace kubemu {

// Reads the journal files of a cluster into a MessageLog, now and again: each Read takes what was
// appended since the last one. Files that disappear meanwhile (messages/journal/file_journal.h
// deletes the oldest) are no error; what was taken of them stays in the log.
//
// Both functions: NotFound if there is no such folder or no journal in it; DataLoss, naming file
// and byte, for a record that does not parse (what comes before it was added).
class JournalFiles {
 public:
  // What the processes' clocks may differ by, and how late a record may get into its file, for
  // ReadLast to be exact.
  static constexpr Duration kClockMargin = 2s;

  explicit JournalFiles(std::filesystem::path dir) : dir_(std::move(dir)) {}

  absl::Status Read(MessageLog* log);

  // Reads backwards in time, over all files at once, until the last `count` messages that match
  // are in `log`; a later Read takes what was appended since. The newest segments come first, and
  // of a segment only the batches that are new enough. To be called before Read, on an empty log.
  //
  // The last `count` matching messages of log->Ordered() are then those that reading everything
  // would give, in the same order, each with its fields whole (its cause may be older than the
  // log), provided that no clock was set back and kClockMargin holds. One thing may differ: which
  // messages count as background is told from the beginning of their trace. That of a trace which
  // began before what was read, at least kClockMargin earlier than the first message asked for, is
  // told from its oldest message that was.
  absl::Status ReadLast(MessageLog* log, const MessageFilter& filter, size_t count);

 private:
  struct File {
    std::string process;
    WallTime modified{};
    uint64_t begin = 0;  // [begin, end): the bytes that were taken
    uint64_t end = 0;
  };
  using Files = std::map<std::filesystem::path, File>;

  // Finds new files and forgets those that are gone. False: there are none.
  bool List();
  absl::Status NoJournal() const;
  // Takes the batches before file.begin that may hold records made at `from` or later.
  absl::Status TakeBack(const std::filesystem::path& path, WallTime from, File* file,
                        MessageLog* log);
  // All records made at `from` or later are in the log: are the last `count` messages among them?
  bool IsEnough(MessageLog* log, const MessageFilter& filter, size_t count, WallTime from) const;
  bool HasUnread(std::string_view process) const;

  const std::filesystem::path dir_;
  Files files_;
};

}  // namespace kubemu

#endif  // KUBEMU_LAB_OBSERVE_JOURNAL_FILES_H_
