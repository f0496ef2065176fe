#ifndef KUBEMU_NODE_KERNEL_POD_LINKS_H_
#define KUBEMU_NODE_KERNEL_POD_LINKS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "messages/component.h"
#include "messages/core/deadline.h"
#include "messages/core/ip.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/node.pb.h"
#include "node/kernel/command_lane.h"

namespace kubemu {

// The pods of a node in the kernel. Each pod has a network namespace of its own with an interface
// eth0 that bears its address, the other end of which is vethXXXXXXXX in the node's namespace
// (XXXXXXXX: the address in hexadecimal); for every port that a container listens on there is a
// real listening socket in there. A pod in the node's own network has only the sockets, in the
// node's namespace. What fails is undone and tried again, later and later.
class PodLinks {
 public:
  static constexpr size_t kPodsMax = 4096;
  static constexpr Duration kRetryMin = 500ms;
  static constexpr Duration kRetryMax = 30s;
  static constexpr Duration kOpenTimeout = 5s;  // for the door's answer to OpenNetwork
  static constexpr Duration kListenRetry = 1s;  // until a port that is taken is tried again

  PodLinks(std::string door, uint64_t lane) : door_(door), lane_(std::move(door), lane) {}

  // Ports at which parts of the node itself answer (kube-proxy's health); they come before those of
  // host-network pods.
  void SetLocalPorts(const bus::NodeNetwork& network, Env& env);
  // Returns the address of a pod that is no longer there because of this, or "".
  std::string Update(const bus::PodNetworkUpdate& update, Env& env);
  void Receive(const bus::CommandDone& done, Env& env);
  void Receive(const bus::NetworkOpened& opened, Env& env);
  void Receive(const bus::ListenResult& result, Env& env);
  void Tick(Env& env);
  Time NextWake() const;

  // Whom a connection is for that was accepted in a network of the door: a pod, or a part of the
  // node. "" if there is nobody.
  std::string Acceptor(const std::string& network, uint16_t port) const;
  // The door's network from which a pod's connections begin; none while it has no interface.
  std::optional<std::string> NetworkOf(const std::string& pod) const;

 private:
  enum class State : uint8_t {
    kDown,     // nothing is there; tried at retry_at
    kOpening,  // the door was asked for a namespace
    kLinking,  // a veth pair is being made
    kSetting,  // addresses and routes are being set in the namespace
    kUp,
  };
  struct Pod {
    Ipv4 ip;
    bool host_network = false;
    State state = State::kDown;
    std::string network;  // its name at the door; "" if host_network
    uint64_t tag = 0;     // of its command under way
    Time wake = kNever;   // kDown: tried again; kOpening: given up
    Duration back_off = kRetryMin;
    std::set<uint16_t> wanted;
    std::set<uint16_t> listening;  // asked of the door
    Trace trace;
  };
  using Pods = std::map<std::string, Pod>;

  void Begin(const std::string& address, Pod& pod, Env& env);
  void Fail(Pod& pod, Env& env);
  void TearDown(Pod& pod, Env& env);
  void OnResult(const CommandLane::Result& result, Env& env);
  void RunFor(const std::string& address, Pod& pod, std::string input, std::string network,
              Env& env);
  void SyncPorts(Pod& pod, Env& env);
  void SyncHostPorts(Env& env);
  void CloseNetwork(const std::string& name, Env& env);
  void Listen(const std::string& network, uint16_t port, Env& env);
  void Unlisten(const std::string& network, uint16_t port, Env& env);

  const std::string door_;
  CommandLane lane_;
  Pods pods_;                                    // by address
  std::map<std::string, std::string> networks_;  // the door's name to the pod's address
  std::map<Ipv4, std::string> by_ip_;            // not of host-network pods
  std::map<uint16_t, std::string> local_ports_;  // of the node's own parts
  std::map<uint16_t, std::string> host_ports_;   // these and host-network pods', asked of the door
  std::set<uint16_t> taken_ports_;               // of local_ports_, by others; their part was told
  std::map<uint64_t, std::string> running_;      // tag to the pod's address
  std::map<uint64_t, std::string> closing_;      // tag to the network that is closed afterwards
  uint64_t next_tag_ = 1;
  uint64_t next_network_ = 1;
  Deadline listen_retry_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KERNEL_POD_LINKS_H_
