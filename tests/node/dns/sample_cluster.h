#ifndef KUBEMU_TESTS_NODE_DNS_SAMPLE_CLUSTER_H_
#define KUBEMU_TESTS_NODE_DNS_SAMPLE_CLUSTER_H_

#include <string>

#include "messages/core/strings.h"
#include "messages/dns/dns_message.h"
#include "node/dns/cluster_records.h"

namespace kubemu::dns {

// Services of every sort, in namespace default.
inline ClusterRecords SampleCluster() {
  using Type = ServiceFacts::Type;
  ClusterRecords records;
  records.AddNamespace("default");
  records.AddNamespace("other");
  const auto address = [&](const std::string& name, Ipv4 ip, std::vector<ServicePort> ports) {
    records.SetService("default/" + name, {Type::kClusterIp, ip, "", std::move(ports)});
  };
  address("web", Ipv4(10, 96, 3, 7), {{"http", "tcp", 80}});
  records.SetSlice("default/web-1",
                   {"default/web", {{Ipv4(10, 244, 1, 4), ""}}, {{"http", "tcp", 8080}}});
  address("dns", Ipv4(10, 96, 0, 10), {{"dns", "udp", 53}, {"metrics", "tcp", 9153}});
  records.SetSlice("default/dns-1",
                   {"default/dns", {{Ipv4(10, 244, 1, 9), ""}}, {{"dns", "udp", 53}}});
  records.SetService("default/db", {Type::kHeadless, Ipv4(), "", {{"sql", "tcp", 5432}}});
  records.SetSlice("default/db-1",
                   {"default/db", {{Ipv4(10, 244, 1, 5), "db-0"}}, {{"sql", "tcp", 5432}}});
  records.SetSlice("default/db-2",
                   {"default/db", {{Ipv4(10, 244, 2, 6), ""}}, {{"sql", "tcp", 5432}}});
  records.SetService("default/empty", {Type::kHeadless, Ipv4(), "", {{"sql", "tcp", 5432}}});
  records.SetService("default/peers", {Type::kHeadless, Ipv4(), "", {}});
  records.SetSlice("default/peers-1", {"default/peers", {{Ipv4(10, 244, 3, 3), ""}}, {}});
  const auto alias = [&](const std::string& name, const std::string& target) {
    records.SetService("default/" + name, {Type::kExternalName, Ipv4(), target, {}});
  };
  alias("ext", "db.example.com");
  alias("alias", "web.default.svc.cluster.local");
  alias("loop", "loop.default.svc.cluster.local");
  alias("ping", "pong.default.svc.cluster.local");
  alias("pong", "ping.default.svc.cluster.local");
  return records;
}

// A record as in a zone file.
inline std::string RecordLine(const Record& record) {
  std::string text = StrCat(record.name, " ", record.ttl, " ", TypeName(record.type), " ");
  if (record.type == kA) return text + record.address.ToString();
  if (record.type == kTxt) return text + StrJoin(record.text, " ");
  if (record.type == kSrv) {
    return StrCat(text, record.srv.priority, " ", record.srv.weight, " ", record.srv.port, " ",
                  record.target);
  }
  if (record.type == kSoa) {
    const Soa& soa = record.soa;
    return StrCat(text, soa.mname, " ", soa.rname, " ", soa.serial, " ", soa.refresh, " ",
                  soa.retry, " ", soa.expire, " ", soa.minimum);
  }
  return text + record.target;
}

}  // namespace kubemu::dns

#endif  // KUBEMU_TESTS_NODE_DNS_SAMPLE_CLUSTER_H_
