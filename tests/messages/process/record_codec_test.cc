#include "messages/journal/record_codec.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/random.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

using Records = std::vector<bus::JournalRecord>;
using google::protobuf::util::MessageDifferencer;

std::string Encoded(const Records& records, RecordEncoder& encoder) {
  std::string batch;
  for (const bus::JournalRecord& record : records) encoder.Append(record, &batch);
  return batch;
}

// The records before the first that does not parse. *whole: there was none such.
Records Decoded(std::string_view batch, bool* whole) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(batch.data()),
                                            static_cast<int>(batch.size()));
  Records records;
  RecordDecoder decoder;
  bus::JournalRecord record;
  *whole = true;
  while (*whole && in.CurrentPosition() < static_cast<int>(batch.size())) {
    *whole = decoder.Take(&in, &record);
    if (*whole) records.push_back(record);
  }
  return records;
}

void ExpectSame(const Records& got, const Records& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_TRUE(MessageDifferencer::Equals(got[i], wanted[i]))
        << i << ": " << got[i].ShortDebugString() << " is not " << wanted[i].ShortDebugString();
  }
}

bus::JournalRecord FlowRecord(uint64_t id, std::string from, std::string to) {
  bus::JournalRecord record;
  record.set_event(bus::JournalRecord::SENT);
  record.set_id(0x123456'0000000000 + id);
  record.set_lamport(500'000 + id);
  record.set_trace_id(0xfedcba9876543210);
  record.set_cause(0x654321'0000000000 + id);
  record.set_from(std::move(from));
  record.set_to(std::move(to));
  record.set_kind(bus::FLOW_DATA);
  record.set_time_ns(1'000'000'000'000 + static_cast<int64_t>(id) * 20'000);
  record.set_wall_ns(1'800'000'000'000'000'000 + static_cast<int64_t>(id) * 20'000);
  record.set_bytes(330);
  record.set_flow(42);
  return record;
}

// Any values in any field, extremes among them.
bus::JournalRecord AnyRecord(Random& random) {
  const auto number = [&random]() -> uint64_t {
    switch (random.Uniform(4)) {
      case 0:
        return 0;
      case 1:
        return std::numeric_limits<uint64_t>::max();
      case 2:
        return random.Uniform(1000);
      default:
        return random.Next();
    }
  };
  const auto text = [&random] {
    return std::string(random.Uniform(200), random.Uniform(2) ? 'x' : '\0');
  };
  bus::JournalRecord record;
  record.set_event(static_cast<bus::JournalRecord::Event>(random.Uniform(7)));
  record.set_id(number());
  record.set_lamport(number());
  record.set_trace_id(number());
  record.set_cause(number());
  record.set_from(StrCat("process-", random.Uniform(5), "/part"));
  record.set_to(StrCat("process-", random.Uniform(5)));
  record.set_kind(static_cast<bus::MessageKind>(random.Uniform(bus::MessageKind_MAX + 1)));
  record.set_time_ns(static_cast<int64_t>(number()));
  record.set_wall_ns(static_cast<int64_t>(number()));
  record.set_bytes(static_cast<uint32_t>(number()));
  record.set_what(text());
  record.set_revision(number());
  record.set_reason(text());
  record.set_flow(number());
  return record;
}

TEST(RecordCodec, AnyRecordComesBackAsItWas) {
  Random random(1);
  Records records;
  for (int i = 0; i < 2000; ++i) records.push_back(AnyRecord(random));
  RecordEncoder encoder;
  bool whole = false;
  ExpectSame(Decoded(Encoded(records, encoder), &whole), records);
  EXPECT_TRUE(whole);
}

TEST(RecordCodec, TrafficTakesAFewBytesForEachRecord) {
  Records records;
  for (uint64_t id = 0; id < 1000; ++id) {
    records.push_back(id % 2 == 0 ? FlowRecord(id, "lb", "node-2/iptables")
                                  : FlowRecord(id, "node-2/iptables", "node-1/iptables"));
  }
  RecordEncoder encoder;
  EXPECT_LT(Encoded(records, encoder).size(), 20 * records.size());
}

TEST(RecordCodec, ABatchIsReadWithoutThoseBeforeIt) {
  const Records first = {FlowRecord(1, "lb", "node-1/iptables"),
                         FlowRecord(2, "lb", "node-2/iptables")};
  const Records second = {FlowRecord(3, "lb", "node-2/iptables"),
                          FlowRecord(4, "lb", "node-1/iptables")};
  RecordEncoder encoder;
  Encoded(first, encoder);
  encoder.Reset();
  bool whole = false;
  ExpectSame(Decoded(Encoded(second, encoder), &whole), second);
}

TEST(RecordCodec, AddressesThatLookAlikeTogetherAreTwoLinks) {
  const Records records = {FlowRecord(1, "ab", "c"), FlowRecord(2, "a", "bc")};
  RecordEncoder encoder;
  bool whole = false;
  ExpectSame(Decoded(Encoded(records, encoder), &whole), records);
}

TEST(RecordCodec, AFlagOrALinkThatDoesNotExistIsRefused) {
  bool whole = true;
  const std::string flag("\x80\x80\x7f", 3);
  EXPECT_TRUE(Decoded(flag, &whole).empty());
  EXPECT_FALSE(whole);
  const std::string link("\x02\x01\x05", 3);  // SENT, kind 1, link 5 before link 0
  EXPECT_TRUE(Decoded(link, &whole).empty());
  EXPECT_FALSE(whole);
}

TEST(RecordCodec, ACutBatchGivesTheRecordsBeforeTheCut) {
  Records records;
  for (uint64_t id = 0; id < 5; ++id) records.push_back(FlowRecord(id, "lb", "node-1/iptables"));
  RecordEncoder encoder;
  const std::string batch = Encoded(records, encoder);
  for (size_t cut = 0; cut < batch.size(); ++cut) {
    bool whole = false;
    const Records got = Decoded(std::string_view(batch).substr(0, cut), &whole);
    ASSERT_LT(got.size(), records.size());
    ExpectSame(got, Records(records.begin(), records.begin() + static_cast<ptrdiff_t>(got.size())));
  }
}

TEST(RecordCodec, GarbageIsReadToItsEndOrRefused) {
  Random random(2);
  for (int round = 0; round < 2000; ++round) {
    std::string garbage(random.Uniform(100), '\0');
    for (char& byte : garbage) byte = static_cast<char>(random.Uniform(256));
    bool whole = false;
    const Records got = Decoded(garbage, &whole);
    EXPECT_LE(got.size(), garbage.size());  // a record takes more than a byte
  }
}

}  // namespace
}  // namespace kubemu
