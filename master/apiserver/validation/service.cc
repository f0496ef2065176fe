#include "master/apiserver/validation/service.h"

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "master/apiserver/validation/metadata.h"
#include "messages/api/names.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

namespace core = ::k8s::core::v1;

constexpr std::string_view kHeadless = "None";
constexpr int32_t kAffinitySecondsMax = 86'400;

bool IsExternalName(const core::ServiceSpec& spec) {
  return spec.type() == "ExternalName";
}

void ValidateTargetPort(const ::k8s::intstr::IntOrString& port, const FieldPath& path,
                        FieldErrorList* errors) {
  if (port.type() == 0) {
    const Complaints bad = CheckPortNumber(port.int_val());
    if (!bad.empty()) errors->Invalid(path, port.int_val(), bad.front());
  } else {
    errors->Invalid(path, port.str_val(), CheckPortName(port.str_val()));
  }
}

void ValidateServicePort(const core::ServicePort& port, bool needs_name, const FieldPath& path,
                         FieldErrorList* errors) {
  if (port.name().empty()) {
    if (needs_name) errors->Required(path.Child("name"));
  } else {
    errors->Invalid(path.Child("name"), port.name(), CheckDns1123Label(port.name()));
  }
  const Complaints bad = CheckPortNumber(port.port());
  if (!bad.empty()) errors->Invalid(path.Child("port"), port.port(), bad.front());
  ValidateChoice(port.protocol(), {"SCTP", "TCP", "UDP"}, path.Child("protocol"), errors);
  ValidateTargetPort(port.target_port(), path.Child("targetPort"), errors);
  if (port.has_app_protocol()) {
    errors->Invalid(path.Child("appProtocol"), port.app_protocol(),
                    CheckQualifiedName(port.app_protocol()));
  }
}

void ValidateServicePorts(const core::ServiceSpec& spec, const FieldPath& path,
                          FieldErrorList* errors) {
  const bool may_have_none = IsExternalName(spec) || spec.cluster_ip() == kHeadless;
  if (spec.ports().empty() && !may_have_none) errors->Required(path);
  std::set<std::string> names;
  std::set<std::pair<std::string, int32_t>> ports;
  std::set<std::pair<std::string, int32_t>> node_ports;
  for (int i = 0; i < spec.ports_size(); ++i) {
    const core::ServicePort& port = spec.ports(i);
    const FieldPath port_path = path.Index(i);
    ValidateServicePort(port, spec.ports_size() > 1, port_path, errors);
    if (!port.name().empty() && !names.insert(port.name()).second) {
      errors->Duplicate(port_path.Child("name"), port.name());
    }
    if (!ports.emplace(port.protocol(), port.port()).second) {
      // Upstream prints the pair that collides as a port without anything else, in Go's form.
      errors->Add({FieldErrorType::kDuplicate, port_path.text(),
                   StrCat("core.ServicePort{Name:\"\", Protocol:", Quoted(port.protocol()),
                          ", AppProtocol:(*string)(nil), Port:", port.port(),
                          ", TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:\"\"}, "
                          "NodePort:0}"),
                   ""});
    }
    if (port.node_port() == 0) continue;
    if (spec.type() != "NodePort" && spec.type() != "LoadBalancer") {
      errors->Forbidden(port_path.Child("nodePort"),
                        StrCat("may not be used when `type` is '", spec.type(), "'"));
    } else if (!node_ports.emplace(port.protocol(), port.node_port()).second) {
      errors->Add({FieldErrorType::kDuplicate, port_path.Child("nodePort").text(),
                   StrCat(port.node_port()), ""});
    }
  }
}

void ValidateClusterIps(const core::ServiceSpec& spec, const FieldPath& path,
                        FieldErrorList* errors) {
  const FieldPath ips_path = path.Child("clusterIPs");
  if (IsExternalName(spec)) {
    if (!spec.cluster_ip().empty()) {
      errors->Forbidden(ips_path, "may not be set for ExternalName services");
    }
    return;
  }
  if (spec.cluster_ip() == kHeadless) {
    if (spec.type() != "ClusterIP") {
      errors->Invalid(ips_path.Index(0), kHeadless,
                      StrCat("may not be set to 'None' for ", spec.type(), " services"));
    }
    return;
  }
  for (int i = 0; i < spec.cluster_ips_size(); ++i) {
    errors->Invalid(ips_path.Index(i), spec.cluster_ips(i), CheckIp(spec.cluster_ips(i)));
  }
  if (!spec.cluster_ip().empty() && spec.cluster_ips_size() > 0 &&
      spec.cluster_ip() != spec.cluster_ips(0)) {
    errors->Invalid(ips_path, spec.cluster_ip(), "first value must match `clusterIP`");
  }
}

// Which families there may be at all; which of them this cluster has, ServiceAddresses says.
void ValidateFamilies(const core::ServiceSpec& spec, const FieldPath& path,
                      FieldErrorList* errors) {
  if (IsExternalName(spec)) return;
  const FieldPath families = path.Child("ipFamilies");
  std::set<std::string> seen;
  for (int i = 0; i < spec.ip_families_size(); ++i) {
    ValidateChoice(spec.ip_families(i), {"IPv4", "IPv6"}, families.Index(i), errors);
    if (!seen.insert(spec.ip_families(i)).second) {
      errors->Duplicate(families.Index(i), spec.ip_families(i));
    }
  }
  if (spec.has_ip_family_policy()) {
    ValidateChoice(spec.ip_family_policy(), {"PreferDualStack", "RequireDualStack", "SingleStack"},
                   path.Child("ipFamilyPolicy"), errors);
  }
  if (spec.has_traffic_distribution()) {
    ValidateChoice(spec.traffic_distribution(), {"PreferClose"}, path.Child("trafficDistribution"),
                   errors);
  }
}

void ValidateAffinity(const core::ServiceSpec& spec, const FieldPath& path,
                      FieldErrorList* errors) {
  ValidateChoice(spec.session_affinity(), {"ClientIP", "None"}, path.Child("sessionAffinity"),
                 errors);
  const int32_t seconds = spec.session_affinity_config().client_ip().timeout_seconds();
  if (spec.session_affinity() == "ClientIP" && (seconds <= 0 || seconds > kAffinitySecondsMax)) {
    errors->Invalid(path.Child("sessionAffinityConfig").Child("clientIP").Child("timeoutSeconds"),
                    seconds, StrCat("must be greater than 0 and less than ", kAffinitySecondsMax));
  }
}

void ValidateExternal(const core::ServiceSpec& spec, const FieldPath& path,
                      FieldErrorList* errors) {
  if (IsExternalName(spec)) {
    if (spec.external_name().empty()) {
      errors->Required(path.Child("externalName"));
    } else {
      errors->Invalid(path.Child("externalName"), spec.external_name(),
                      CheckDns1123Subdomain(spec.external_name()));
    }
  }
  for (int i = 0; i < spec.external_ips_size(); ++i) {
    errors->Invalid(path.Child("externalIPs").Index(i), spec.external_ips(i),
                    CheckIp(spec.external_ips(i)));
  }
  const bool external = spec.type() == "NodePort" || spec.type() == "LoadBalancer" ||
                        (spec.type() == "ClusterIP" && !spec.external_ips().empty());
  const FieldPath policy = path.Child("externalTrafficPolicy");
  if (external) {
    ValidateChoice(spec.external_traffic_policy(), {"Cluster", "Local"}, policy, errors);
  } else if (!spec.external_traffic_policy().empty()) {
    errors->Invalid(policy, spec.external_traffic_policy(),
                    "may only be set for externally-accessible services");
  }
  if (spec.has_internal_traffic_policy()) {
    ValidateChoice(spec.internal_traffic_policy(), {"Cluster", "Local"},
                   path.Child("internalTrafficPolicy"), errors);
  }
}

// The form in which Go prints a slice of strings.
std::string GoStrings(const google::protobuf::RepeatedPtrField<std::string>& values) {
  std::vector<std::string> quoted;
  for (const std::string& value : values) quoted.push_back(Quoted(value));
  return StrCat("[]string{", StrJoin(quoted, ", "), "}");
}

}  // namespace

void ValidateService(const core::Service& service, FieldErrorList* errors) {
  const core::ServiceSpec& spec = service.spec();
  const FieldPath path("spec");
  ValidateServicePorts(spec, path.Child("ports"), errors);
  ValidateLabels(spec.selector(), path.Child("selector"), errors);
  ValidateAffinity(spec, path, errors);
  ValidateChoice(spec.type(), {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"},
                 path.Child("type"), errors);
  ValidateClusterIps(spec, path, errors);
  ValidateFamilies(spec, path, errors);
  ValidateExternal(spec, path, errors);
}

void ValidateServiceUpdate(const core::Service& old_service, const core::Service& new_service,
                           FieldErrorList* errors) {
  const core::ServiceSpec& before = old_service.spec();
  const core::ServiceSpec& after = new_service.spec();
  if (IsExternalName(before) || IsExternalName(after) || before.cluster_ip().empty()) return;
  const FieldPath path = FieldPath("spec").Child("clusterIPs").Index(0);
  if (after.cluster_ip().empty()) {
    errors->InvalidRaw(path, GoStrings(after.cluster_ips()), "primary clusterIP can not be unset");
  } else if (after.cluster_ip() != before.cluster_ip()) {
    errors->InvalidRaw(path, GoStrings(after.cluster_ips()), "may not change once set");
  }
}

}  // namespace kubemu
