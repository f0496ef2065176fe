#ifndef KUBEMU_NODE_KUBELET_POD_FILES_H_
#define KUBEMU_NODE_KUBELET_POD_FILES_H_

#include <string>
#include <vector>

#include "messages/core/ip.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/node.pb.h"
#include "node/kubelet/kubelet_options.h"

// The files that the kubelet writes for a pod: /etc/resolv.conf (pkg/kubelet/network/dns/dns.go),
// /etc/hosts and /etc/hostname (pkg/kubelet/kubelet_pods.go).
namespace kubemu {

// Limits of glibc that the kubelet keeps to (pkg/apis/core/validation, MaxDNSNameservers ...).
inline constexpr int kNameserversMax = 3;
inline constexpr int kSearchesMax = 32;
inline constexpr size_t kSearchCharactersMax = 2048;

struct PodDns {
  bus::DnsConfig config;
  // The policy needs --cluster-dns, which is not set: the node's own settings stand in for it.
  bool missing_cluster_dns = false;
  // More name servers or search domains than the limits: the first ones are taken, and these are
  // the messages of the event DNSConfigForming.
  std::vector<std::string> over_limit;
};
// A node of kubemu has no name server of its own: with policy Default the pod has none, either.
PodDns MakePodDns(const k8s::core::v1::Pod& pod, const KubeletOptions& options);

// What /etc/hostname and the kernel say: spec.hostname or the pod's name, at most 63 characters;
// the node's name in its network; the whole name if setHostnameAsFQDN is set.
std::string MakePodHostname(const k8s::core::v1::Pod& pod, const KubeletOptions& options);

std::string MakePodHosts(const k8s::core::v1::Pod& pod, Ipv4 pod_ip, const KubeletOptions& options);

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_POD_FILES_H_
