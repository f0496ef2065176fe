// The Endpoints and EndpointSlice half of service.h.
#include <set>
#include <string>

#include "master/apiserver/validation/metadata.h"
#include "master/apiserver/validation/service.h"
#include "messages/api/names.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/discovery.pb.h"

namespace kubemu {
namespace {

namespace core = ::k8s::core::v1;
namespace discovery = ::k8s::discovery::v1;

void ValidateSubset(const core::EndpointSubset& subset, const FieldPath& path,
                    FieldErrorList* errors) {
  if (subset.addresses().empty() && subset.not_ready_addresses().empty()) {
    errors->Required(path, "must specify `addresses` or `notReadyAddresses`");
  }
  for (int i = 0; i < subset.addresses_size(); ++i) {
    errors->Invalid(path.Child("addresses").Index(i).Child("ip"), subset.addresses(i).ip(),
                    CheckIp(subset.addresses(i).ip()));
  }
  for (int i = 0; i < subset.not_ready_addresses_size(); ++i) {
    errors->Invalid(path.Child("notReadyAddresses").Index(i).Child("ip"),
                    subset.not_ready_addresses(i).ip(),
                    CheckIp(subset.not_ready_addresses(i).ip()));
  }
  for (int i = 0; i < subset.ports_size(); ++i) {
    const core::EndpointPort& port = subset.ports(i);
    const FieldPath port_path = path.Child("ports").Index(i);
    if (!port.name().empty()) {
      errors->Invalid(port_path.Child("name"), port.name(), CheckDns1123Label(port.name()));
    } else if (subset.ports_size() > 1) {
      errors->Required(port_path.Child("name"));
    }
    const Complaints bad = CheckPortNumber(port.port());
    if (!bad.empty()) errors->Invalid(port_path.Child("port"), port.port(), bad.front());
    ValidateChoice(port.protocol(), {"SCTP", "TCP", "UDP"}, port_path.Child("protocol"), errors);
  }
}

void TooMany(const FieldPath& path, int count, int limit, FieldErrorList* errors) {
  errors->Add({FieldErrorType::kTooMany, path.text(), StrCat(count),
               StrCat("must have at most ", limit, " items")});
}

void ValidateSliceAddress(const std::string& address, const std::string& type,
                          const FieldPath& path, FieldErrorList* errors) {
  if (type == "IPv4") {
    if (!IsIpv4(address)) errors->Invalid(path, address, "must be an IPv4 address");
  } else if (type == "IPv6") {
    if (!IsIpv6(address)) errors->Invalid(path, address, "must be an IPv6 address");
  } else if (type == "FQDN") {
    errors->Invalid(path, address, CheckDns1123Subdomain(address));
  }
}

void ValidateSliceEndpoint(const discovery::Endpoint& endpoint, const std::string& type,
                           const FieldPath& path, FieldErrorList* errors) {
  const FieldPath addresses = path.Child("addresses");
  if (endpoint.addresses().empty()) {
    errors->Required(addresses, "must contain at least 1 address");
  } else if (endpoint.addresses_size() > kEndpointAddressesMax) {
    TooMany(addresses, endpoint.addresses_size(), kEndpointAddressesMax, errors);
  }
  for (int i = 0; i < endpoint.addresses_size(); ++i) {
    ValidateSliceAddress(endpoint.addresses(i), type, addresses.Index(i), errors);
  }
  if (endpoint.has_node_name()) {
    errors->Invalid(path.Child("nodeName"), endpoint.node_name(),
                    CheckDns1123Subdomain(endpoint.node_name()));
  }
}

void ValidateSlicePorts(const discovery::EndpointSlice& slice, const FieldPath& path,
                        FieldErrorList* errors) {
  if (slice.ports_size() > kSlicePortsMax) {
    TooMany(path, slice.ports_size(), kSlicePortsMax, errors);
    return;
  }
  std::set<std::string> names;
  for (int i = 0; i < slice.ports_size(); ++i) {
    const discovery::EndpointPort& port = slice.ports(i);
    const FieldPath port_path = path.Index(i);
    if (!port.name().empty()) {
      errors->Invalid(port_path.Child("name"), port.name(), CheckDns1123Label(port.name()));
    }
    if (!names.insert(port.name()).second) errors->Duplicate(port_path.Child("name"), port.name());
    if (port.has_port()) {
      const Complaints bad = CheckPortNumber(port.port());
      if (!bad.empty()) errors->Invalid(port_path.Child("port"), port.port(), bad.front());
    }
    ValidateChoice(port.protocol(), {"SCTP", "TCP", "UDP"}, port_path.Child("protocol"), errors);
  }
}

}  // namespace

void ValidateEndpoints(const core::Endpoints& endpoints, FieldErrorList* errors) {
  for (int i = 0; i < endpoints.subsets_size(); ++i) {
    ValidateSubset(endpoints.subsets(i), FieldPath("subsets").Index(i), errors);
  }
}

void ValidateEndpointSlice(const discovery::EndpointSlice& slice, FieldErrorList* errors) {
  ValidateChoice(slice.address_type(), {"FQDN", "IPv4", "IPv6"}, FieldPath("addressType"), errors);
  const FieldPath endpoints("endpoints");
  if (slice.endpoints_size() > kSliceEndpointsMax) {
    TooMany(endpoints, slice.endpoints_size(), kSliceEndpointsMax, errors);
    return;
  }
  for (int i = 0; i < slice.endpoints_size(); ++i) {
    ValidateSliceEndpoint(slice.endpoints(i), slice.address_type(), endpoints.Index(i), errors);
  }
  ValidateSlicePorts(slice, FieldPath("ports"), errors);
}

void ValidateEndpointSliceUpdate(const discovery::EndpointSlice& old_slice,
                                 const discovery::EndpointSlice& new_slice,
                                 FieldErrorList* errors) {
  if (old_slice.address_type() == new_slice.address_type()) return;
  errors->Invalid(FieldPath("addressType"), new_slice.address_type(), kImmutable);
}

}  // namespace kubemu
