#ifndef KUBEMU_LAB_OBSERVE_JOURNAL_FILES_H_
#define KUBEMU_LAB_OBSERVE_JOURNAL_FILES_H_

#include <cstdint>
#include <filesystem>
#include <map>

#include "absl/status/status.h"
#include "lab/observe/message_log.h"

namespace kubemu {

// Reads the journal files of a cluster into a MessageLog, now and again: each Read takes what was
// appended since the last one.
class JournalFiles {
 public:
  explicit JournalFiles(std::filesystem::path dir) : dir_(std::move(dir)) {}

  // NotFound if there is no such folder or no journal in it; DataLoss, naming file and byte, for a
  // record that does not parse (what comes before it was added).
  absl::Status Read(MessageLog* log);

 private:
  const std::filesystem::path dir_;
  std::map<std::filesystem::path, uint64_t> read_;  // bytes taken of each file
};

}  // namespace kubemu

#endif  // KUBEMU_LAB_OBSERVE_JOURNAL_FILES_H_
