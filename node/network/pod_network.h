#ifndef KUBEMU_NODE_NETWORK_POD_NETWORK_H_
#define KUBEMU_NODE_NETWORK_POD_NETWORK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "messages/component.h"
#include "messages/core/ip.h"
#include "node/dns/cluster_dns.h"
#include "node/network/http_client.h"
#include "node/network/net_pod.h"
#include "node/network/pod_servers.h"
#include "node/network/resolver.h"

namespace kubemu {

// The pods of one node on the network: which addresses they have, what listens there, and every
// connection that ends in them. Tells "<node>/iptables" which address leads to which pod
// (PodNetworkUpdate). A part of EmulatedEngine, which calls Receive and Tick.
class PodNetwork {
 public:
  static constexpr size_t kListenersMax = 64;  // per pod

  // `announce_ports`: updates of all pods say which ports they listen on, not only those of
  // host-network pods.
  PodNetwork(std::string node, bool announce_ports)
      : node_(node), announce_ports_(announce_ports), clients_(node), resolvers_(node) {}

  // `address` is "<node>/pod/<namespace>/<name>". REQUIRES: not there yet.
  void AddPod(const std::string& address, Ipv4 ip, bool host_network, Env& env);
  // Its /etc/resolv.conf and /etc/hosts, which lookups of names go by. REQUIRES: the pod is there.
  void SetResolvConf(const std::string& address, bus::DnsConfig dns);
  void SetHosts(const std::string& address, std::string hosts);
  // Null if there is no such pod.
  const NetPod* Find(const std::string& address) const;
  // Resets its connections. Harmless if there is none.
  void RemovePod(const std::string& address, Env& env);

  // False, with nothing changed, if another container of the pod has the port or the pod has
  // kListenersMax. `log` gets a line for each request; not owned, valid until CloseContainer.
  bool Listen(const std::string& address, const std::string& container, ServerSpec spec,
              LogBuffer* log, Env& env);
  // The container has got SIGTERM and ends in good order: no new connections, and those that are
  // there end as PodServers::Drain says. It can exit once Drained.
  void Drain(const std::string& address, const std::string& container, Duration idle, Env& env);
  bool Drained(const std::string& address, const std::string& container) const;
  // The container has ended: closes its listeners and its connections (PodServers::Close).
  void CloseContainer(const std::string& address, const std::string& container, bool killed,
                      Env& env);

  // Null if nothing listens there.
  const Listener* FindListener(const std::string& address, uint16_t port) const;
  // The pod's address; none if there is no such pod.
  Ipv4 AddressOf(const std::string& address) const;

  // Makes one HTTP GET from a container of the pod, after looking up its host: an address, a name
  // of /etc/hosts, or one of DNS. Its result comes with TakeFetched.
  void Fetch(uint64_t tag, const std::string& address, const std::string& container,
             const FetchTarget& target, Env& env);
  std::vector<FetchResult> TakeFetched() { return std::exchange(fetched_, {}); }
  // Asks the pod's name server these questions. The result comes with TakeQueried.
  void Query(uint64_t tag, const std::string& address, const std::string& container,
             std::vector<dns::Question> questions, Env& env);
  std::vector<Resolved> TakeQueried() { return std::exchange(queried_, {}); }

  // Flow messages and datagrams to a pod's address.
  void Receive(const Message& message, Env& env);
  // What cluster DNS hears of the API server, at the engine's address.
  void ReceiveForDns(const Message& message, Env& env);
  // True if a pod of this node serves DNS and knows the whole cluster.
  bool DnsSynced() const { return dns_ != nullptr && dns_->synced(); }
  void Tick(Env& env);
  Time NextWake() const;

  // Sends a PodNetworkUpdate for every pod: iptables has lost them.
  void Announce(Env& env) const;

  size_t connections() const { return servers_.size(); }

 private:
  // Tags of fetches that servers make; those of Fetch have the bit clear.
  static constexpr uint64_t kServerTag = uint64_t{1} << 63;
  // Tags of Query, towards the resolvers.
  static constexpr uint64_t kQueryTag = uint64_t{1} << 62;

  // A fetch that waits for its host's address.
  struct Waiting {
    std::string pod;
    std::string container;
    FetchTarget target;
    Trace trace;
  };

  void StartFetch(uint64_t tag, const std::string& container, NetPod& pod,
                  const FetchTarget& target, Env& env);
  void OnResolved(Resolved result, Env& env);
  void Abandon(const std::string& address, const std::string& container, bool killed, Env& env);
  void OnDatagram(const Message& message, Env& env);
  void StopDnsIfUnused(Env& env);
  void Pump(Env& env);
  bool AnnouncesPorts(const NetPod& pod) const { return pod.host_network || announce_ports_; }
  void SendUpdate(const NetPod& pod, bool removed, Env& env) const;

  const std::string node_;
  const bool announce_ports_;
  std::map<std::string, NetPod> pods_;  // by address
  std::unique_ptr<ClusterDns> dns_;     // while a container listens with kDns
  uint64_t next_dns_stream_ = 1;
  PodServers servers_;
  HttpClients clients_;
  Resolvers resolvers_;
  std::map<uint64_t, Waiting> waiting_;  // by tag
  std::vector<FetchResult> fetched_;
  std::vector<FetchResult> failed_;  // for Pump: no connection was begun
  std::vector<Resolved> queried_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_NETWORK_POD_NETWORK_H_
