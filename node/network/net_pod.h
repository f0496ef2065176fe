#ifndef KUBEMU_NODE_NETWORK_NET_POD_H_
#define KUBEMU_NODE_NETWORK_NET_POD_H_

#include <cstdint>
#include <map>
#include <string>

#include "messages/core/ip.h"
#include "messages/core/time.h"
#include "messages/proto/node.pb.h"
#include "node/network/log_buffer.h"
#include "node/network/server_spec.h"

namespace kubemu {

inline constexpr Ipv4 kLocalhost(127, 0, 0, 1);

// A port that a container listens on.
struct Listener {
  std::string container;
  ServerSpec spec;
  LogBuffer* log = nullptr;  // the container's; not owned, outlives the listener
  Time since{};
  bool closed = false;     // takes no new connection; those that it has end (SIGTERM)
  size_t connections = 0;  // that its process still holds
  // The good answer, rendered once a second (its Date changes): whole, and the length of its head.
  std::string answer;
  size_t answer_head = 0;
  int64_t answer_second = -1;
};

// One pod on the network.
struct NetPod {
  std::string address;  // "<node>/pod/<namespace>/<name>"
  Ipv4 ip;
  bool host_network = false;
  std::map<uint16_t, Listener> listeners;
  uint16_t next_port = kFirstPort;  // of connections that it opens
  bus::DnsConfig dns;               // /etc/resolv.conf
  std::string hosts;                // /etc/hosts

  // Linux' default ip_local_port_range.
  static constexpr uint16_t kFirstPort = 32768;
  static constexpr uint16_t kLastPort = 60999;
  // The next one, in a circle.
  uint16_t TakePort() {
    const uint16_t port = next_port;
    next_port = port == kLastPort ? kFirstPort : static_cast<uint16_t>(port + 1);
    return port;
  }
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_NETWORK_NET_POD_H_
