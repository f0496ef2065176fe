#ifndef KUBEMU_NODE_KUBELET_POD_CONTEXT_H_
#define KUBEMU_NODE_KUBELET_POD_CONTEXT_H_

#include <cstdint>
#include <map>
#include <string>

#include "messages/api/calls.h"
#include "messages/api/event_recorder.h"
#include "messages/component.h"
#include "node/kubelet/kubelet_options.h"
#include "node/kubelet/node_object.h"
#include "node/kubelet/pod_connections.h"

namespace kubemu {

// What the parts of one kubelet share while one of them is stepped. Never kept.
struct PodContext {
  const KubeletOptions& options;
  Calls& calls;
  EventRecorder& events;
  PodConnections& connections;
  const std::map<std::string, NodeImage>& images;  // on the node, by the name that was asked for
  const std::string& pod_cidr;
  bool engine_up;
  uint64_t& next_probe;  // number of the next probe
  Env& env;

  std::string engine() const { return options.node + "/engine"; }
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_POD_CONTEXT_H_
