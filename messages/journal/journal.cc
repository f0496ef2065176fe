#include "messages/journal/journal.h"

#include <bit>
#include <cstring>

#include "messages/core/strings.h"
#include "messages/journal/describe.h"

namespace kubemu {

static_assert(std::endian::native == std::endian::little, "journal lengths are little-endian");

void Journal::Start(std::string_view process, uint64_t epoch, Time now, WallTime wall) {
  if (sink_ == nullptr) return;
  record_.Clear();
  record_.set_event(bus::JournalRecord::START);
  record_.set_from(std::string(process));
  record_.set_id(epoch);
  record_.set_time_ns(now.time_since_epoch().count());
  record_.set_wall_ns(wall.time_since_epoch().count());
  Write(record_);
}

void Journal::Append(bus::JournalRecord::Event event, const Message& message, Time now,
                     WallTime wall, std::string_view reason) {
  if (sink_ == nullptr) return;
  record_.Clear();
  record_.set_event(event);
  record_.set_id(message.id);
  record_.set_lamport(message.lamport);
  record_.set_trace_id(message.trace.trace_id);
  record_.set_cause(message.trace.cause);
  record_.set_from(message.from);
  record_.set_to(message.to);
  record_.set_kind(message.kind);
  record_.set_time_ns(now.time_since_epoch().count());
  record_.set_wall_ns(wall.time_since_epoch().count());
  if (!reason.empty()) record_.set_reason(std::string(reason));
  Describe(message, &record_);
  Write(record_);
}

void Journal::Write(const bus::JournalRecord& record) {
  const uint32_t size = static_cast<uint32_t>(record.ByteSizeLong());
  const size_t at = buffer_.size();
  buffer_.resize(at + sizeof size + size);
  std::memcpy(buffer_.data() + at, &size, sizeof size);
  record.SerializeWithCachedSizesToArray(
      reinterpret_cast<uint8_t*>(buffer_.data() + at + sizeof size));
  ++buffered_records_;
  if (buffer_.size() >= kJournalBufferMax) Flush();
}

void Journal::Flush() {
  if (buffer_.empty()) return;
  if (lost_records_ > 0) {
    bus::JournalRecord gap;
    gap.set_event(bus::JournalRecord::GAP);
    gap.set_lamport(lost_records_);
    const uint32_t size = static_cast<uint32_t>(gap.ByteSizeLong());
    std::string head(reinterpret_cast<const char*>(&size), sizeof size);
    buffer_.insert(0, head + gap.SerializeAsString());
  }
  if (sink_->Append(buffer_)) {
    lost_records_ = 0;
  } else {
    lost_records_ += buffered_records_;
  }
  buffer_.clear();
  buffered_records_ = 0;
}

size_t ReadJournal(std::string_view bytes, std::vector<bus::JournalRecord>* records,
                   std::string* error) {
  size_t at = 0;
  uint32_t size = 0;
  while (bytes.size() - at >= sizeof size) {
    std::memcpy(&size, bytes.data() + at, sizeof size);
    if (size > bytes.size() - at - sizeof size) break;
    bus::JournalRecord record;
    if (!record.ParseFromArray(bytes.data() + at + sizeof size, static_cast<int>(size))) {
      *error = StrCat("the journal record at byte ", at, " does not parse");
      return at;
    }
    records->push_back(std::move(record));
    at += sizeof size + size;
  }
  return at;
}

}  // namespace kubemu
