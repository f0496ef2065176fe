#ifndef KUBEMU_NODE_KUBELET_CONTAINER_ENV_H_
#define KUBEMU_NODE_KUBELET_CONTAINER_ENV_H_

#include <map>
#include <string>
#include <string_view>

#include "messages/core/ip.h"
#include "messages/object.h"
#include "messages/proto/node.pb.h"
#include "node/kubelet/config_sources.h"
#include "node/kubelet/kubelet_options.h"

namespace k8s::core::v1 {
class Container;
}

namespace kubemu {

// Fills in what the engine needs to start a container of `pod`: image, command, arguments and
// environment. $(NAME) in commands, arguments and values stands for a variable that was set before
// ($$(NAME) for itself). Variables come from envFrom first, then from env, where a later one of a
// name takes its place: values, fields of the pod (metadata.name, metadata.namespace, metadata.uid,
// metadata.labels['x'], metadata.annotations['x'], spec.nodeName, spec.serviceAccountName,
// status.podIP, status.hostIP), requests and limits (a limit that is not set is the node's
// capacity), keys of ConfigMaps and Secrets.
// Returns "", or why it cannot be started in the real kubelet's words: `configmap "x" not found`.
// REQUIRES: `sources` has what the container names.
// Rule: pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables.
std::string FillStartContainer(const Object& pod, const k8s::core::v1::Container& container,
                               Ipv4 pod_ip, const KubeletOptions& options,
                               const ConfigSources& sources, bus::StartContainer* request);

// third_party/forked/golang/expansion. Unknown names stay as they are written.
std::string ExpandVariables(std::string_view text, const std::map<std::string, std::string>& env);

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_CONTAINER_ENV_H_
