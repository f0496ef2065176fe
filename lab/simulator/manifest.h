#ifndef KUBEMU_LAB_SIMULATOR_MANIFEST_H_
#define KUBEMU_LAB_SIMULATOR_MANIFEST_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kubemu {

// One document of a manifest, and where it belongs in the API.
struct ManifestObject {
  std::string collection;  // "/apis/apps/v1/namespaces/default/deployments"
  std::string name;
  std::string json;
};

// The documents of a YAML manifest (between lines "---"; empty ones are left out). The namespace
// is "default" where none is given. InvalidArgument: what is wrong, and in which document.
absl::StatusOr<std::vector<ManifestObject>> ReadManifest(std::string_view yaml);

}  // namespace kubemu

#endif  // KUBEMU_LAB_SIMULATOR_MANIFEST_H_
