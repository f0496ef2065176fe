#ifndef KUBEMU_NODE_DNS_CLUSTER_ZONE_H_
#define KUBEMU_NODE_DNS_CLUSTER_ZONE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"
#include "messages/core/random.h"
#include "messages/dns/dns_message.h"
#include "node/dns/cluster_records.h"

// What the cluster's DNS servers answer: kubernetes/dns, docs/specification.md, version 1.1.0, as
// CoreDNS 1.12's plugin `kubernetes` does it with kubeadm's Corefile (pods insecure, ttl 30), and
// without an upstream server. Pure functions.
namespace kubemu::dns {

struct ZoneOptions {
  std::string domain = "cluster.local";
  uint32_t ttl = 30;    // seconds; kubeadm's Corefile
  uint32_t serial = 0;  // of the zone: when the records changed last, seconds since 1970
  bool synced = true;   // false: records may be missing, so that nothing is said not to exist
  Ipv4 server = {};     // the pod that answers: the zone's name server
};

struct ZoneAnswer {
  uint16_t rcode = kNoError;
  bool authoritative = true;
  std::vector<Record> answers = {};
  std::vector<Record> authorities = {};  // SOA, where there is no answer
  std::vector<Record> additionals = {};
};

// The answer to one question: names below `domain` and reverse names; SERVFAIL for all others,
// since there is no upstream server to ask.
ZoneAnswer AnswerQuestion(const ClusterRecords& records, const ZoneOptions& options,
                          const Question& question);

// The bytes that answer the bytes of a query, as the library under CoreDNS does it: silence (none)
// for what is no query, FORMERR for what begins like one and cannot be read, NOTIMP, REFUSED and
// BADVERS where they belong. At most 512 bytes, or as many as the query's EDNS allows; over TCP any
// number. The addresses come in random order (CoreDNS' plugin loadbalance).
std::optional<std::string> AnswerPacket(const ClusterRecords& records, const ZoneOptions& options,
                                        std::string_view packet, bool tcp, Random& random);

}  // namespace kubemu::dns

#endif  // KUBEMU_NODE_DNS_CLUSTER_ZONE_H_
