#ifndef KUBEMU_TESTS_NODE_IPTABLES_KERNEL_NET_H_
#define KUBEMU_TESTS_NODE_IPTABLES_KERNEL_NET_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"
#include "node/iptables/evaluate.h"

namespace kubemu {

// A small network inside the real kernel, in network namespaces of the test's own:
//
//   client (203.0.113.1 ..) ── node (iptables; 192.168.0.2) ── pods (endpoints, 10.180.0.1 ..)
//                                                           └─ other pods (10.180.1.1 ..)
//
// One thread: it steps into a namespace to make a socket, which stays there.
class KernelNet {
 public:
  enum Place { kClient, kNode, kPods, kOtherPods, kPlaceCount };
  static constexpr int kClients = 16;
  static constexpr int kPodCount = 24;
  static constexpr int kOtherPodCount = 4;
  static constexpr Ipv4 kNodeIp{192, 168, 0, 2};

  KernelNet();
  ~KernelNet();
  KernelNet(const KernelNet&) = delete;
  KernelNet& operator=(const KernelNet&) = delete;

  // "" if everything is there, else why not: then nothing can be tested on this machine.
  const std::string& missing() const { return missing_; }

  static Ipv4 Client(int i) { return Ipv4(203, 0, 113, static_cast<uint8_t>(i + 1)); }
  static Ipv4 Pod(int i) { return Ipv4(10, 180, 0, static_cast<uint8_t>(i + 1)); }
  static Ipv4 OtherPod(int i) { return Ipv4(10, 180, 1, static_cast<uint8_t>(i + 1)); }

  // A non-blocking socket in that namespace; SOCK_STREAM or SOCK_DGRAM. Fails the test if it
  // cannot be made.
  int Socket(Place place, int type);

  // iptables-restore [--noflush] on the node. "" or what it said against the text.
  std::string Restore(const std::string& text, bool noflush);
  // What iptables-save [-c] prints of a table, from "*table" to "COMMIT\n".
  std::string Save(std::string_view table, bool counters = false);
  // The output of a shell command on the node.
  std::string Run(const std::string& command);

 private:
  std::string Name(Place place) const;
  void SetUp();
  bool Enter(int fd) const;

  std::string missing_;
  std::string prefix_;
  std::string input_file_;
  int home_ = -1;  // the namespace the test began in
  std::vector<int> places_;
};

// Stands in for the node's own addresses in the evaluator.
iptables::LocalAddresses KernelNodeAddresses();

}  // namespace kubemu

#endif  // KUBEMU_TESTS_NODE_IPTABLES_KERNEL_NET_H_
