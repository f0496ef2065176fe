#ifndef KUBEMU_NODE_IPTABLES_PACKET_H_
#define KUBEMU_NODE_IPTABLES_PACKET_H_

#include <cstdint>
#include <string>

#include "messages/core/ip.h"
#include "node/iptables/rule.h"

namespace kubemu::iptables {

// What the rules can see of a packet. Here: a connection's first packet or a datagram.
struct Packet {
  Protocol protocol = Protocol::kTcp;
  Ipv4 source{};
  uint16_t source_port = 0;
  Ipv4 destination{};
  uint16_t destination_port = 0;
  // Made by a process of the node itself (it begins at OUTPUT); false: it came in, from outside or
  // from a pod (it begins at PREROUTING).
  bool local_process = false;
  uint8_t ct_state = kCtNew;  // CtState bits. Table nat sees only kCtNew, as in the kernel
  uint32_t mark = 0;
  uint32_t bytes = 60;          // for the counters; a TCP SYN has 60
  std::string in_interface{};   // "": unknown, matches no -i but a negated one
  std::string out_interface{};  // the same for -o
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_PACKET_H_
