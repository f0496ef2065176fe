#ifndef KUBEMU_MESSAGES_RUNTIME_NETWORK_SPACES_H_
#define KUBEMU_MESSAGES_RUNTIME_NETWORK_SPACES_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "messages/message.h"
#include "messages/runtime/rate_limited_log.h"
#include "messages/runtime/runtime_host.h"

namespace kubemu {

// The network namespaces that a process made for its parts (OpenNetwork, CloseNetwork). They have
// no name in the system and hang on descriptors of this process: the kernel takes them away, with
// all interfaces in them, when the process ends, also by SIGKILL. Making and entering one needs
// CAP_SYS_ADMIN.
class NetworkSpaces {
 public:
  static constexpr size_t kSpacesMax = 4096;

  // `host` is not owned.
  explicit NetworkSpaces(RuntimeHost* host) : host_(host) {}
  ~NetworkSpaces();
  NetworkSpaces(const NetworkSpaces&) = delete;
  NetworkSpaces& operator=(const NetworkSpaces&) = delete;

  // True for OpenNetwork and CloseNetwork.
  static bool Takes(const Message& message);
  // REQUIRES: Takes(message).
  void Receive(const Message& message);

  // Calls `act` while this thread is in the namespace of that name ("": the process's own): a
  // socket belongs for ever to the namespace that it was made in. NotFound if there is none.
  absl::Status Inside(const std::string& name, const std::function<void()>& act) const;
  // A descriptor of the namespace, for setns; -1 for "". NotFound if there is none.
  absl::Status Find(const std::string& name, int* descriptor) const;

 private:
  absl::Status Open(const std::string& name);

  RuntimeHost* const host_;
  int home_ = -1;                      // the process's own; opened with the first other one
  std::map<std::string, int> spaces_;  // name to descriptor
  RateLimitedLog log_;
};

// OK if this process may make and change networks (CAP_SYS_ADMIN, CAP_NET_ADMIN) and is in another
// network namespace than process 1 (where that is hidden: in one that "ip netns" made): what it
// does to interfaces, routes and rules is then nobody else's. The error says which of them is not
// so, and what to do.
absl::Status CheckOwnNetwork();

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_NETWORK_SPACES_H_
