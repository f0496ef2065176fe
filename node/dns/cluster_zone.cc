#include "node/dns/cluster_zone.h"

#include <algorithm>
#include <set>
#include <utility>

#include "messages/core/strings.h"
#include "node/dns/zone_lookup.h"

namespace kubemu::dns {
namespace {

constexpr std::string_view kReverseZones[] = {"in-addr.arpa", "ip6.arpa"};
constexpr uint32_t kVersionTtl = 28'800;
constexpr std::string_view kSchemaVersion = "1.1.0";
constexpr uint32_t kSoaTtlMax = 300;
constexpr int kAliasesMax = 7;  // a chain of ExternalNames
constexpr uint8_t kOpcodeNotify = 4;
constexpr size_t kDatagramBytesMax = 65'507;  // whatever a query allows
constexpr uint16_t kAdditionalMax = 2;        // of a query: OPT and TSIG

// One question to one zone.
class ZoneQuery {
 public:
  ZoneQuery(const ClusterRecords& records, const ZoneOptions& options, const Question& question,
            std::string_view zone)
      : records_(records), options_(options), question_(question), zone_(zone) {
    name_ = AsciiLower(question.name);
  }

  ZoneAnswer Forward();
  ZoneAnswer Reverse();

 private:
  Record Make(const std::string& name, uint16_t type) const {
    return {.name = name, .type = type, .ttl = options_.ttl};
  }
  Record Address(const std::string& name, Ipv4 ip) const {
    Record record = Make(name, kA);
    record.address = ip;
    return record;
  }
  Record Target(const std::string& name, uint16_t type, std::string target) const {
    Record record = Make(name, type);
    record.target = std::move(target);
    return record;
  }
  Record MakeSoa() const;
  ZoneAnswer Nothing(uint16_t rcode) const;

  // Addresses behind `name` (or only aliases, for AAAA); false if there is no such name.
  bool AddAddresses(const std::string& name, int depth, std::vector<Record>* answers) const;
  void AddServices(const std::vector<Found>& found, ZoneAnswer* answer) const;
  void AddNameServers(ZoneAnswer* answer) const;
  bool AddVersion(ZoneAnswer* answer) const;

  const ClusterRecords& records_;
  const ZoneOptions& options_;
  const Question& question_;
  std::string zone_;
  std::string name_;  // of the question, lower case
};

Record ZoneQuery::MakeSoa() const {
  Record record = Make(zone_, kSoa);
  record.ttl = std::min(options_.ttl, kSoaTtlMax);
  record.soa.mname = StrCat("ns.dns.", zone_);
  record.soa.rname = StrCat("hostmaster.", zone_);
  record.soa.serial = options_.serial;
  record.soa.refresh = 7200;
  record.soa.retry = 1800;
  record.soa.expire = 86'400;
  record.soa.minimum = options_.ttl;
  return record;
}

ZoneAnswer ZoneQuery::Nothing(uint16_t rcode) const {
  ZoneAnswer answer;
  answer.rcode = rcode;
  answer.authorities.push_back(MakeSoa());
  return answer;
}

bool ZoneQuery::AddAddresses(const std::string& name, int depth,
                             std::vector<Record>* answers) const {
  const LookupResult result = LookUpName(records_, options_, AsciiLower(name));
  if (!result.exists) return false;
  std::set<Ipv4> known;
  for (const Found& found : result.found) {
    if (found.alias.empty()) {
      if (question_.type == kAaaa || !known.insert(found.ip).second) continue;
      answers->push_back(Address(name, found.ip));
      continue;
    }
    const std::string target = AsciiLower(found.alias);
    if (target == AsciiLower(name) || depth >= kAliasesMax) continue;
    if (!IsInZone(target, options_.domain)) {
      // The resolver has to go on from there: we have no upstream server to ask.
      answers->push_back(Target(name, kCname, found.alias));
      continue;
    }
    std::vector<Record> behind;
    if (AddAddresses(found.alias, depth + 1, &behind) && !behind.empty()) {
      answers->push_back(Target(name, kCname, found.alias));
      answers->insert(answers->end(), behind.begin(), behind.end());
    }
  }
  return true;
}

void ZoneQuery::AddServices(const std::vector<Found>& found, ZoneAnswer* answer) const {
  std::set<std::pair<std::string, int>> targets;
  std::set<std::pair<std::string, Ipv4>> addresses;
  size_t count = 0;
  for (const Found& one : found) count += one.alias.empty();
  for (const Found& one : found) {
    if (!one.alias.empty() || one.port < 0) continue;
    if (targets.emplace(one.owner, one.port).second) {
      Record record = Target(question_.name, kSrv, one.owner);
      record.srv.weight = static_cast<uint16_t>(std::max<size_t>(100 / count, 1));
      record.srv.port = static_cast<uint16_t>(one.port);
      answer->answers.push_back(std::move(record));
    }
    if (addresses.emplace(one.owner, one.ip).second) {
      answer->additionals.push_back(Address(one.owner, one.ip));
    }
  }
}

void ZoneQuery::AddNameServers(ZoneAnswer* answer) const {
  for (const Found& server : NameServers(records_, options_)) {
    answer->answers.push_back(Target(question_.name, kNs, server.owner));
    answer->additionals.push_back(Address(server.owner, server.ip));
  }
}

bool ZoneQuery::AddVersion(ZoneAnswer* answer) const {
  if (name_ != StrCat("dns-version.", options_.domain)) return false;
  Record record = Make(question_.name, kTxt);
  record.ttl = kVersionTtl;
  record.text = {std::string(kSchemaVersion)};
  answer->answers.push_back(std::move(record));
  return true;
}

ZoneAnswer ZoneQuery::Forward() {
  ZoneAnswer answer;
  const bool apex = name_ == options_.domain;
  const bool server = name_ == StrCat("ns.dns.", options_.domain);
  const LookupResult result = LookUpName(records_, options_, name_);
  bool exists = result.exists || server;
  switch (question_.type) {
    case kA:
    case kAaaa:
      if (server && question_.type == kA) {
        for (const Found& found : NameServers(records_, options_)) {
          answer.answers.push_back(Address(question_.name, found.ip));
        }
      } else if (!server) {
        AddAddresses(question_.name, 0, &answer.answers);
      }
      break;
    case kSrv:
      AddServices(result.found, &answer);
      break;
    case kTxt:
      // As CoreDNS: a name without anything behind it does not exist for TXT.
      exists = AddVersion(&answer) || !result.found.empty();
      break;
    case kCname:
      if (!result.found.empty() && !result.found[0].alias.empty()) {
        answer.answers.push_back(Target(question_.name, kCname, result.found[0].alias));
      }
      break;
    case kSoa:
      if (apex) answer.answers.push_back(MakeSoa());
      break;
    case kNs:
      if (apex) AddNameServers(&answer);
      break;
    default:
      break;
  }
  if (!answer.answers.empty()) return answer;
  if (exists) return Nothing(kNoError);
  return Nothing(options_.synced ? kNxDomain : kServFail);
}

// What is not known here is for the upstream server to answer ("fallthrough"): there is none.
ZoneAnswer ZoneQuery::Reverse() {
  ZoneAnswer answer;
  if (question_.type == kSoa && name_ == zone_) {
    answer.answers.push_back(MakeSoa());
    return answer;
  }
  if (name_ == zone_) return Nothing(kNoError);
  if (const Ipv4 ip = AddressOfReverseName(name_); question_.type == kPtr && !ip.IsNone()) {
    for (std::string& name : LookUpAddress(records_, options_, ip)) {
      answer.answers.push_back(Target(question_.name, kPtr, std::move(name)));
    }
  }
  if (answer.answers.empty()) return {.rcode = kServFail, .authoritative = false};
  return answer;
}

// As plugin loadbalance orders them: aliases and the rest first, then the addresses, shuffled.
void Shuffle(std::vector<Record>* records, Random& random) {
  const auto begin = std::stable_partition(records->begin(), records->end(), [](const Record& one) {
    return one.type != kA && one.type != kAaaa;
  });
  for (auto left = records->end() - begin; left > 1; --left) {
    std::swap(begin[left - 1], begin[random.Uniform(static_cast<uint64_t>(left))]);
  }
}

// The part of an answer that comes from the query.
Message ReplyTo(const Header& query, uint16_t rcode) {
  Message reply;
  reply.header.id = query.id;
  reply.header.response = true;
  reply.header.opcode = query.opcode;
  reply.header.recursion_desired = query.recursion_desired;
  reply.header.checking_disabled = query.checking_disabled;
  reply.header.rcode = rcode;
  return reply;
}

}  // namespace

ZoneAnswer AnswerQuestion(const ClusterRecords& records, const ZoneOptions& options,
                          const Question& question) {
  if (question.qclass != kClassIn || question.type == kAxfr || question.type == kIxfr) {
    return {.rcode = kRefused, .authoritative = false};
  }
  if (IsInZone(question.name, options.domain)) {
    return ZoneQuery(records, options, question, options.domain).Forward();
  }
  for (const std::string_view zone : kReverseZones) {
    if (IsInZone(question.name, zone)) return ZoneQuery(records, options, question, zone).Reverse();
  }
  return {.rcode = kServFail, .authoritative = false};
}

std::optional<std::string> AnswerPacket(const ClusterRecords& records, const ZoneOptions& options,
                                        std::string_view packet, bool tcp, Random& random) {
  const size_t room = tcp ? kTcpBytesMax : kUdpBytesMax;
  const auto head = ParseHeader(packet);
  if (!head || head->header.response) return std::nullopt;  // an answer to it could be abused
  if (head->header.opcode != kOpcodeQuery && head->header.opcode != kOpcodeNotify) {
    return Build(ReplyTo(head->header, kNotImp), room);
  }
  const absl::StatusOr<Message> query = Parse(packet);
  const auto& [questions, answers, authorities, additionals] = head->counts;
  if (!query.ok() || questions != 1 || answers > 1 || authorities > 1 ||
      additionals > kAdditionalMax) {
    return Build(ReplyTo(head->header, kFormErr), room);
  }
  if (head->header.opcode == kOpcodeNotify) {
    return Build(ReplyTo(head->header, kNotImp), room);
  }
  Message reply = ReplyTo(query->header, kNoError);
  reply.questions = query->questions;
  size_t bytes_max = room;
  if (query->edns) {
    // CoreDNS sends the query's own OPT record back.
    reply.edns = Edns{.udp_bytes = query->edns->udp_bytes, .dnssec_ok = query->edns->dnssec_ok};
    if (!tcp) {
      bytes_max = std::clamp<size_t>(query->edns->udp_bytes, kUdpBytesMax, kDatagramBytesMax);
    }
    if (query->edns->version != 0) {
      reply.header.rcode = kBadVers;
      return Build(reply, bytes_max);
    }
  }
  ZoneAnswer answer = AnswerQuestion(records, options, query->questions[0]);
  reply.header.rcode = answer.rcode;
  reply.header.authoritative = answer.authoritative;
  reply.answers = std::move(answer.answers);
  reply.authorities = std::move(answer.authorities);
  reply.additionals = std::move(answer.additionals);
  Shuffle(&reply.answers, random);
  Shuffle(&reply.additionals, random);
  return Build(reply, bytes_max);
}

}  // namespace kubemu::dns
