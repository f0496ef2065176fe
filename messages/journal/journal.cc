#include "messages/journal/journal.h"

#include <google/protobuf/io/coded_stream.h>

#include <bit>
#include <cstring>

#include "messages/core/strings.h"
#include "messages/journal/describe.h"

namespace kubemu {

namespace {

static_assert(std::endian::native == std::endian::little, "journal lengths are little-endian");
constexpr size_t kLengthBytes = sizeof(uint32_t);  // before each batch

// `batch` begins with room for its length.
void PutLength(std::string* batch) {
  const auto size = static_cast<uint32_t>(batch->size() - kLengthBytes);
  std::memcpy(batch->data(), &size, kLengthBytes);
}

std::string GapBatch(uint64_t lost_records) {
  bus::JournalRecord gap;
  gap.set_event(bus::JournalRecord::GAP);
  gap.set_lamport(lost_records);
  std::string batch(kLengthBytes, '\0');
  RecordEncoder().Append(gap, &batch);
  PutLength(&batch);
  return batch;
}

// False: a record does not parse.
bool ReadBatch(std::string_view batch, std::vector<bus::JournalRecord>* records) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(batch.data()),
                                            static_cast<int>(batch.size()));
  RecordDecoder decoder;
  while (in.CurrentPosition() < static_cast<int>(batch.size())) {
    if (!decoder.Take(&in, &records->emplace_back())) return false;
  }
  return true;
}

}  // namespace

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
  if (buffer_.empty()) buffer_.resize(kLengthBytes);
  encoder_.Append(record, &buffer_);
  ++buffered_records_;
  if (buffer_.size() >= kJournalBufferMax) Flush();
}

void Journal::Flush() {
  if (buffer_.empty()) return;
  PutLength(&buffer_);
  if (lost_records_ > 0) buffer_.insert(0, GapBatch(lost_records_));
  if (sink_->Append(buffer_)) {
    lost_records_ = 0;
  } else {
    lost_records_ += buffered_records_;
  }
  buffer_.clear();
  encoder_.Reset();
  buffered_records_ = 0;
}

std::optional<JournalBatch> PeekBatch(std::string_view bytes, size_t at) {
  uint32_t size = 0;
  if (at > bytes.size() || bytes.size() - at < kLengthBytes) return std::nullopt;
  std::memcpy(&size, bytes.data() + at, kLengthBytes);
  at += kLengthBytes;
  if (size > bytes.size() - at) return std::nullopt;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data() + at),
                                            static_cast<int>(size));
  bus::JournalRecord first;
  JournalBatch batch{at + size};
  if (RecordDecoder().Take(&in, &first)) batch.wall = WallTime(Duration(first.wall_ns()));
  return batch;
}

size_t ReadJournal(std::string_view bytes, std::vector<bus::JournalRecord>* records,
                   std::string* error) {
  size_t at = 0;
  uint32_t size = 0;
  while (bytes.size() - at >= kLengthBytes) {
    std::memcpy(&size, bytes.data() + at, kLengthBytes);
    if (size > bytes.size() - at - kLengthBytes) break;
    const size_t before = records->size();
    if (!ReadBatch(bytes.substr(at + kLengthBytes, size), records)) {
      records->resize(before);
      *error = StrCat("the batch of journal records at byte ", at, " does not parse");
      return at;
    }
    at += kLengthBytes + size;
  }
  return at;
}

}  // namespace kubemu
