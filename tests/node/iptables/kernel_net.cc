#include "tests/node/iptables/kernel_net.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr std::string_view kPlaceNames[] = {"client", "node", "pods", "others"};

std::string ShellOutput(const std::string& command, int* code) {
  FILE* pipe = popen(StrCat(command, " 2>&1").c_str(), "r");
  std::string output;
  std::array<char, 4096> buffer;
  for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), n);
  }
  *code = pclose(pipe);
  return output;
}

bool Shell(const std::string& command) {
  int code = 0;
  ShellOutput(command, &code);
  return code == 0;
}

void AddAddresses(std::string* batch, std::string_view device, int count, Ipv4 (*address)(int)) {
  for (int i = 0; i < count; ++i) {
    StrAppend(batch, "addr add ", address(i).ToString(), "/32 dev ", device, "\n");
  }
}

// For `ip -batch`: the addresses and routes of each place.
std::string Batch(KernelNet::Place place) {
  std::string batch = "link set lo up\n";
  switch (place) {
    case KernelNet::kClient:
      StrAppend(&batch, "addr add 203.0.113.200/24 dev uplink\nlink set uplink up\n");
      AddAddresses(&batch, "uplink", KernelNet::kClients, KernelNet::Client);
      return batch + "route add default via 203.0.113.254\n";
    case KernelNet::kNode:
      StrAppend(&batch, "addr add ", KernelNet::kNodeIp.ToString(), "/32 dev lo\n",
                "addr add 203.0.113.254/24 dev clients\nlink set clients up\n",
                "addr add 10.180.0.254/24 dev pods\nlink set pods up\n",
                "addr add 10.180.1.254/24 dev others\nlink set others up\n");
      return batch + "route add default via 203.0.113.200\n";
    case KernelNet::kPods:
      StrAppend(&batch, "addr add 10.180.0.200/24 dev uplink\nlink set uplink up\n");
      AddAddresses(&batch, "uplink", KernelNet::kPodCount, KernelNet::Pod);
      return batch + "route add default via 10.180.0.254\n";
    case KernelNet::kOtherPods:
      StrAppend(&batch, "addr add 10.180.1.200/24 dev uplink\nlink set uplink up\n");
      AddAddresses(&batch, "uplink", KernelNet::kOtherPodCount, KernelNet::OtherPod);
      return batch + "route add default via 10.180.1.254\n";
    case KernelNet::kPlaceCount:
      break;
  }
  return batch;
}

}  // namespace

std::string KernelNet::Name(Place place) const {
  return StrCat(prefix_, "-", kPlaceNames[place]);
}

KernelNet::KernelNet()
    : prefix_(StrCat("kubemu-k", ::getpid())),
      input_file_(StrCat(testing::TempDir(), prefix_, ".rules")) {
  SetUp();
}

void KernelNet::SetUp() {
  if (!Shell("command -v iptables-restore && command -v ip")) {
    missing_ = "iptables-restore or ip is not installed";
    return;
  }
  home_ = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  for (int i = 0; i < kPlaceCount; ++i) {
    const std::string name = Name(static_cast<Place>(i));
    if (!Shell("ip netns add " + name)) {
      missing_ = "this user may not make network namespaces";
      return;
    }
    places_.push_back(::open(StrCat("/var/run/netns/", name).c_str(), O_RDONLY | O_CLOEXEC));
  }
  const std::string node = Name(kNode);
  const auto connect = [&](std::string_view device, Place place) {
    return Shell(StrCat("ip link add ", device, " netns ", node,
                        " type veth peer name uplink netns ", Name(place)));
  };
  if (!connect("clients", kClient) || !connect("pods", kPods) || !connect("others", kOtherPods)) {
    missing_ = "the kernel has no veth devices";
    return;
  }
  for (int i = 0; i < kPlaceCount; ++i) {
    std::ofstream(input_file_) << Batch(static_cast<Place>(i));
    int code = 0;
    const std::string said =
        ShellOutput(StrCat("ip -n ", Name(static_cast<Place>(i)), " -batch ", input_file_), &code);
    if (code != 0) missing_ = StrCat("addresses cannot be set: ", said);
  }
  // Every REJECT answers at once, and a pod may hear from itself.
  Run("cd /proc/sys/net/ipv4; echo 1 > ip_forward; echo 0 > icmp_ratelimit; "
      "echo 100000 > icmp_msgs_per_sec; echo 100000 > icmp_msgs_burst; "
      "for f in conf/*/rp_filter; do echo 0 > $f; done");
  Shell(StrCat("ip netns exec ", Name(kPods),
               " sh -c 'cd /proc/sys/net/ipv4/conf; for f in */rp_filter; do echo 0 > $f; done; "
               "for f in */accept_local; do echo 1 > $f; done'"));
  if (Run("iptables -t nat -S").find("-P POSTROUTING") == std::string::npos) {
    missing_ = "the kernel has no nat table";
  }
}

KernelNet::~KernelNet() {
  for (int fd : places_) ::close(fd);
  for (size_t i = 0; i < places_.size(); ++i) Shell("ip netns del " + Name(static_cast<Place>(i)));
  if (home_ >= 0) ::close(home_);
  std::remove(input_file_.c_str());
}

bool KernelNet::Enter(int fd) const {
  return ::setns(fd, CLONE_NEWNET) == 0;
}

int KernelNet::Socket(Place place, int type) {
  EXPECT_TRUE(Enter(places_[place]));
  const int fd = ::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  EXPECT_TRUE(Enter(home_));
  EXPECT_GE(fd, 0);
  return fd;
}

std::string KernelNet::Run(const std::string& command) {
  int code = 0;
  return ShellOutput(StrCat("ip netns exec ", Name(kNode), " sh -c '", command, "'"), &code);
}

std::string KernelNet::Restore(const std::string& text, bool noflush) {
  std::ofstream(input_file_) << text;
  return Run(StrCat("iptables-restore ", noflush ? "--noflush " : "", input_file_));
}

std::string KernelNet::Save(std::string_view table, bool counters) {
  const std::string output = Run(StrCat("iptables-save ", counters ? "-c " : "", "-t ", table));
  const size_t begin = output.find('*');
  const size_t end = output.find("COMMIT\n");
  if (begin == std::string::npos || end == std::string::npos) return output;
  return output.substr(begin, end + 7 - begin);
}

iptables::LocalAddresses KernelNodeAddresses() {
  iptables::LocalAddresses local;
  for (const Ipv4 ip :
       {KernelNet::kNodeIp, Ipv4(203, 0, 113, 254), Ipv4(10, 180, 0, 254), Ipv4(10, 180, 1, 254)}) {
    local.Add(Ipv4Network(ip, 32));
  }
  local.Add(Ipv4Network(Ipv4(127, 0, 0, 0), 8));
  return local;
}

}  // namespace kubemu
