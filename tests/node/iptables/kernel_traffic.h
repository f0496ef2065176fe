#ifndef KUBEMU_TESTS_NODE_IPTABLES_KERNEL_TRAFFIC_H_
#define KUBEMU_TESTS_NODE_IPTABLES_KERNEL_TRAFFIC_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "messages/core/ip.h"
#include "tests/node/iptables/kernel_net.h"

namespace kubemu {

// One real connection, or one datagram and its answer.
struct Probe {
  enum class Result {
    kNothing,   // no answer
    kAnswered,  // by `endpoint`
    kRejected,  // ICMP says no
    kReset,     // TCP says no: nobody listens
    kFailed,    // another error, `error`
  };
  KernelNet::Place place = KernelNet::kClient;
  iptables::Protocol protocol = iptables::Protocol::kTcp;
  Ipv4 source{};
  SocketAddress destination{};
  bool silence_expected = false;  // nobody waits long for it
  bool keep = false;              // TCP: stays open, in `fd`

  Result result = Result::kNothing;
  SocketAddress endpoint{};  // who answered
  SocketAddress seen{};      // the source it saw
  uint16_t source_port = 0;
  int error = 0;
  int fd = -1;
};

// Listeners on all endpoints of a KernelNet, who say who they are and whom they see, and many
// connections to them at a time.
class KernelTraffic {
 public:
  // Everyone listens at `port`, TCP and UDP.
  KernelTraffic(KernelNet* net, uint16_t port);
  ~KernelTraffic();
  KernelTraffic(const KernelTraffic&) = delete;
  KernelTraffic& operator=(const KernelTraffic&) = delete;

  // Makes all connections, some hundred at once, and fills in what came of them.
  void Run(std::vector<Probe>* probes);
  // Asks once more over a kept connection: who answers now; 0.0.0.0:0 if nobody does.
  SocketAddress AskAgain(const Probe& probe);

 private:
  static constexpr size_t kAtOnceMax = 400;
  static constexpr int kAnswerMs = 8000;  // for answers that are expected
  static constexpr int kSilenceMs = 200;  // after the last of those
  static constexpr uint16_t kFirstPort = 10000;

  enum class Kind { kListener, kServed, kUdpServer, kProbe };
  struct Watched {
    Kind kind;
    Probe* probe = nullptr;
  };

  void Watch(int fd, uint32_t events, Watched watched);
  void Close(int fd);
  void Begin(Probe* probe);
  // Handles what happens within `ms`; false: nothing did.
  bool Step(int ms);
  void OnListener(int fd);
  void OnServed(int fd);
  void OnUdpServer(int fd);
  void OnProbe(int fd, Probe* probe, uint32_t events);
  void Finish(int fd, Probe* probe, Probe::Result result);

  KernelNet* const net_;
  int epoll_ = -1;
  std::map<int, Watched> watched_;
  std::map<Ipv4, uint16_t> next_port_;  // by source, so that no two connections are alike
  size_t expected_ = 0;                 // probes under way that should be answered
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_NODE_IPTABLES_KERNEL_TRAFFIC_H_
