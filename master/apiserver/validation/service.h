#ifndef KUBEMU_MASTER_APISERVER_VALIDATION_SERVICE_H_
#define KUBEMU_MASTER_APISERVER_VALIDATION_SERVICE_H_

#include "messages/api/field_errors.h"

namespace k8s::core::v1 {
class Endpoints;
class Service;
}  // namespace k8s::core::v1
namespace k8s::discovery::v1 {
class EndpointSlice;
}

namespace kubemu {

// Whether an address or node port is free and in range is the allocator's to say.
// Rules: pkg/apis/core/validation/validation.go, pkg/apis/discovery/validation/validation.go.
void ValidateService(const ::k8s::core::v1::Service& service, FieldErrorList* errors);
// The address of a service stays what it is.
void ValidateServiceUpdate(const ::k8s::core::v1::Service& old_service,
                           const ::k8s::core::v1::Service& new_service, FieldErrorList* errors);

void ValidateEndpoints(const ::k8s::core::v1::Endpoints& endpoints, FieldErrorList* errors);

inline constexpr int kSliceEndpointsMax = 1000;
inline constexpr int kSlicePortsMax = 20'000;
inline constexpr int kEndpointAddressesMax = 100;

void ValidateEndpointSlice(const ::k8s::discovery::v1::EndpointSlice& slice,
                           FieldErrorList* errors);
void ValidateEndpointSliceUpdate(const ::k8s::discovery::v1::EndpointSlice& old_slice,
                                 const ::k8s::discovery::v1::EndpointSlice& new_slice,
                                 FieldErrorList* errors);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_VALIDATION_SERVICE_H_
