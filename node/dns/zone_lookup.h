#ifndef KUBEMU_NODE_DNS_ZONE_LOOKUP_H_
#define KUBEMU_NODE_DNS_ZONE_LOOKUP_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"
#include "node/dns/cluster_records.h"
#include "node/dns/cluster_zone.h"

// What stands behind names, before it is put into records of the type that was asked for.
namespace kubemu::dns {

// One thing that a name leads to: an address, or with `alias` another name.
struct Found {
  Ipv4 ip = {};
  std::string alias = {};
  int port = 0;            // -1: the Service has no port, so there is no SRV record
  std::string owner = {};  // its own name: the Service's or the endpoint's
};

struct LookupResult {
  bool exists = false;  // false: no such name (NXDOMAIN)
  std::vector<Found> found = {};
};

// `name`: lower case, in options.domain.
LookupResult LookUpName(const ClusterRecords& records, const ZoneOptions& options,
                        std::string_view name);

// The address that "7.0.96.10.in-addr.arpa" (lower case) stands for; none for other names.
Ipv4 AddressOfReverseName(std::string_view name);
// The names of that address: of the Service, else of the endpoints (those with a hostname of their
// own before those named after their address).
std::vector<std::string> LookUpAddress(const ClusterRecords& records, const ZoneOptions& options,
                                       Ipv4 ip);

// The Services that lead to options.server, as name servers of the zone.
std::vector<Found> NameServers(const ClusterRecords& records, const ZoneOptions& options);

}  // namespace kubemu::dns

#endif  // KUBEMU_NODE_DNS_ZONE_LOOKUP_H_
