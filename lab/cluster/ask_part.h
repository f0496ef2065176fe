#ifndef KUBEMU_LAB_CLUSTER_ASK_PART_H_
#define KUBEMU_LAB_CLUSTER_ASK_PART_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lab/cluster/topology.h"
#include "messages/component.h"

namespace kubemu {

// How the laboratory speaks with the parts of a running cluster: as the process "lab" on the bus,
// with everything it says and hears in the journal.

// Where a process listens: a node's address from its Node object, lb's and the master's from the
// topology. Errors say which process and what to do.
absl::StatusOr<std::string> EndpointOf(const Topology& topology, const std::string& process);

// Calls `ask` at once and again about every second, until `take` returns true for a message that
// came, or for a few seconds in all. Blocks. Unavailable: nobody answered.
absl::Status Converse(const Topology& topology, const std::string& process,
                      const std::function<void(Env&)>& ask,
                      const std::function<bool(const Message&)>& take);

// The answer of the part at address `part` in `process` ("node-2/iptables" in "node-2", "lb" in
// "lb") to an InspectRequest. Besides the errors of EndpointOf and Converse: InvalidArgument, what
// the part had against the question.
absl::StatusOr<std::string> AskPart(const Topology& topology, const std::string& process,
                                    const std::string& part, const std::string& question,
                                    const std::vector<std::string>& arguments);

}  // namespace kubemu

#endif  // KUBEMU_LAB_CLUSTER_ASK_PART_H_
