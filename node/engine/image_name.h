#ifndef KUBEMU_NODE_ENGINE_IMAGE_NAME_H_
#define KUBEMU_NODE_ENGINE_IMAGE_NAME_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kubemu {

// An image reference taken apart, with the defaults of distribution/reference filled in:
// "nginx" is docker.io/library/nginx:latest.
struct ImageName {
  std::string repository;  // "docker.io/library/nginx"
  std::string tag;         // "latest"; "" if there is only a digest
  std::string digest;      // "sha256:..." or ""

  // InvalidArgument says what is wrong ("repository name must be lowercase").
  static absl::StatusOr<ImageName> Parse(std::string_view text);

  // "docker.io/library/nginx:latest", as the node reports its images.
  std::string Full() const;
  // As people write it: "nginx", "hashicorp/http-echo", "registry.k8s.io/pause".
  std::string Familiar() const;
};

// 64 hexadecimal digits that look random and follow from `seed`: digests and container ids.
std::string HexDigits(std::string_view seed);

}  // namespace kubemu

#endif  // KUBEMU_NODE_ENGINE_IMAGE_NAME_H_
