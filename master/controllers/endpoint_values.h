#ifndef KUBEMU_MASTER_CONTROLLERS_ENDPOINT_VALUES_H_
#define KUBEMU_MASTER_CONTROLLERS_ENDPOINT_VALUES_H_

#include <string>
#include <vector>

#include "messages/object.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

// What Endpoints and EndpointSlices have in common: pure functions of services and pods.
// Rules: endpointslice/utils.go, pkg/controller/util/endpoint/controller_utils.go.

// The port of a pod behind one port of a service.
struct BackendPort {
  std::string name;
  std::string protocol;
  int32_t port = 0;
  std::string app_protocol;

  auto operator<=>(const BackendPort&) const = default;
};

// True if the endpoints of this service are ours to write: it has a selector and is not of type
// ExternalName.
bool HasEndpoints(const Object& service);

// True if the pod is one of a service's endpoints, ready or not: it has an address and is not
// finished.
bool IsEndpoint(const Object& pod);

bool IsPodReady(const Object& pod);
bool IsTerminating(const Object& object);

// In the order of the service's ports. A port that names a container port which the pod does not
// have is left out.
std::vector<BackendPort> PortsOf(const Object& service, const Object& pod);

// True if the service has no cluster address of its own.
bool IsHeadless(const Object& service);

// The pod's hostname if the service is its subdomain, else "".
std::string HostnameIn(const Object& service, const Object& pod);

// The labels of the service without those that only these controllers write, and the headless mark.
std::vector<k8s::meta::v1::StringEntry> InheritedLabels(const Object& service);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_ENDPOINT_VALUES_H_
