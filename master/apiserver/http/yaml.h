#ifndef KUBEMU_MASTER_APISERVER_HTTP_YAML_H_
#define KUBEMU_MASTER_APISERVER_HTTP_YAML_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kubemu {

// One YAML document (JSON is YAML too) as JSON text. InvalidArgument says what is wrong and where;
// documents nested deeper than kJsonDepthMax, and aliases, are refused.
absl::StatusOr<std::string> YamlToJson(std::string_view text);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_HTTP_YAML_H_
