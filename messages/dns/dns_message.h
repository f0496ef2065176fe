#ifndef KUBEMU_MESSAGES_DNS_DNS_MESSAGE_H_
#define KUBEMU_MESSAGES_DNS_DNS_MESSAGE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "messages/core/ip.h"
#include "messages/dns/dns_name.h"

// The wire format of DNS (RFC 1035, RFC 2782 SRV, RFC 6891 EDNS), both ways, as pure functions.
namespace kubemu::dns {

enum Type : uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kOpt = 41,
  kIxfr = 251,
  kAxfr = 252,
  kAny = 255,
};
// "A", "SRV"; "TYPE65" for others (RFC 3597).
std::string TypeName(uint16_t type);

enum Rcode : uint16_t {
  kNoError = 0,
  kFormErr = 1,
  kServFail = 2,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5,
  kBadVers = 16,
};
// "NOERROR", "NXDOMAIN", "RCODE9".
std::string RcodeName(uint16_t rcode);

constexpr uint16_t kClassIn = 1;
constexpr uint8_t kOpcodeQuery = 0;
constexpr size_t kHeaderBytes = 12;
constexpr size_t kUdpBytesMax = 512;  // without EDNS
constexpr size_t kTcpBytesMax = 65'535;

// The first 12 bytes.
struct Header {
  uint16_t id = 0;
  bool response = false;
  uint8_t opcode = kOpcodeQuery;
  bool authoritative = false;
  bool truncated = false;
  bool recursion_desired = false;
  bool recursion_available = false;
  bool authentic_data = false;
  bool checking_disabled = false;
  uint16_t rcode = kNoError;  // with EDNS 12 bits, else 4
  bool operator==(const Header&) const = default;
};

struct Question {
  std::string name;
  uint16_t type = 0;
  uint16_t qclass = kClassIn;
  bool operator==(const Question&) const = default;
};

struct Srv {
  uint16_t priority = 0;
  uint16_t weight = 0;
  uint16_t port = 0;
  bool operator==(const Srv&) const = default;
};
struct Soa {
  std::string mname;
  std::string rname;
  uint32_t serial = 0;
  uint32_t refresh = 0;
  uint32_t retry = 0;
  uint32_t expire = 0;
  uint32_t minimum = 0;
  bool operator==(const Soa&) const = default;
};

// A resource record; which of the last members counts follows from `type`.
struct Record {
  std::string name;
  uint16_t type = 0;
  uint16_t rclass = kClassIn;
  uint32_t ttl = 0;

  Ipv4 address = {};                   // A
  std::string target = {};             // NS, CNAME, PTR, SRV
  Srv srv = {};                        // SRV
  Soa soa = {};                        // SOA
  std::vector<std::string> text = {};  // TXT: strings of at most 255 bytes
  std::string raw = {};                // any other type: the data as it stands on the wire
  bool operator==(const Record&) const = default;
};

// The OPT record, but for its options, which are read past.
struct Edns {
  uint16_t udp_bytes = 0;  // the largest datagram that the sender takes
  uint8_t version = 0;
  bool dnssec_ok = false;
  bool operator==(const Edns&) const = default;
};

struct Message {
  Header header;
  std::vector<Question> questions = {};
  std::vector<Record> answers = {};
  std::vector<Record> authorities = {};
  std::vector<Record> additionals = {};  // without OPT
  std::optional<Edns> edns = {};
  bool operator==(const Message&) const = default;
};

// The header alone and the four counts; none if there are not 12 bytes.
struct HeaderAndCounts {
  Header header;
  std::array<uint16_t, 4> counts;
};
std::optional<HeaderAndCounts> ParseHeader(std::string_view packet);

// The whole message. InvalidArgument says what is wrong: a section that ends early, a name that is
// none, two OPT records, bytes behind the end.
absl::StatusOr<Message> Parse(std::string_view packet);

// The bytes of the message, at most `bytes_max`. What does not fit is left out record by record,
// the last additional one first, then TC is set; OPT stays. A record whose names are none is left
// out without a word. REQUIRES: bytes_max >= kUdpBytesMax; at most one question.
std::string Build(const Message& message, size_t bytes_max);

// For people: "A web.default.svc.cluster.local", "NOERROR 10.96.3.7", "NXDOMAIN ..."; "" if the
// packet is no DNS message.
std::string Summary(std::string_view packet);

}  // namespace kubemu::dns

#endif  // KUBEMU_MESSAGES_DNS_DNS_MESSAGE_H_
