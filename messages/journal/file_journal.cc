#include "messages/journal/file_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <system_error>
#include <tuple>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr char kSegmentSuffix[] = ".kmj";

bool ParseSegmentNumber(std::string_view text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<JournalSegment> ParseSegmentPath(const std::filesystem::path& path) {
  if (path.extension() != kSegmentSuffix) return std::nullopt;
  const std::string name = path.stem().string();
  const size_t dot = name.find('.');
  JournalSegment segment{path, path.parent_path().filename().string()};
  if (dot == std::string::npos ||
      !ParseSegmentNumber(std::string_view(name).substr(0, dot), &segment.epoch) ||
      !ParseSegmentNumber(std::string_view(name).substr(dot + 1), &segment.number)) {
    return std::nullopt;
  }
  return segment;
}

std::vector<JournalSegment> ListSegments(const std::filesystem::path& folder, uint64_t last_epoch) {
  namespace fs = std::filesystem;
  std::vector<JournalSegment> segments;
  std::error_code error;
  // Not a range-based for: that throws when the folder goes away meanwhile.
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    if (auto segment = ParseSegmentPath(at->path())) segments.push_back(*std::move(segment));
  }
  const auto key = [last_epoch](const JournalSegment& segment) {
    return std::tuple(segment.epoch == last_epoch, segment.epoch, segment.number);
  };
  std::sort(segments.begin(), segments.end(),
            [&key](const auto& a, const auto& b) { return key(a) < key(b); });
  return segments;
}

FileJournal::~FileJournal() {
  if (file_ >= 0) ::close(file_);
}

std::string FileJournal::PathOf(uint64_t segment) const {
  const std::string number = std::to_string(segment);
  const std::string zeros(number.size() < 5 ? 5 - number.size() : 0, '0');
  return (folder_ / StrCat(options_.epoch, ".", zeros, number, kSegmentSuffix)).string();
}

absl::Status FileJournal::Open() {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) {
    return absl::UnavailableError(
        StrCat("cannot make the journal directory ", folder_.string(), ": ", error.message()));
  }
  return OpenSegment();
}

absl::Status FileJournal::OpenSegment() {
  const std::string path = PathOf(segment_ + 1);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) {
    return absl::UnavailableError(
        StrCat("cannot write the journal ", path, ": ", std::strerror(errno)));
  }
  if (file_ >= 0) ::close(file_);
  file_ = file;
  ++segment_;
  size_ = 0;
  DeleteOldest();
  return absl::OkStatus();
}

// The folder is read each time, as other incarnations have left their files there. It holds
// segments_max of them at most, and this happens once in segment_bytes_max bytes.
void FileJournal::DeleteOldest() const {
  // Own files come last even if the wall clock, which epochs are taken from, was set back.
  const std::vector<JournalSegment> segments = ListSegments(folder_, options_.epoch);
  for (size_t i = 0; i + options_.segments_max < segments.size(); ++i) {
    if (segments[i].path != path()) ::unlink(segments[i].path.c_str());
  }
}

bool FileJournal::Append(std::string_view records) {
  const bool full = size_ > 0 && size_ + records.size() > options_.segment_bytes_max;
  if (full || file_ < 0) {
    if (!OpenSegment().ok()) return false;
  }
  size_t done = 0;
  while (done < records.size()) {
    const ssize_t written = ::write(file_, records.data() + done, records.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // Back to the last whole record. If even that fails, this segment is given up.
      if (done > 0 && ::ftruncate(file_, static_cast<off_t>(size_)) != 0) {
        ::close(file_);
        file_ = -1;
      }
      return false;
    }
    done += static_cast<size_t>(written);
  }
  size_ += records.size();
  return true;
}

}  // namespace kubemu
