#include "messages/runtime/network_spaces.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"

namespace kubemu {
namespace {

// Namespaces belong to threads; the loop has one, and only that one ever changes.
constexpr char kThisNetwork[] = "/proc/thread-self/ns/net";

int OpenThisNetwork() {
  return ::open(kThisNetwork, O_RDONLY | O_CLOEXEC);
}

// The effective capabilities of this process, as a bit set.
uint64_t Capabilities() {
  constexpr std::string_view kLine = "CapEff:";
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kLine)) return std::stoull(line.substr(kLine.size()), nullptr, 16);
  }
  return 0;
}

// True if "ip netns" gave the namespace a name.
bool HasName(const std::filesystem::path& space) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/run/netns", error)) {
    if (std::filesystem::equivalent(entry.path(), space, error)) return true;
  }
  return false;
}

absl::Status SystemError(std::string_view what) {
  return absl::InternalError(StrCat(what, ": ", std::strerror(errno)));
}

}  // namespace

NetworkSpaces::~NetworkSpaces() {
  for (const auto& [name, descriptor] : spaces_) ::close(descriptor);
  if (home_ >= 0) ::close(home_);
}

bool NetworkSpaces::Takes(const Message& message) {
  return message.kind == bus::OPEN_NETWORK || message.kind == bus::CLOSE_NETWORK;
}

void NetworkSpaces::Receive(const Message& message) {
  if (message.kind == bus::CLOSE_NETWORK) {
    const auto it = spaces_.find(message.As<bus::CloseNetwork>().name());
    if (it == spaces_.end()) return;
    ::close(it->second);
    spaces_.erase(it);
    return;
  }
  const std::string& name = message.As<bus::OpenNetwork>().name();
  bus::NetworkOpened opened;
  opened.set_name(name);
  const absl::Status status = Open(name);
  if (status.ok()) {
    opened.set_path(StrCat("/proc/", ::getpid(), "/fd/", spaces_.at(name)));
  } else {
    opened.set_error(std::string(status.message()));
    log_.Warn(opened.error());
  }
  host_->Inject(host_->process() + "/door", message.from, std::move(opened), message.Context());
}

absl::Status NetworkSpaces::Open(const std::string& name) {
  if (name.empty()) return absl::InvalidArgumentError("a network namespace needs a name");
  if (spaces_.contains(name)) return absl::OkStatus();
  if (spaces_.size() >= kSpacesMax) {
    return absl::ResourceExhaustedError(
        StrCat("limit: no more than ", kSpacesMax, " network namespaces"));
  }
  if (home_ < 0 && (home_ = OpenThisNetwork()) < 0) return SystemError(kThisNetwork);
  if (::unshare(CLONE_NEWNET) != 0) return SystemError("cannot make a network namespace");
  const int made = OpenThisNetwork();
  const int error = errno;
  // A loop that stayed in a pod's network would answer for the node from there.
  KUBEMU_CHECK(::setns(home_, CLONE_NEWNET) == 0);
  errno = error;
  if (made < 0) return SystemError(kThisNetwork);
  spaces_[name] = made;
  return absl::OkStatus();
}

absl::Status NetworkSpaces::Find(const std::string& name, int* descriptor) const {
  *descriptor = -1;
  if (name.empty()) return absl::OkStatus();
  const auto it = spaces_.find(name);
  if (it == spaces_.end()) {
    return absl::NotFoundError(StrCat("there is no network namespace \"", name, "\""));
  }
  *descriptor = it->second;
  return absl::OkStatus();
}

absl::Status NetworkSpaces::Inside(const std::string& name,
                                   const std::function<void()>& act) const {
  int descriptor = -1;
  if (absl::Status status = Find(name, &descriptor); !status.ok()) return status;
  if (descriptor < 0) {
    act();
    return absl::OkStatus();
  }
  if (::setns(descriptor, CLONE_NEWNET) != 0) {
    return SystemError(StrCat("cannot enter network namespace \"", name, "\""));
  }
  act();
  KUBEMU_CHECK(::setns(home_, CLONE_NEWNET) == 0);
  return absl::OkStatus();
}

absl::Status CheckOwnNetwork() {
  constexpr uint64_t kNeeded = uint64_t{1} << CAP_NET_ADMIN | uint64_t{1} << CAP_SYS_ADMIN;
  if ((Capabilities() & kNeeded) != kNeeded) {
    return absl::PermissionDeniedError(
        "this process may not change networks (CAP_NET_ADMIN and CAP_SYS_ADMIN); run it as root");
  }
  std::error_code error;
  const bool first = std::filesystem::equivalent("/proc/1/ns/net", "/proc/self/ns/net", error);
  // Some containers hide process 1 even from root: then it has to be one of "ip netns add".
  if (error && !HasName("/proc/self/ns/net")) {
    return absl::FailedPreconditionError(
        "cannot tell whether this network namespace is the machine's own: /proc/1/ns/net is not to "
        "be read, and the namespace has no name; start the node with \"ip netns exec NAMESPACE "
        "kubemu-node ...\"");
  }
  if (first) {
    return absl::FailedPreconditionError(
        "this is the machine's own network namespace, whose rules and routes are not kubemu's to "
        "change; start the node with \"ip netns exec NAMESPACE kubemu-node ...\"");
  }
  return absl::OkStatus();
}

}  // namespace kubemu
