#ifndef KUBEMU_NODE_NETWORK_POD_NETWORK_H_
#define KUBEMU_NODE_NETWORK_POD_NETWORK_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "messages/component.h"
#include "messages/core/ip.h"
#include "node/network/http_client.h"
#include "node/network/net_pod.h"
#include "node/network/pod_servers.h"

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
      : node_(node), announce_ports_(announce_ports), clients_(node) {}

  // `address` is "<node>/pod/<namespace>/<name>". REQUIRES: not there yet.
  void AddPod(const std::string& address, Ipv4 ip, bool host_network, Env& env);
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

  // Makes one HTTP GET from a container of the pod. Its result comes with TakeFetched.
  void Fetch(uint64_t tag, const std::string& address, const std::string& container,
             const FetchTarget& target, Env& env);
  std::vector<FetchResult> TakeFetched() { return std::exchange(fetched_, {}); }

  // Flow messages to a pod's address.
  void Receive(const Message& message, Env& env);
  void Tick(Env& env);
  Time NextWake() const;

  // Sends a PodNetworkUpdate for every pod: iptables has lost them.
  void Announce(Env& env) const;

  size_t connections() const { return servers_.size(); }

 private:
  // Tags of fetches that servers make; those of Fetch have the bit clear.
  static constexpr uint64_t kServerTag = uint64_t{1} << 63;

  void Pump(Env& env);
  bool AnnouncesPorts(const NetPod& pod) const { return pod.host_network || announce_ports_; }
  void SendUpdate(const NetPod& pod, bool removed, Env& env) const;

  const std::string node_;
  const bool announce_ports_;
  std::map<std::string, NetPod> pods_;  // by address
  PodServers servers_;
  HttpClients clients_;
  std::vector<FetchResult> fetched_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_NETWORK_POD_NETWORK_H_
