#include "messages/journal/record_codec.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <utility>

namespace kubemu {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using record_codec::LastOfLink;

constexpr size_t kVarintMax = 10;                       // bytes
constexpr size_t kRecordHeadMax = 11 * kVarintMax + 8;  // all that is no string

uint8_t* PutVarint(uint64_t value, uint8_t* at) {
  return CodedOutputStream::WriteVarint64ToArray(value, at);
}

// Differences wrap around: any two values have one.
uint8_t* PutDifference(uint64_t value, uint64_t last, uint8_t* at) {
  return PutVarint(WireFormatLite::ZigZagEncode64(static_cast<int64_t>(value - last)), at);
}

void AppendRange(const uint8_t* begin, const uint8_t* end, std::string* out) {
  out->append(reinterpret_cast<const char*>(begin), static_cast<size_t>(end - begin));
}

void AppendText(const std::string& text, std::string* out) {
  uint8_t size[kVarintMax];
  AppendRange(size, PutVarint(text.size(), size), out);
  out->append(text);
}

bool TakeText(CodedInputStream* in, std::string* text) {
  uint32_t size = 0;
  return in->ReadVarint32(&size) && in->ReadString(text, static_cast<int>(size));
}

bool TakeDifference(CodedInputStream* in, uint64_t last, uint64_t* value) {
  uint64_t difference = 0;
  if (!in->ReadVarint64(&difference)) return false;
  *value = last + static_cast<uint64_t>(WireFormatLite::ZigZagDecode64(difference));
  return true;
}

bool TakeDifference(CodedInputStream* in, int64_t last, int64_t* value) {
  uint64_t unsigned_value = 0;
  if (!TakeDifference(in, static_cast<uint64_t>(last), &unsigned_value)) return false;
  *value = static_cast<int64_t>(unsigned_value);
  return true;
}

uint32_t FlagsOf(const bus::JournalRecord& record, const LastOfLink& last) {
  uint32_t flags = 0;
  if (record.trace_id() == last.trace_id) flags |= record_codec::kSameTrace;
  if (record.bytes() != 0) flags |= record_codec::kBytes;
  if (record.flow() != 0) flags |= record_codec::kFlow;
  if (!record.what().empty()) flags |= record_codec::kWhat;
  if (record.revision() != 0) flags |= record_codec::kRevision;
  if (!record.reason().empty()) flags |= record_codec::kReason;
  return flags;
}

bool TakeOptional(CodedInputStream* in, uint32_t flags, bus::JournalRecord* record) {
  uint64_t number = 0;
  if ((flags & record_codec::kBytes) != 0) {
    if (!in->ReadVarint64(&number)) return false;
    record->set_bytes(static_cast<uint32_t>(number));
  }
  if ((flags & record_codec::kFlow) != 0) {
    if (!in->ReadVarint64(&number)) return false;
    record->set_flow(number);
  }
  if ((flags & record_codec::kRevision) != 0) {
    if (!in->ReadVarint64(&number)) return false;
    record->set_revision(number);
  }
  if ((flags & record_codec::kWhat) != 0 && !TakeText(in, record->mutable_what())) return false;
  return (flags & record_codec::kReason) == 0 || TakeText(in, record->mutable_reason());
}

}  // namespace

void RecordEncoder::Reset() {
  links_.clear();
  last_ = {};
}

void RecordEncoder::Append(const bus::JournalRecord& record, std::string* batch) {
  key_.assign(record.from()).push_back('\0');
  key_.append(record.to());
  const auto [it, is_new] = links_.try_emplace(key_, Link{links_.size(), {}});
  Link& link = it->second;
  const uint32_t flags = FlagsOf(record, link.last);

  uint8_t head[kRecordHeadMax];
  uint8_t* at = PutVarint(static_cast<uint32_t>(record.event()) | flags, head);
  at = PutVarint(static_cast<uint32_t>(record.kind()), at);
  at = PutVarint(link.number, at);
  if (is_new) {
    AppendRange(head, at, batch);
    at = head;
    AppendText(record.from(), batch);
    AppendText(record.to(), batch);
  }
  at = PutDifference(record.id(), link.last.id, at);
  at = PutDifference(record.cause(), link.last.cause, at);
  if ((flags & record_codec::kSameTrace) == 0) {
    at = CodedOutputStream::WriteLittleEndian64ToArray(record.trace_id(), at);
  }
  at = PutDifference(record.lamport(), last_.lamport, at);
  at = PutDifference(static_cast<uint64_t>(record.time_ns()), static_cast<uint64_t>(last_.time_ns),
                     at);
  at = PutDifference(static_cast<uint64_t>(record.wall_ns()), static_cast<uint64_t>(last_.wall_ns),
                     at);
  if ((flags & record_codec::kBytes) != 0) at = PutVarint(record.bytes(), at);
  if ((flags & record_codec::kFlow) != 0) at = PutVarint(record.flow(), at);
  if ((flags & record_codec::kRevision) != 0) at = PutVarint(record.revision(), at);
  AppendRange(head, at, batch);
  if ((flags & record_codec::kWhat) != 0) AppendText(record.what(), batch);
  if ((flags & record_codec::kReason) != 0) AppendText(record.reason(), batch);
  link.last = {record.id(), record.cause(), record.trace_id()};
  last_ = {record.lamport(), record.time_ns(), record.wall_ns()};
}

// Null: there is none.
RecordDecoder::Link* RecordDecoder::TakeLink(CodedInputStream* batch) {
  uint64_t number = 0;
  if (!batch->ReadVarint64(&number) || number > links_.size()) return nullptr;
  if (number < links_.size()) return &links_[number];
  Link link;
  if (!TakeText(batch, &link.from) || !TakeText(batch, &link.to)) return nullptr;
  return &links_.emplace_back(std::move(link));
}

bool RecordDecoder::Take(CodedInputStream* batch, bus::JournalRecord* record) {
  uint32_t head = 0;
  uint32_t kind = 0;
  if (!batch->ReadVarint32(&head) || head >= record_codec::kAfterLast) return false;
  if (!batch->ReadVarint32(&kind)) return false;
  Link* const link = TakeLink(batch);
  if (link == nullptr) return false;
  if (!TakeDifference(batch, link->last.id, &link->last.id)) return false;
  if (!TakeDifference(batch, link->last.cause, &link->last.cause)) return false;
  if ((head & record_codec::kSameTrace) == 0 && !batch->ReadLittleEndian64(&link->last.trace_id)) {
    return false;
  }
  if (!TakeDifference(batch, last_.lamport, &last_.lamport)) return false;
  if (!TakeDifference(batch, last_.time_ns, &last_.time_ns)) return false;
  if (!TakeDifference(batch, last_.wall_ns, &last_.wall_ns)) return false;
  record->Clear();
  record->set_event(
      static_cast<bus::JournalRecord::Event>(head & ((1 << record_codec::kEventBits) - 1)));
  record->set_kind(static_cast<bus::MessageKind>(kind));
  record->set_from(link->from);
  record->set_to(link->to);
  record->set_id(link->last.id);
  record->set_cause(link->last.cause);
  record->set_trace_id(link->last.trace_id);
  record->set_lamport(last_.lamport);
  record->set_time_ns(last_.time_ns);
  record->set_wall_ns(last_.wall_ns);
  return TakeOptional(batch, head, record);
}

}  // namespace kubemu
