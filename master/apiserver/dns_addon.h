#ifndef KUBEMU_MASTER_APISERVER_DNS_ADDON_H_
#define KUBEMU_MASTER_APISERVER_DNS_ADDON_H_

#include <vector>

#include "messages/core/ip.h"
#include "messages/object.h"

namespace kubemu {

// Cluster DNS as kubeadm's addon phase installs it
// (cmd/kubeadm/app/phases/addons/dns/manifests.go): ServiceAccount, ConfigMap and Deployment
// coredns and Service kube-dns, all in kube-system. The Corefile has no `forward`: there is no name
// server outside of the cluster to forward to.
std::vector<Object> DnsAddon(Ipv4 cluster_dns);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_DNS_ADDON_H_
