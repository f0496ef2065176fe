#ifndef KUBEMU_NODE_KUBELET_CONTAINER_ENV_H_
#define KUBEMU_NODE_KUBELET_CONTAINER_ENV_H_

#include <map>
#include <string>
#include <string_view>

#include "messages/core/ip.h"
#include "messages/object.h"
#include "messages/proto/node.pb.h"

namespace k8s::core::v1 {
class Container;
}

namespace kubemu {

// Fills in what the engine needs to start a container of `pod`: image, command, arguments and
// environment. $(NAME) in commands, arguments and values stands for a variable that was set before
// ($$(NAME) for itself). Of valueFrom, fieldRef is resolved (metadata.name, metadata.namespace,
// metadata.uid, metadata.labels['x'], metadata.annotations['x'], spec.nodeName,
// spec.serviceAccountName, status.podIP, status.hostIP); a variable that comes from a ConfigMap or
// Secret is left out, as an optional one is.
void FillStartContainer(const Object& pod, const k8s::core::v1::Container& container, Ipv4 pod_ip,
                        Ipv4 host_ip, bus::StartContainer* request);

// third_party/forked/golang/expansion. Unknown names stay as they are written.
std::string ExpandVariables(std::string_view text, const std::map<std::string, std::string>& env);

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_CONTAINER_ENV_H_
