#ifndef KUBEMU_NODE_PROXY_API_OBJECTS_H_
#define KUBEMU_NODE_PROXY_API_OBJECTS_H_

#include <string>

#include "node/proxy/service_map.h"

namespace k8s::core::v1 {
class Service;
}
namespace k8s::discovery::v1 {
class EndpointSlice;
}

namespace kubemu::proxy {

// What kube-proxy takes from a Service (pkg/proxy/serviceport.go). Empty for headless Services and
// ExternalName. IPv6 addresses are left out: kubemu's networks are IPv4.
ServicePorts PortsOf(const k8s::core::v1::Service& service);

// "namespace/name" of the Service that a slice belongs to; "" if it names none or is not for IPv4.
std::string ServiceOf(const k8s::discovery::v1::EndpointSlice& slice);
// What kube-proxy takes from a slice that belongs to `service` (pkg/proxy/endpointslicecache.go).
EndpointsByPort EndpointsOf(const k8s::discovery::v1::EndpointSlice& slice,
                            const std::string& service);

}  // namespace kubemu::proxy

#endif  // KUBEMU_NODE_PROXY_API_OBJECTS_H_
