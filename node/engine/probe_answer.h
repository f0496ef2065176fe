#ifndef KUBEMU_NODE_ENGINE_PROBE_ANSWER_H_
#define KUBEMU_NODE_ENGINE_PROBE_ANSWER_H_

#include <string>

#include "messages/core/random.h"
#include "messages/core/time.h"
#include "messages/proto/node.pb.h"
#include "node/network/pod_network.h"

namespace kubemu {

// What a command finds out, and how long that takes.
struct ProbeAnswer {
  Duration delay{};
  bool success = false;
  std::string message;  // why not, in the kubelet's words (pkg/probe)
};

// Runs the command of a probe or lifecycle hook in a running container of the pod at `address`, as
// a container would; what is no command of command_parser.h succeeds.
ProbeAnswer AnswerProbe(const bus::ProbeRequest& probe, const std::string& address,
                        const PodNetwork& network, Time now, Random& random);

}  // namespace kubemu

#endif  // KUBEMU_NODE_ENGINE_PROBE_ANSWER_H_
