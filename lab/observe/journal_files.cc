#include "lab/observe/journal_files.h"

#include <fstream>
#include <string>
#include <vector>

#include "messages/core/strings.h"
#include "messages/journal/journal.h"

namespace kubemu {

absl::Status JournalFiles::Read(MessageLog* log) {
  namespace fs = std::filesystem;
  std::error_code error;
  bool any = false;
  absl::Status status = absl::OkStatus();
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(dir_, error)) {
    if (entry.path().extension() != ".kmj") continue;
    any = true;
    uint64_t& taken = read_[entry.path()];
    std::ifstream in(entry.path(), std::ios::binary);
    in.seekg(static_cast<std::streamoff>(taken));
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    std::vector<bus::JournalRecord> records;
    std::string problem;
    const size_t used = ReadJournal(bytes, &records, &problem);
    log->Add(records);
    if (!problem.empty()) {
      status =
          absl::DataLossError(StrCat(entry.path().string(), ", from byte ", taken, ": ", problem));
    }
    taken += used;
  }
  if (!any) {
    return absl::NotFoundError(StrCat("there is no journal in ", dir_.string(),
                                      ": is the cluster's name right, and was it ever started?"));
  }
  return status;
}

}  // namespace kubemu
