#ifndef KUBEMU_MASTER_APISERVER_HTTP_TARGET_H_
#define KUBEMU_MASTER_APISERVER_HTTP_TARGET_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace kubemu {

// The target of an HTTP request, taken apart: "/api/v1/pods?limit=500".
struct HttpTarget {
  std::string path;                                        // as sent, without the query
  std::vector<std::string> segments;                       // decoded; without empty ones at the end
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order

  // InvalidArgument: a '%' without two hexadecimal digits, or a control character.
  static absl::StatusOr<HttpTarget> Parse(std::string_view target);

  // The first value of a parameter; "" if it is not there.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  // "true" and "1", and a parameter without a value, as Go's strconv and Kubernetes read booleans.
  bool Flag(std::string_view name) const;
  // 0 if it is absent or no number.
  int64_t Number(std::string_view name) const;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_HTTP_TARGET_H_
