#ifndef KUBEMU_MESSAGES_JOURNAL_RECORD_CODEC_H_
#define KUBEMU_MESSAGES_JOURNAL_RECORD_CODEC_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "messages/proto/journal.pb.h"

namespace google::protobuf::io {
class CodedInputStream;
}

namespace kubemu {

// How the records of one batch stand in a journal: 15 to 25 bytes for most of them, a quarter of
// what they take as Protobuf. A record is
//
//   varint   event, and above its 3 bits the flags below
//   varint   kind
//   varint   number of its link (sender and receiver) in this batch, counted from 0; a new link has
//            the next number and is followed by both addresses
//   svarint  id, cause                  as difference to the link's last record
//   fixed64  trace_id                   unless it is that of the link's last record
//   svarint  lamport, time_ns, wall_ns  as difference to the batch's last record
//   bytes, flow, revision as varint, what and reason as string: each only if its flag is set
//
// where varint and svarint (zigzag) are Protobuf's, and a string has its length before it. A batch
// begins with no links and with zeros, so each can be read without those before it.
namespace record_codec {

inline constexpr int kEventBits = 3;
enum Flag : uint32_t {
  kSameTrace = 1 << kEventBits,
  kBytes = kSameTrace << 1,
  kFlow = kBytes << 1,
  kRevision = kFlow << 1,
  kWhat = kRevision << 1,
  kReason = kWhat << 1,
  kAfterLast = kReason << 1,
};

// What the next record is told as difference to.
struct LastOfLink {
  uint64_t id = 0;
  uint64_t cause = 0;
  uint64_t trace_id = 0;
};
struct LastOfBatch {
  uint64_t lamport = 0;
  int64_t time_ns = 0;
  int64_t wall_ns = 0;
};

}  // namespace record_codec

// Writes one batch.
class RecordEncoder {
 public:
  void Append(const bus::JournalRecord& record, std::string* batch);
  // The next record begins a new batch.
  void Reset();

 private:
  struct Link {
    uint64_t number;
    record_codec::LastOfLink last;
  };
  std::unordered_map<std::string, Link> links_;  // by "<from>\0<to>"; looked up, never iterated
  record_codec::LastOfBatch last_;
  std::string key_;  // reused
};

// Reads one batch.
class RecordDecoder {
 public:
  // Takes the next record. False: what stands there is none.
  bool Take(google::protobuf::io::CodedInputStream* batch, bus::JournalRecord* record);

 private:
  struct Link {
    std::string from;
    std::string to;
    record_codec::LastOfLink last;
  };
  Link* TakeLink(google::protobuf::io::CodedInputStream* batch);

  std::vector<Link> links_;
  record_codec::LastOfBatch last_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_JOURNAL_RECORD_CODEC_H_
