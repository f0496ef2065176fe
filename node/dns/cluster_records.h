#ifndef KUBEMU_NODE_DNS_CLUSTER_RECORDS_H_
#define KUBEMU_NODE_DNS_CLUSTER_RECORDS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"
#include "messages/object.h"

namespace kubemu::dns {

// What cluster DNS has to know of a Service and of an EndpointSlice.
struct ServicePort {
  std::string name;
  std::string protocol;  // "tcp", "udp", "sctp"
  uint16_t port = 0;
};
struct ServiceFacts {
  enum class Type { kClusterIp, kHeadless, kExternalName };
  Type type = Type::kClusterIp;
  Ipv4 cluster_ip = {};            // kClusterIp
  std::string external_name = {};  // kExternalName
  std::vector<ServicePort> ports = {};
};
struct Endpoint {
  Ipv4 ip;
  std::string hostname;  // "" if the pod asked for none
};
struct SliceFacts {
  std::string service;              // "namespace/name"
  std::vector<Endpoint> endpoints;  // the ready ones (all, where the Service publishes all)
  std::vector<ServicePort> ports;   // empty: the Service has none
};

// Of the API's objects. An EndpointSlice's `conditions.ready` already says what
// publishNotReadyAddresses makes of a pod. Without a service's name: not one of DNS.
ServiceFacts FactsOfService(const Object& service);
SliceFacts FactsOfSlice(const Object& slice);

// What the cluster's DNS zone is made of, with the indexes that questions need. Fed from informers.
class ClusterRecords {
 public:
  void AddNamespace(const std::string& name) { namespaces_.insert(name); }
  void RemoveNamespace(const std::string& name) { namespaces_.erase(name); }
  // Keys are "namespace/name", lower case as all names in the API are.
  void SetService(const std::string& key, ServiceFacts facts);
  void RemoveService(const std::string& key);
  void SetSlice(const std::string& key, SliceFacts facts);
  void RemoveSlice(const std::string& key);

  bool HasNamespace(const std::string& name) const { return namespaces_.contains(name); }
  // Null if there is none.
  const ServiceFacts* FindService(const std::string& key) const;
  // In order of their names.
  std::vector<const SliceFacts*> SlicesOf(const std::string& service) const;
  // The Service with that cluster address, "" if there is none; the slices with that endpoint.
  std::string ServiceAt(Ipv4 cluster_ip) const;
  std::vector<const SliceFacts*> SlicesAt(Ipv4 endpoint) const;

 private:
  std::set<std::string> namespaces_;
  std::map<std::string, ServiceFacts> services_;
  std::map<std::string, SliceFacts> slices_;
  std::map<Ipv4, std::string> by_cluster_ip_;                       // Services
  std::map<std::string, std::set<std::string>> slices_of_service_;  // keys
  std::map<Ipv4, std::set<std::string>> slices_by_ip_;              // keys
};

}  // namespace kubemu::dns

#endif  // KUBEMU_NODE_DNS_CLUSTER_RECORDS_H_
