#ifndef KUBEMU_MESSAGES_CORE_VERSION_H_
#define KUBEMU_MESSAGES_CORE_VERSION_H_

#include <string_view>

namespace kubemu {

// The Kubernetes version that the API server, kubelet and kube-proxy show.
inline constexpr std::string_view kKubernetesVersion = "v1.33.0";

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_CORE_VERSION_H_
