#include "node/dns/zone_lookup.h"

#include <algorithm>
#include <utility>

#include "messages/core/strings.h"
#include "messages/dns/dns_name.h"

namespace kubemu::dns {
namespace {

constexpr std::string_view kReverseZone = ".in-addr.arpa";

// A name in the zone, taken apart (CoreDNS, plugin/kubernetes/parse.go).
struct ParsedName {
  bool valid = false;
  std::string kind;  // "svc", "pod"; "": the name itself has no records
  std::string ns;
  std::string service;  // or the pod's name, "10-244-1-2"
  std::string endpoint;
  std::string port;
  std::string protocol;
};

std::string WithoutUnderscore(const std::string& label) {
  return label.starts_with('_') ? label.substr(1) : label;
}

ParsedName ParseName(std::string_view name, std::string_view domain) {
  ParsedName parsed;
  if (name.size() == domain.size()) {
    parsed.valid = true;
    return parsed;
  }
  const auto labels = SplitName(name.substr(0, name.size() - domain.size() - 1));
  if (!labels) return parsed;
  const size_t count = labels->size();
  const auto label = [&](size_t from_right) { return (*labels)[count - 1 - from_right]; };
  if (label(0) != "svc" && label(0) != "pod") return parsed;
  if (count > 5) return parsed;
  parsed.valid = true;
  if (count == 1) return parsed;
  parsed.kind = label(0);
  parsed.ns = label(1);
  if (count > 2) parsed.service = label(2);
  if (count == 4) parsed.endpoint = label(3);
  if (count == 5) {
    parsed.protocol = WithoutUnderscore(label(3));
    parsed.port = WithoutUnderscore(label(4));
  }
  return parsed;
}

std::string DashedAddress(Ipv4 ip) {
  std::string text = ip.ToString();
  std::replace(text.begin(), text.end(), '.', '-');
  return text;
}

std::string EndpointName(const Endpoint& endpoint) {
  return endpoint.hostname.empty() ? DashedAddress(endpoint.ip) : endpoint.hostname;
}

// "web.default.svc.cluster.local" of "default/web".
std::string ServiceName(const std::string& key, const ZoneOptions& options) {
  const size_t slash = key.find('/');
  return StrCat(key.substr(slash + 1), ".", key.substr(0, slash), ".svc.", options.domain);
}

bool Matches(const ParsedName& name, const ServicePort& port) {
  return (name.port.empty() || name.port == AsciiLower(port.name)) &&
         (name.protocol.empty() || name.protocol == port.protocol);
}

// CoreDNS' pods insecure: the address stands in the name, whether there is such a pod or not.
LookupResult LookUpPod(const ParsedName& name, const ZoneOptions& options) {
  if (name.service.empty()) return {.exists = true};
  std::string text = name.service;
  if (std::count(text.begin(), text.end(), '-') != 3) return {};
  std::replace(text.begin(), text.end(), '-', '.');
  const absl::StatusOr<Ipv4> ip = Ipv4::Parse(text);
  if (!ip.ok()) return {};
  return {true,
          {Found{.ip = *ip, .owner = StrCat(name.service, ".", name.ns, ".pod.", options.domain)}}};
}

void AddEndpoints(const ClusterRecords& records, const ParsedName& name, const std::string& key,
                  const ZoneOptions& options, LookupResult* result) {
  const ServicePort none{.name = "", .protocol = "", .port = 0};
  for (const SliceFacts* slice : records.SlicesOf(key)) {
    for (const Endpoint& endpoint : slice->endpoints) {
      const std::string own = EndpointName(endpoint);
      if (!name.endpoint.empty() && name.endpoint != own) continue;
      const std::string owner = StrCat(own, ".", ServiceName(key, options));
      if (slice->ports.empty() && Matches(name, none)) {
        result->found.push_back({.ip = endpoint.ip, .port = -1, .owner = owner});
      }
      for (const ServicePort& port : slice->ports) {
        if (!Matches(name, port)) continue;
        result->found.push_back({.ip = endpoint.ip, .port = port.port, .owner = owner});
      }
    }
  }
  result->exists = result->exists || !result->found.empty();
}

LookupResult LookUpService(const ClusterRecords& records, const ParsedName& name,
                           const ZoneOptions& options) {
  if (name.service.empty()) return {.exists = true};
  const std::string key = ObjectKey(name.ns, name.service);
  const ServiceFacts* const service = records.FindService(key);
  LookupResult result;
  if (service == nullptr) return result;
  if (service->type == ServiceFacts::Type::kExternalName) {
    if (!name.endpoint.empty() || !name.port.empty() || !name.protocol.empty()) return result;
    result.exists = true;
    result.found.push_back({.alias = service->external_name, .owner = ServiceName(key, options)});
    return result;
  }
  if (service->type == ServiceFacts::Type::kHeadless || !name.endpoint.empty()) {
    AddEndpoints(records, name, key, options, &result);
    return result;
  }
  for (const ServicePort& port : service->ports) {
    if (!Matches(name, port)) continue;
    result.exists = true;
    result.found.push_back(
        {.ip = service->cluster_ip, .port = port.port, .owner = ServiceName(key, options)});
  }
  return result;
}

}  // namespace

LookupResult LookUpName(const ClusterRecords& records, const ZoneOptions& options,
                        std::string_view name) {
  const ParsedName parsed = ParseName(name, options.domain);
  if (!parsed.valid) return {};
  if (parsed.kind.empty()) return {.exists = true};
  if (!records.HasNamespace(parsed.ns)) return {};
  return parsed.kind == "pod" ? LookUpPod(parsed, options)
                              : LookUpService(records, parsed, options);
}

Ipv4 AddressOfReverseName(std::string_view name) {
  if (!name.ends_with(kReverseZone)) return Ipv4();
  name.remove_suffix(kReverseZone.size());
  std::vector<std::string_view> numbers = StrSplit(name, '.');
  if (numbers.size() != 4) return Ipv4();
  const absl::StatusOr<Ipv4> ip =
      Ipv4::Parse(StrCat(numbers[3], ".", numbers[2], ".", numbers[1], ".", numbers[0]));
  return ip.ok() ? *ip : Ipv4();
}

std::vector<std::string> LookUpAddress(const ClusterRecords& records, const ZoneOptions& options,
                                       Ipv4 ip) {
  if (const std::string service = records.ServiceAt(ip); !service.empty()) {
    return {ServiceName(service, options)};
  }
  std::vector<std::string> with_hostname;
  std::vector<std::string> with_address;
  for (const SliceFacts* slice : records.SlicesAt(ip)) {
    for (const Endpoint& endpoint : slice->endpoints) {
      if (endpoint.ip != ip) continue;
      auto& names = endpoint.hostname.empty() ? with_address : with_hostname;
      names.push_back(StrCat(EndpointName(endpoint), ".", ServiceName(slice->service, options)));
    }
  }
  return with_hostname.empty() ? with_address : with_hostname;
}

std::vector<Found> NameServers(const ClusterRecords& records, const ZoneOptions& options) {
  std::vector<Found> servers;
  for (const SliceFacts* slice : records.SlicesAt(options.server)) {
    const ServiceFacts* const service = records.FindService(slice->service);
    if (service == nullptr || service->type != ServiceFacts::Type::kClusterIp) continue;
    servers.push_back({.ip = service->cluster_ip, .owner = ServiceName(slice->service, options)});
  }
  if (servers.empty()) {
    servers.push_back({.ip = options.server, .owner = StrCat("ns.dns.", options.domain)});
  }
  return servers;
}

}  // namespace kubemu::dns
