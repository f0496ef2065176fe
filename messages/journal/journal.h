#ifndef KUBEMU_MESSAGES_JOURNAL_JOURNAL_H_
#define KUBEMU_MESSAGES_JOURNAL_JOURNAL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/time.h"
#include "messages/journal/record_codec.h"
#include "messages/message.h"
#include "messages/proto/journal.pb.h"

namespace kubemu {

// Where a journal's bytes go. Two real ones: a file (messages/journal/file_journal.h) and memory
// (below), for the simulator and tests.
class JournalSink {
 public:
  virtual ~JournalSink() = default;
  // Takes whole batches of records, each with its length before it. False: they could not be
  // written; the journal then writes a gap record with its next ones.
  virtual bool Append(std::string_view batches) = 0;
};

class MemoryJournalSink : public JournalSink {
 public:
  bool Append(std::string_view batches) override {
    bytes_ += batches;
    return true;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// What one process saw of every message. Records are gathered and given to the sink, as one batch,
// by Flush or when kJournalBufferMax is reached.
class Journal {
 public:
  static constexpr size_t kJournalBufferMax = 256 * 1024;  // bytes

  // `sink` is not owned; nullptr: no journal is kept.
  explicit Journal(JournalSink* sink) : sink_(sink) {}

  bool enabled() const { return sink_ != nullptr; }

  // The process begins: its name and epoch.
  void Start(std::string_view process, uint64_t epoch, Time now, WallTime wall);
  // `reason`: of LOST, else empty.
  void Append(bus::JournalRecord::Event event, const Message& message, Time now, WallTime wall,
              std::string_view reason = {});
  void Flush();
  size_t buffered() const { return buffer_.size(); }

 private:
  void Write(const bus::JournalRecord& record);

  JournalSink* sink_;
  std::string buffer_;  // room for the length, then the batch; empty: no record
  RecordEncoder encoder_;
  uint64_t buffered_records_ = 0;
  uint64_t lost_records_ = 0;
  bus::JournalRecord record_;  // reused: no allocation in the steady state
};

// One batch in a journal's bytes.
struct JournalBatch {
  size_t end = 0;   // where the next one begins
  WallTime wall{};  // when its first record was made; zero: a gap record, or it does not parse
};
// The batch that begins at byte `at`, without its records; nothing if no whole batch stands there.
std::optional<JournalBatch> PeekBatch(std::string_view bytes, size_t at);

// Reads the batches at the front of `bytes`; returns how many bytes they took (an unfinished last
// batch stays). A batch that does not parse is an error: *error says at which byte it begins, and
// reading stops before it.
size_t ReadJournal(std::string_view bytes, std::vector<bus::JournalRecord>* records,
                   std::string* error);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_JOURNAL_JOURNAL_H_
