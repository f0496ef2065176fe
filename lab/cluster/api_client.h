#ifndef KUBEMU_LAB_CLUSTER_API_CLIENT_H_
#define KUBEMU_LAB_CLUSTER_API_CLIENT_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace kubemu {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

// GET http://<address><target>, blocking, at most a few seconds. Unavailable if nobody answers.
absl::StatusOr<HttpAnswer> HttpGet(const std::string& address, const std::string& target);

// What the API server says of each node: name to its Ready condition ("True", "False", "Unknown").
absl::StatusOr<std::map<std::string, std::string>> NodeReadiness(const std::string& address);

// Each node's Lease: name to its renewTime, "2026-11-25T12:00:00.000000Z", "" if it has none.
absl::StatusOr<std::map<std::string, std::string>> LeaseRenewals(const std::string& address);

}  // namespace kubemu

#endif  // KUBEMU_LAB_CLUSTER_API_CLIENT_H_
