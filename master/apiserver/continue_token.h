#ifndef KUBEMU_MASTER_APISERVER_CONTINUE_TOKEN_H_
#define KUBEMU_MASTER_APISERVER_CONTINUE_TOKEN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kubemu {

// Where the next page of a list begins: base64url of {"v":"meta.k8s.io/v1","rv":N,"start":"key"}
// (apiserver/pkg/storage/continue.go). Clients hand it back as it is.
struct ContinueToken {
  uint64_t revision = 0;  // of the first page; 0: whatever is now
  std::string start;      // first key of the page

  std::string Encode() const;
  // None: it is no token of ours.
  static std::optional<ContinueToken> Decode(std::string_view text);
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_CONTINUE_TOKEN_H_
