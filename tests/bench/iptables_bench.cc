// What rules cost with many Services: a change of one endpoint, and the lookup of a first packet,
// here and in the kernel (iptables-nft's linear chains, an nftables verdict map). Prints one figure
// per line: "name value".
//   iptables_bench [--kernel-services N]     how many the kernel gets at most; 0: no kernel
//                  [--services N...]         how many our rules are measured with
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "node/iptables/evaluate.h"
#include "node/proxy/rule_compiler.h"
#include "tests/node/iptables/kernel_net.h"

namespace kubemu {
namespace {

using BenchClock = std::chrono::steady_clock;

constexpr int kEndpoints = 3;
constexpr uint16_t kPort = 8080;

double Nanoseconds(BenchClock::duration duration) {
  return std::chrono::duration<double, std::nano>(duration).count();
}

// The median time of one call, in nanoseconds.
double MedianOf(int rounds, const std::function<void(int)>& call) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = BenchClock::now();
    call(i);
    times.push_back(Nanoseconds(BenchClock::now() - begin));
  }
  std::nth_element(times.begin(), times.begin() + rounds / 2, times.end());
  return times[static_cast<size_t>(rounds / 2)];
}

void Print(const std::string& name, double value) {
  std::printf("%s %.1f\n", name.c_str(), value);
  std::fflush(stdout);
}

Ipv4 ServiceIp(int service) {
  return Ipv4(Ipv4(172, 16, 0, 0).bits() + static_cast<uint32_t>(service) + 1);
}

// `services` Services of three endpoints each. The endpoints are pods of KernelNet, taken in turns,
// so that the kernel has somebody to answer.
class ManyServices {
 public:
  explicit ManyServices(int services) : services_(services) {
    node_.name = "node-1";
    node_.ip = KernelNet::kNodeIp;
    node_.cluster_cidr = Ipv4Network(Ipv4(10, 180, 0, 0), 16);
    for (int i = 0; i < services; ++i) {
      const proxy::ServicePortName name = NameOf(i);
      map_.SetService(name.service, {{name, {.cluster_ip = ServiceIp(i), .port = 80}}});
      SetEndpoints(i, 0);
    }
    full_ = compiler_.Full(map_, node_);
    map_.TakeChanged();
    Restore(full_, false);
  }

  // One endpoint of one Service gives way to another; the text for --noflush.
  std::string Change(int service, int round) {
    SetEndpoints(service, round);
    return compiler_.Partial(map_, node_, map_.TakeChanged());
  }
  void Restore(const std::string& text, bool noflush) {
    auto input = iptables::ParseRestore(text);
    KUBEMU_CHECK(input.ok());
    KUBEMU_CHECK(ruleset_.Restore(*std::move(input), noflush).ok());
  }
  const std::string& full() const { return full_; }

  void Lookup(Ipv4 destination) {
    iptables::Packet packet;
    packet.source = Ipv4(203, 0, 113, 9);
    packet.source_port = 4000;
    packet.destination = destination;
    packet.destination_port = 80;
    const iptables::Verdict verdict =
        iptables::Evaluate(ruleset_, packet, {local_, random_, Time{}});
    hits_ += verdict.dnat.has_value() ? 1 : 0;
  }

 private:
  static proxy::ServicePortName NameOf(int i) { return {StrCat("ns/svc-", i), "", {}}; }
  void SetEndpoints(int service, int round) {
    std::vector<proxy::EndpointInfo> endpoints;
    for (int i = 0; i < kEndpoints; ++i) {
      const int pod = (service + i + (i == 0 ? round * kEndpoints : 0)) % KernelNet::kPodCount;
      endpoints.push_back({.address = {KernelNet::Pod(pod), kPort}, .node = "node-2"});
    }
    const proxy::ServicePortName name = NameOf(service);
    map_.SetSlice(name.service, name.service, {{name, std::move(endpoints)}});
  }

  const int services_;
  proxy::ServiceMap map_;
  proxy::ProxyNode node_;
  proxy::RuleCompiler compiler_;
  std::string full_;
  iptables::Ruleset ruleset_;
  const iptables::LocalAddresses local_ = KernelNodeAddresses();
  Random random_{1};
  uint64_t hits_ = 0;
};

void BenchOurs(int services) {
  ManyServices many(services);
  const std::string suffix = StrCat("_", services);
  size_t bytes = 0;
  Print("kubemu_change_us" + suffix, MedianOf(201, [&](int round) {
                                       const std::string text =
                                           many.Change(services / 2, round + 1);
                                       bytes = text.size();
                                       many.Restore(text, true);
                                     }) / 1000);
  Print("kubemu_change_bytes" + suffix, static_cast<double>(bytes));
  const int rounds = 20001;
  const auto lookup = [&](const std::string& which, const std::function<Ipv4(int)>& where) {
    Print(StrCat("kubemu_", which, "_ns", suffix),
          MedianOf(rounds, [&](int round) { many.Lookup(where(round)); }));
  };
  lookup("first", [](int) { return ServiceIp(0); });
  lookup("last", [&](int) { return ServiceIp(services - 1); });
  lookup("any", [&](int round) {
    return ServiceIp(
        static_cast<int>((static_cast<uint64_t>(round) * 7919) % static_cast<uint64_t>(services)));
  });
  lookup("none", [](int) { return Ipv4(10, 180, 0, 1); });
}

// Connections through the real kernel, one at a time.
class KernelPath {
 public:
  KernelPath() {
    for (int i = 0; i < KernelNet::kPodCount; ++i) {
      const int fd = net_.Socket(KernelNet::kPods, SOCK_STREAM);
      const sockaddr_in raw = Raw({KernelNet::Pod(i), kPort});
      KUBEMU_CHECK(::bind(fd, reinterpret_cast<const sockaddr*>(&raw), sizeof raw) == 0);
      KUBEMU_CHECK(::listen(fd, 4096) == 0);
    }
  }
  KernelNet& net() { return net_; }

  // The median time until a connection stands, in microseconds.
  double Connect(SocketAddress to) {
    return MedianOf(801,
                    [&](int) {
                      const int fd = net_.Socket(KernelNet::kClient, SOCK_STREAM);
                      const sockaddr_in raw = Raw(to);
                      ::connect(fd, reinterpret_cast<const sockaddr*>(&raw), sizeof raw);
                      pollfd ready{fd, POLLOUT, 0};
                      KUBEMU_CHECK(::poll(&ready, 1, 2000) == 1);
                      const linger now{1, 0};
                      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
                      ::close(fd);
                    }) /
           1000;
  }

 private:
  static sockaddr_in Raw(SocketAddress address) {
    sockaddr_in raw{};
    raw.sin_family = AF_INET;
    raw.sin_addr.s_addr = htonl(address.ip.bits());
    raw.sin_port = htons(address.port);
    return raw;
  }
  KernelNet net_;
};

double Milliseconds(const std::function<void()>& call) {
  const auto begin = BenchClock::now();
  call();
  return Nanoseconds(BenchClock::now() - begin) / 1e6;
}

void PrintWays(KernelPath& path, const std::string& what, int services, double bare) {
  const auto print = [&](const std::string& which, SocketAddress to) {
    Print(StrCat(what, "_", which, "_us_", services), path.Connect(to) - bare);
  };
  print("first", {ServiceIp(0), 80});
  print("last", {ServiceIp(services - 1), 80});
  print("none", {KernelNet::Pod(0), kPort});
}

// The same Services as nftables has them: one verdict map, one chain per Service.
std::string NftText(int services) {
  std::string text = "table ip bench {\n";
  for (int i = 0; i < services; ++i) {
    StrAppend(&text, "chain s", i, " { meta l4proto tcp dnat to numgen random mod 3 map { ");
    for (int e = 0; e < kEndpoints; ++e) {
      StrAppend(&text, e == 0 ? "" : ", ", e, " : ",
                KernelNet::Pod((i + e) % KernelNet::kPodCount).ToString());
    }
    StrAppend(&text, " }:", kPort, "; }\n");
  }
  text += "map services { type ipv4_addr . inet_proto . inet_service : verdict; elements = {\n";
  for (int i = 0; i < services; ++i) {
    StrAppend(&text, ServiceIp(i).ToString(), " . tcp . 80 : goto s", i, ",\n");
  }
  return text +
         "} }\nchain pre { type nat hook prerouting priority -100;\n"
         "ip daddr . meta l4proto . th dport vmap @services; }\n}\n";
}

void BenchKernel(int services) {
  KernelPath path;
  if (!path.net().missing().empty()) {
    std::fprintf(stderr, "iptables_bench: no kernel figures: %s\n", path.net().missing().c_str());
    return;
  }
  const double bare = path.Connect({KernelNet::Pod(0), kPort});
  Print("kernel_bare_connect_us", bare);
  ManyServices many(services);
  Print(StrCat("iptables_load_ms_", services),
        Milliseconds([&] { KUBEMU_CHECK(path.net().Restore(many.full(), false).empty()); }));
  PrintWays(path, "iptables", services, bare);
  const std::string change = many.Change(services / 2, 1);
  Print(StrCat("iptables_change_ms_", services),
        Milliseconds([&] { KUBEMU_CHECK(path.net().Restore(change, true).empty()); }));
  path.net().Run("iptables -F; iptables -t nat -F; iptables -X; iptables -t nat -X");

  if (path.net().Run("nft --version").find("nftables") == std::string::npos) {
    std::fprintf(stderr, "iptables_bench: nft is not installed: no nftables figures\n");
    return;
  }
  const std::string file = StrCat("/tmp/iptables_bench.", ::getpid(), ".nft");
  std::ofstream(file) << NftText(services);
  std::string said;
  Print(StrCat("nftables_load_ms_", services),
        Milliseconds([&] { said = path.net().Run("nft -f " + file); }));
  if (!said.empty()) std::fprintf(stderr, "iptables_bench: nft: %.400s\n", said.c_str());
  PrintWays(path, "nftables", services, bare);
  const int changed = services / 2;
  std::ofstream(file) << "flush chain ip bench s" << changed << "\nadd rule ip bench s" << changed
                      << " meta l4proto tcp dnat to " << KernelNet::Pod(5).ToString() << ":"
                      << kPort << "\n";
  Print(StrCat("nftables_change_ms_", services),
        Milliseconds([&] { path.net().Run("nft -f " + file); }));
  std::remove(file.c_str());
}

int Main(int argc, char** argv) {
  CLI::App app("What iptables rules cost with many Services.", "iptables_bench");
  int kernel_services = 1000;
  app.add_option("--kernel-services", kernel_services, "how many the kernel gets at most")
      ->capture_default_str();
  std::vector<int> ours = {100, 1000, 10000};
  app.add_option("--services", ours, "how many Services our rules are measured with")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  for (const int services : ours) BenchOurs(services);
  for (const int services : {100, 1000, 5000}) {
    if (services <= kernel_services) BenchKernel(services);
  }
  return 0;
}

}  // namespace
}  // namespace kubemu

int main(int argc, char** argv) {
  return kubemu::Main(argc, argv);
}
