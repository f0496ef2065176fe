#ifndef KUBEMU_MASTER_APISERVER_SERVICE_ADDRESSES_H_
#define KUBEMU_MASTER_APISERVER_SERVICE_ADDRESSES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "messages/api/field_errors.h"
#include "messages/core/ip.h"
#include "messages/object.h"

namespace k8s::core::v1 {
class Service;
}

namespace kubemu {

// Which cluster addresses and node ports are taken, and by which Service. Follows the cache, so it
// survives restarts by itself; what a write in flight has taken is reserved until the write ends.
// Free ones are given in order from a place that moves on, from above the static band first, as
// pkg/registry/core/service/{ipallocator,portallocator} keep the lower part for addresses that
// people choose.
class ServiceAddresses {
 public:
  struct Options {
    Ipv4Network cluster_ips{Ipv4(10, 96, 0, 0), 12};
    uint16_t first_node_port = 30000;
    uint16_t last_node_port = 32767;
  };

  // What one write took. Given back with Release unless the write was stored.
  struct Reservation {
    std::vector<Ipv4> ips;
    std::vector<uint16_t> ports;
  };

  explicit ServiceAddresses(Options options);

  // A Service changed in the cache; none: there is none before or after.
  void Follow(const Object& before, const Object& after);

  // Gives the Service what its type needs and it does not have yet: clusterIP(s), nodePorts,
  // healthCheckNodePort. `old` is its stored state (nullptr: it is new); what it holds is carried
  // over already. Errors are upstream's.
  Reservation Assign(const k8s::core::v1::Service* old, k8s::core::v1::Service* service,
                     FieldErrorList* errors);
  void Release(const Reservation& reservation);

  // The address of default/kubernetes: the first of the range.
  Ipv4 ApiServerIp() const { return options_.cluster_ips.At(1); }
  // The address of kube-system/kube-dns: the tenth (kubeadm, GetDNSIP).
  Ipv4 DnsIp() const { return options_.cluster_ips.At(kDnsIndex); }
  static constexpr uint64_t kDnsIndex = 10;

  size_t ips_taken() const { return ips_.size(); }
  size_t ports_taken() const { return ports_.size(); }

 private:
  void AssignIp(const k8s::core::v1::Service* old, k8s::core::v1::Service* service,
                Reservation* taken, FieldErrorList* errors);
  void AssignPorts(const k8s::core::v1::Service* old, k8s::core::v1::Service* service,
                   Reservation* taken, FieldErrorList* errors);
  void AssignHealthPort(k8s::core::v1::Service* service, Reservation* taken,
                        FieldErrorList* errors);
  bool TakeIp(Ipv4 ip, Reservation* taken);
  bool TakePort(uint16_t port, Reservation* taken);
  Ipv4 FreeIp();
  uint16_t FreePort();

  const Options options_;
  // How many hold each: a Service that is replaced in the cache holds its address twice for a
  // moment, and two ports of one Service may share a number (TCP and UDP).
  std::map<Ipv4, int> ips_;
  std::map<uint16_t, int> ports_;
  uint64_t next_ip_;
  uint32_t next_port_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_SERVICE_ADDRESSES_H_
