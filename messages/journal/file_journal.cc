#include "messages/journal/file_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include "messages/core/strings.h"

namespace kubemu {

FileJournal::~FileJournal() {
  if (file_ >= 0) ::close(file_);
}

std::string FileJournal::PathOf(uint64_t segment) const {
  const std::string number = std::to_string(segment);
  const std::string zeros(number.size() < 5 ? 5 - number.size() : 0, '0');
  return StrCat(options_.directory, "/", options_.process, "-", options_.epoch, ".", zeros, number,
                ".kmj");
}

absl::Status FileJournal::Open() {
  std::error_code error;
  std::filesystem::create_directories(options_.directory, error);
  if (error) {
    return absl::UnavailableError(
        StrCat("cannot make the journal directory ", options_.directory, ": ", error.message()));
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
  kept_.push_back(segment_);
  while (kept_.size() > options_.segments_max) {
    ::unlink(PathOf(kept_.front()).c_str());
    kept_.pop_front();
  }
  return absl::OkStatus();
}

bool FileJournal::Append(std::string_view records) {
  if (size_ >= options_.segment_bytes_max || file_ < 0) {
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
