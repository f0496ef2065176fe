#ifndef KUBEMU_NODE_PROXY_PORT_CONFLICT_H_
#define KUBEMU_NODE_PROXY_PORT_CONFLICT_H_

#include <string>
#include <vector>

#include "node/proxy/service_map.h"

namespace kubemu::bus {
class ListenResult;
}

namespace kubemu::proxy {

// A port that the node should listen on and cannot: a Warning for people.
struct PortConflict {
  std::string service;  // "namespace/name" that the event is about; "": it is about the Node
  std::string reason;
  std::string message;
};

// What has failed with that answer of the door's. Health check ports as upstream tells of them
// (pkg/proxy/healthcheck); node ports as it did while kube-proxy listened on them itself (until
// kubernetes pull request 108496; the reason was the error's text).
std::vector<PortConflict> PortConflicts(const ServiceMap& services, const std::string& node,
                                        const bus::ListenResult& result);

}  // namespace kubemu::proxy

#endif  // KUBEMU_NODE_PROXY_PORT_CONFLICT_H_
