#ifndef KUBEMU_MASTER_CONTROLLERS_ENDPOINT_SLICE_PLAN_H_
#define KUBEMU_MASTER_CONTROLLERS_ENDPOINT_SLICE_PLAN_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "messages/object.h"
#include "messages/proto/k8s/discovery.pb.h"

namespace kubemu {

// What an endpoint should be: a view on its pod, so that thousands of endpoints that are as they
// should be cost no copies.
struct WantedEndpoint {
  const Object* pod = nullptr;  // not owned
  std::string hostname;
  std::string zone;
  bool ready = false;
  bool serving = false;
  bool terminating = false;
  bool hints_zone = false;  // spec.trafficDistribution PreferClose: for its own zone

  const std::string& address() const;
  bool Equals(const k8s::discovery::v1::Endpoint& endpoint) const;
  k8s::discovery::v1::Endpoint Make() const;
};

// Endpoints of one service that have the same ports.
struct EndpointGroup {
  std::vector<k8s::discovery::v1::EndpointPort> ports;
  std::map<std::string, WantedEndpoint> endpoints;  // by address
};

struct EndpointSlicePlan {
  std::vector<k8s::discovery::v1::EndpointSlice> create;  // with metadata.generateName
  std::vector<k8s::discovery::v1::EndpointSlice> update;
  std::vector<Object> remove;

  bool empty() const { return create.empty() && update.empty() && remove.empty(); }
};

// The fewest changes that make `existing` hold the endpoints of `groups` (keyed by PortsKey), with
// at most `max` in each slice. An endpoint stays in the slice that has it; slices that change
// anyway are filled first; a slice that is no longer needed is used again rather than deleted when
// another one has to be made. Without any endpoint one empty slice remains. `like` has the
// metadata and address type of new slices; its labels are what all slices should have.
// Rules: endpointslice/reconciler.go.
EndpointSlicePlan PlanEndpointSlices(const std::map<std::string, EndpointGroup>& groups,
                                     const std::map<std::string, Object>& existing,
                                     const k8s::discovery::v1::EndpointSlice& like, size_t max);

// Equal for equal lists of ports.
template <class Ports>
std::string PortsKey(const Ports& ports) {
  std::string key;
  for (const auto& port : ports) {
    std::string bytes = port.SerializeAsString();
    key += std::to_string(bytes.size()) + ":" + bytes;
  }
  return key;
}

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_ENDPOINT_SLICE_PLAN_H_
