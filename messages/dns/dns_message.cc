#include "messages/dns/dns_message.h"

#include <utility>

#include "messages/core/strings.h"

namespace kubemu::dns {
namespace {

// Bits of the header's second word.
constexpr uint16_t kQr = 0x8000;
constexpr uint16_t kAa = 0x0400;
constexpr uint16_t kTc = 0x0200;
constexpr uint16_t kRd = 0x0100;
constexpr uint16_t kRa = 0x0080;
constexpr uint16_t kAd = 0x0020;
constexpr uint16_t kCd = 0x0010;
constexpr uint32_t kDnssecOk = 0x8000;  // in OPT's TTL
constexpr size_t kOptBytes = 11;        // of an OPT record without options
constexpr size_t kTextMax = 255;
constexpr int kSummaryAnswersMax = 3;

class Reader {
 public:
  explicit Reader(std::string_view packet) : packet_(packet) {}

  bool ok() const { return ok_; }
  size_t at() const { return at_; }
  bool AtEnd() const { return at_ == packet_.size(); }

  uint8_t Byte() { return static_cast<uint8_t>(Number(1)); }
  uint16_t Short() { return static_cast<uint16_t>(Number(2)); }
  uint32_t Long() { return Number(4); }
  std::string Name() {
    std::string name;
    ok_ = ok_ && ReadName(packet_, &at_, &name);
    return name;
  }
  std::string Bytes(size_t count) {
    ok_ = ok_ && packet_.size() - at_ >= count;
    if (!ok_) return "";
    at_ += count;
    return std::string(packet_.substr(at_ - count, count));
  }

 private:
  uint32_t Number(size_t bytes) {
    ok_ = ok_ && packet_.size() - at_ >= bytes;
    if (!ok_) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
      value = value << 8 | static_cast<unsigned char>(packet_[at_++]);
    }
    return value;
  }

  std::string_view packet_;
  size_t at_ = 0;
  bool ok_ = true;
};

Header HeaderOf(uint16_t id, uint16_t flags) {
  Header header;
  header.id = id;
  header.response = (flags & kQr) != 0;
  header.opcode = static_cast<uint8_t>(flags >> 11 & 15);
  header.authoritative = (flags & kAa) != 0;
  header.truncated = (flags & kTc) != 0;
  header.recursion_desired = (flags & kRd) != 0;
  header.recursion_available = (flags & kRa) != 0;
  header.authentic_data = (flags & kAd) != 0;
  header.checking_disabled = (flags & kCd) != 0;
  header.rcode = flags & 15;
  return header;
}

// The data of a record, which has to end at `end`.
void ReadData(size_t end, Reader* in, Record* record) {
  switch (record->type) {
    case kA:
      record->address = Ipv4(in->Long());
      break;
    case kNs:
    case kCname:
    case kPtr:
      record->target = in->Name();
      break;
    case kSrv:
      record->srv.priority = in->Short();
      record->srv.weight = in->Short();
      record->srv.port = in->Short();
      record->target = in->Name();
      break;
    case kSoa:
      record->soa.mname = in->Name();
      record->soa.rname = in->Name();
      record->soa.serial = in->Long();
      record->soa.refresh = in->Long();
      record->soa.retry = in->Long();
      record->soa.expire = in->Long();
      record->soa.minimum = in->Long();
      break;
    case kTxt:
      while (in->ok() && in->at() < end) record->text.push_back(in->Bytes(in->Byte()));
      break;
    default:
      record->raw = in->Bytes(end - in->at());
  }
}

// False: it is none, or a second OPT record.
bool ReadRecord(std::string_view packet, Reader* in, bool additional, Message* message,
                std::vector<Record>* records) {
  Record record;
  record.name = in->Name();
  record.type = in->Short();
  record.rclass = in->Short();
  record.ttl = in->Long();
  const size_t length = in->Short();
  if (!in->ok() || packet.size() - in->at() < length) return false;
  const size_t end = in->at() + length;
  if (record.type == kOpt) {
    if (!additional || message->edns || !record.name.empty()) return false;
    Edns edns;
    edns.udp_bytes = record.rclass;
    edns.version = static_cast<uint8_t>(record.ttl >> 16);
    edns.dnssec_ok = (record.ttl & kDnssecOk) != 0;
    message->edns = edns;
    message->header.rcode |= static_cast<uint16_t>(record.ttl >> 24 << 4);
    in->Bytes(length);
    return true;
  }
  ReadData(end, in, &record);
  if (!in->ok() || in->at() != end) return false;
  records->push_back(std::move(record));
  return true;
}

class Writer {
 public:
  std::string& packet() { return packet_; }

  void Short(uint32_t value) {
    packet_.push_back(static_cast<char>(value >> 8 & 255));
    packet_.push_back(static_cast<char>(value & 255));
  }
  void Long(uint32_t value) {
    Short(value >> 16);
    Short(value & 0xffff);
  }
  bool Name(std::string_view name) { return AppendName(name, &known_, &packet_); }
  // RFC 2782: no pointers in the target of SRV.
  bool PlainName(std::string_view name) { return AppendName(name, nullptr, &packet_); }

  // Back to an earlier length; pointers to what stood behind it are forgotten.
  void Shrink(size_t size) {
    packet_.resize(size);
    std::erase_if(known_, [&](const auto& entry) { return entry.second >= size; });
  }
  void SetShort(size_t at, uint32_t value) {
    packet_[at] = static_cast<char>(value >> 8 & 255);
    packet_[at + 1] = static_cast<char>(value & 255);
  }

 private:
  std::string packet_;
  NameOffsets known_;
};

bool WriteData(const Record& record, Writer* out) {
  switch (record.type) {
    case kA:
      out->Long(record.address.bits());
      return true;
    case kNs:
    case kCname:
    case kPtr:
      return out->Name(record.target);
    case kSrv:
      out->Short(record.srv.priority);
      out->Short(record.srv.weight);
      out->Short(record.srv.port);
      return out->PlainName(record.target);
    case kSoa: {
      if (!out->Name(record.soa.mname) || !out->Name(record.soa.rname)) return false;
      const Soa& soa = record.soa;
      for (uint32_t number : {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum}) {
        out->Long(number);
      }
      return true;
    }
    case kTxt:
      for (const std::string& text : record.text) {
        if (text.size() > kTextMax) return false;
        out->packet().push_back(static_cast<char>(text.size()));
        out->packet().append(text);
      }
      return true;
    default:
      out->packet().append(record.raw);
      return true;
  }
}

// False, with nothing written, if it is not fit to be written.
bool WriteRecord(const Record& record, Writer* out) {
  const size_t start = out->packet().size();
  bool ok = out->Name(record.name);
  out->Short(record.type);
  out->Short(record.rclass);
  out->Long(record.ttl);
  const size_t length_at = out->packet().size();
  out->Short(0);
  ok = ok && WriteData(record, out);
  const size_t length = out->packet().size() - length_at - 2;
  if (!ok || length > 0xffff) {
    out->Shrink(start);
    return false;
  }
  out->SetShort(length_at, static_cast<uint32_t>(length));
  return true;
}

uint16_t FlagsOf(const Header& header) {
  uint16_t flags = static_cast<uint16_t>((header.opcode & 15) << 11 | (header.rcode & 15));
  if (header.response) flags |= kQr;
  if (header.authoritative) flags |= kAa;
  if (header.truncated) flags |= kTc;
  if (header.recursion_desired) flags |= kRd;
  if (header.recursion_available) flags |= kRa;
  if (header.authentic_data) flags |= kAd;
  if (header.checking_disabled) flags |= kCd;
  return flags;
}

void WriteOpt(const Message& message, Writer* out) {
  const Edns& edns = *message.edns;
  out->packet().push_back('\0');
  out->Short(kOpt);
  out->Short(edns.udp_bytes);
  out->Long(static_cast<uint32_t>(message.header.rcode >> 4) << 24 |
            static_cast<uint32_t>(edns.version) << 16 | (edns.dnssec_ok ? kDnssecOk : 0));
  out->Short(0);
}

std::string RecordText(const Record& record) {
  switch (record.type) {
    case kA:
      return record.address.ToString();
    case kSrv:
      return StrCat(record.target, ":", record.srv.port);
    case kNs:
    case kCname:
    case kPtr:
      return record.target;
    default:
      return TypeName(record.type);
  }
}

}  // namespace

std::string TypeName(uint16_t type) {
  static constexpr std::pair<uint16_t, std::string_view> kNames[] = {
      {kA, "A"},       {kNs, "NS"},     {kCname, "CNAME"}, {kSoa, "SOA"}, {kPtr, "PTR"},
      {kMx, "MX"},     {kTxt, "TXT"},   {kAaaa, "AAAA"},   {kSrv, "SRV"}, {kOpt, "OPT"},
      {kIxfr, "IXFR"}, {kAxfr, "AXFR"}, {kAny, "ANY"}};
  for (const auto& [number, name] : kNames) {
    if (number == type) return std::string(name);
  }
  return StrCat("TYPE", type);
}

std::string RcodeName(uint16_t rcode) {
  static constexpr std::string_view kNames[] = {"NOERROR",  "FORMERR", "SERVFAIL",
                                                "NXDOMAIN", "NOTIMP",  "REFUSED"};
  if (rcode < std::size(kNames)) return std::string(kNames[rcode]);
  return rcode == kBadVers ? "BADVERS" : StrCat("RCODE", rcode);
}

std::optional<HeaderAndCounts> ParseHeader(std::string_view packet) {
  Reader in(packet);
  const uint16_t id = in.Short();
  HeaderAndCounts result{HeaderOf(id, in.Short()), {}};
  for (uint16_t& count : result.counts) count = in.Short();
  if (!in.ok()) return std::nullopt;
  return result;
}

absl::StatusOr<Message> Parse(std::string_view packet) {
  const auto bad = [](std::string_view what) {
    return absl::InvalidArgumentError(StrCat("not a DNS message: ", what));
  };
  const auto header = ParseHeader(packet);
  if (!header) return bad("shorter than its header");
  Message message;
  message.header = header->header;
  Reader in(packet);
  in.Bytes(kHeaderBytes);
  for (int i = 0; i < header->counts[0]; ++i) {
    Question question;
    question.name = in.Name();
    question.type = in.Short();
    question.qclass = in.Short();
    if (!in.ok()) return bad(StrCat("question ", i + 1, " is damaged"));
    message.questions.push_back(std::move(question));
  }
  std::vector<Record>* const sections[] = {&message.answers, &message.authorities,
                                           &message.additionals};
  static constexpr std::string_view kSections[] = {"answer", "authority", "additional"};
  for (size_t section = 0; section < 3; ++section) {
    for (int i = 0; i < header->counts[section + 1]; ++i) {
      if (!ReadRecord(packet, &in, section == 2, &message, sections[section])) {
        return bad(StrCat(kSections[section], " record ", i + 1, " is damaged"));
      }
    }
  }
  if (!in.AtEnd()) return bad("bytes behind its end");
  return message;
}

std::string Build(const Message& message, size_t bytes_max) {
  Writer out;
  out.Short(message.header.id);
  out.Short(FlagsOf(message.header));
  for (int i = 0; i < 4; ++i) out.Short(0);
  uint32_t questions = 0;
  for (const Question& question : message.questions) {
    if (!out.Name(question.name)) continue;
    out.Short(question.type);
    out.Short(question.qclass);
    ++questions;
  }
  out.SetShort(4, questions);
  const size_t room = bytes_max - (message.edns ? kOptBytes : 0);
  bool truncated = false;
  const std::vector<Record>* const sections[] = {&message.answers, &message.authorities,
                                                 &message.additionals};
  for (size_t section = 0; section < 3; ++section) {
    uint32_t count = 0;
    for (const Record& record : *sections[section]) {
      if (truncated) break;
      const size_t before = out.packet().size();
      if (!WriteRecord(record, &out)) continue;
      if (out.packet().size() > room) {
        out.Shrink(before);
        truncated = true;
        break;
      }
      ++count;
    }
    out.SetShort(6 + 2 * section, count);
    if (section == 2 && message.edns) {
      WriteOpt(message, &out);
      out.SetShort(10, count + 1);
    }
  }
  if (truncated) out.SetShort(2, FlagsOf(message.header) | kTc);
  return std::move(out.packet());
}

std::string Summary(std::string_view packet) {
  const absl::StatusOr<Message> message = Parse(packet);
  if (!message.ok() || message->questions.empty()) return "";
  const Question& question = message->questions[0];
  const std::string asked = StrCat(TypeName(question.type), " ", question.name);
  if (!message->header.response) return asked;
  std::string text = StrCat(asked, ": ", RcodeName(message->header.rcode));
  int shown = 0;
  for (const Record& record : message->answers) {
    if (++shown > kSummaryAnswersMax) return text + " ...";
    StrAppend(&text, " ", RecordText(record));
  }
  return text;
}

}  // namespace kubemu::dns
