#include "lab/observe/journal_files.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "messages/core/strings.h"
#include "messages/journal/file_journal.h"
#include "messages/journal/journal.h"
#include "messages/message.h"

namespace kubemu {
namespace {

namespace fs = std::filesystem;

// Reading back goes in steps, each as long as all before it, until this; then all is read.
constexpr Duration kLongAgo = std::chrono::hours(24 * 366);

// Empty if the file is gone.
std::string ReadRange(const fs::path& path, uint64_t from, uint64_t to) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return "";
  const auto size = static_cast<uint64_t>(std::max<std::streamoff>(in.tellg(), 0));
  to = std::min(to, size);
  if (from >= to) return "";
  std::string bytes(to - from, '\0');
  in.seekg(static_cast<std::streamoff>(from));
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(in.gcount()));
  return bytes;
}

// Adds the batches in `bytes`, which begin at byte `at` of the file. *used: how many bytes.
absl::Status AddBatches(const fs::path& path, uint64_t at, std::string_view bytes, MessageLog* log,
                        size_t* used) {
  std::vector<bus::JournalRecord> records;
  std::string problem;
  *used = ReadJournal(bytes, &records, &problem);
  log->Add(records);
  if (problem.empty()) return absl::OkStatus();
  return absl::DataLossError(StrCat(path.string(), ", from byte ", at, ": ", problem));
}

std::optional<WallTime> ModifiedAt(const fs::path& path) {
  std::error_code error;
  const fs::file_time_type time = fs::last_write_time(path, error);
  if (error) return std::nullopt;
  const auto system = std::chrono::file_clock::to_sys(time).time_since_epoch();
  return WallTime(std::chrono::duration_cast<Duration>(system));
}

}  // namespace

bool JournalFiles::List() {
  Files found;
  std::error_code error;
  // Not range-based for loops: those throw when a folder goes away meanwhile.
  for (fs::recursive_directory_iterator at(dir_, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::optional<JournalSegment> segment = ParseSegmentPath(at->path());
    if (!segment) continue;
    const auto known = files_.find(at->path());
    File file;
    if (known != files_.end()) file = std::move(known->second);
    file.process = std::move(segment->process);
    found.emplace(at->path(), std::move(file));
  }
  files_ = std::move(found);
  return !files_.empty();
}

absl::Status JournalFiles::NoJournal() const {
  return absl::NotFoundError(StrCat("there is no journal in ", dir_.string(),
                                    ": is the cluster's name right, and was it ever started?"));
}

absl::Status JournalFiles::Read(MessageLog* log) {
  if (!List()) return NoJournal();
  absl::Status status = absl::OkStatus();
  for (auto& [path, file] : files_) {
    std::error_code error;
    const uint64_t size = fs::file_size(path, error);
    if (error || size <= file.end) continue;  // gone, or nothing new
    const std::string bytes = ReadRange(path, file.end, size);
    size_t used = 0;
    status.Update(AddBatches(path, file.end, bytes, log, &used));
    file.end += used;
  }
  return status;
}

absl::Status JournalFiles::ReadLast(MessageLog* log, const MessageFilter& filter, size_t count) {
  if (!List()) return NoJournal();
  WallTime newest = WallTime::min();
  for (auto& [path, file] : files_) {
    // The size first: what is appended after it makes the file newer, so that it is read.
    std::error_code error;
    const uint64_t size = fs::file_size(path, error);
    if (error) continue;  // gone
    file.begin = file.end = size;
    file.modified = ModifiedAt(path).value_or(WallTime::min());
    newest = std::max(newest, file.modified);
  }
  absl::Status status = absl::OkStatus();
  for (Duration back = kClockMargin;; back *= 2) {
    const WallTime from = back > kLongAgo ? WallTime::min() : newest - back;
    bool unread = false;
    for (auto& [path, file] : files_) {
      // A record is not younger than its file, but for the margin.
      if (file.begin > 0 && (from == WallTime::min() || file.modified >= from - kClockMargin)) {
        status.Update(TakeBack(path, from, &file, log));
      }
      unread = unread || file.begin > 0;
    }
    if (!unread || IsEnough(log, filter, count, from)) return status;
  }
}

absl::Status JournalFiles::TakeBack(const fs::path& path, WallTime from, File* file,
                                    MessageLog* log) {
  const std::string bytes = ReadRange(path, 0, file->begin);
  size_t start = 0;
  size_t end = 0;
  // Batches are in the order of time. What a clock that was set back made counts as newer, as does
  // a gap record, so that rather too much is read.
  WallTime time = WallTime::min();
  while (const std::optional<JournalBatch> batch = PeekBatch(bytes, end)) {
    time = std::max(time, batch->wall);
    if (time <= from) start = end;
    end = batch->end;
  }
  // The last batch may be unfinished: it is left to Read.
  if (file->begin == file->end) file->end = end;
  file->begin = start;
  size_t used = 0;
  return AddBatches(path, start, std::string_view(bytes).substr(start, end - start), log, &used);
}

bool JournalFiles::IsEnough(MessageLog* log, const MessageFilter& filter, size_t count,
                            WallTime from) const {
  const std::vector<SeenMessage*>& ordered = log->Ordered();
  for (auto at = ordered.rbegin(); at != ordered.rend() && count > 0; ++at) {
    const SeenMessage& message = **at;
    if (message.sent < from + kClockMargin) return false;
    if (!filter.Matches(message)) continue;
    // It was under way for so long that its sender's record is not among those read: without it,
    // it stands at the time of its arrival, which is too late.
    if (message.between_processes() && !message.sent_known && HasUnread(ProcessOf(message.from))) {
      return false;
    }
    --count;
  }
  return count == 0;
}

bool JournalFiles::HasUnread(std::string_view process) const {
  return std::any_of(files_.begin(), files_.end(), [process](const auto& entry) {
    return entry.second.process == process && entry.second.begin > 0;
  });
}

}  // namespace kubemu
