#include "master/controllers/endpoint_values.h"

#include <algorithm>
#include <optional>
#include <set>

#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Pod;
using k8s::core::v1::Service;
using k8s::core::v1::ServicePort;

template <class Containers>
std::optional<int32_t> FindPort(const Containers& containers, const std::string& name,
                                const std::string& protocol) {
  for (const auto& container : containers) {
    for (const auto& port : container.ports()) {
      const std::string& own = port.protocol().empty() ? "TCP" : port.protocol();
      if (port.name() == name && own == protocol) return port.container_port();
    }
  }
  return std::nullopt;
}

// 0 when the pod has no such port.
int32_t TargetPort(const ServicePort& port, const Pod& pod, const std::string& protocol) {
  if (!port.has_target_port()) return port.port();
  const auto& target = port.target_port();
  if (target.type() == 0) return target.int_val() == 0 ? port.port() : target.int_val();
  std::optional<int32_t> found = FindPort(pod.spec().containers(), target.str_val(), protocol);
  // Side cars are init containers that go on running.
  if (!found) found = FindPort(pod.spec().init_containers(), target.str_val(), protocol);
  return found.value_or(0);
}

}  // namespace

bool HasEndpoints(const Object& service) {
  const auto& spec = service.As<Service>().spec();
  return !spec.selector().empty() && spec.type() != "ExternalName";
}

bool IsEndpoint(const Object& pod) {
  const auto& status = pod.As<Pod>().status();
  return !status.pod_ip().empty() && status.phase() != "Succeeded" && status.phase() != "Failed";
}

bool IsPodReady(const Object& pod) {
  const auto& conditions = pod.As<Pod>().status().conditions();
  return std::any_of(conditions.begin(), conditions.end(), [](const auto& condition) {
    return condition.type() == "Ready" && condition.status() == "True";
  });
}

bool IsTerminating(const Object& object) {
  return object.meta().has_deletion_timestamp();
}

std::vector<BackendPort> PortsOf(const Object& service, const Object& pod) {
  std::vector<BackendPort> ports;
  for (const ServicePort& port : service.As<Service>().spec().ports()) {
    const std::string protocol = port.protocol().empty() ? "TCP" : port.protocol();
    const int32_t number = TargetPort(port, pod.As<Pod>(), protocol);
    if (number != 0) ports.push_back({port.name(), protocol, number, port.app_protocol()});
  }
  return ports;
}

bool IsHeadless(const Object& service) {
  const auto& spec = service.As<Service>().spec();
  return spec.cluster_ip() == "None";
}

std::string HostnameIn(const Object& service, const Object& pod) {
  const auto& spec = pod.As<Pod>().spec();
  return spec.subdomain() == service.meta().name() ? spec.hostname() : "";
}

std::vector<k8s::meta::v1::StringEntry> InheritedLabels(const Object& service) {
  static const std::set<std::string> kOurs = {
      "endpointslice.kubernetes.io/managed-by", "endpoints.kubernetes.io/managed-by",
      "kubernetes.io/service-name", "service.kubernetes.io/headless"};
  std::vector<k8s::meta::v1::StringEntry> labels;
  for (const auto& label : service.meta().labels()) {
    if (!kOurs.contains(label.key())) labels.push_back(label);
  }
  if (IsHeadless(service)) {
    labels.emplace_back();
    labels.back().set_key("service.kubernetes.io/headless");
    labels.back().set_value("");
  }
  return labels;
}

}  // namespace kubemu
