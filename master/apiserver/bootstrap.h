#ifndef KUBEMU_MASTER_APISERVER_BOOTSTRAP_H_
#define KUBEMU_MASTER_APISERVER_BOOTSTRAP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "master/apiserver/cache.h"
#include "master/apiserver/call.h"
#include "messages/core/ip.h"

namespace kubemu {

// What the API server itself writes into an empty (or moved) cluster: the namespaces default,
// kube-system, kube-public and kube-node-lease, the Service default/kubernetes, and its Endpoints
// and EndpointSlice with the API server's address; with `cluster_dns` (else none) also cluster DNS
// (dns_addon.h), of which what somebody has changed stays as it is. Returns the writes that are
// missing now; those that need others to be there come when asked again. Empty: everything is
// there.
std::vector<ApiCall> MissingBootstrap(const Cache& cache, Ipv4 cluster_ip, Ipv4 cluster_dns,
                                      const std::string& ip, uint16_t port);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_BOOTSTRAP_H_
