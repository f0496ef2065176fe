#include "master/apiserver/validation/container.h"

#include <algorithm>
#include <map>

#include "master/apiserver/validation/container_parts.h"
#include "master/apiserver/validation/metadata.h"
#include "messages/api/names.h"
#include "messages/api/pod_resources.h"
#include "messages/api/quantity.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

namespace core = ::k8s::core::v1;
using google::protobuf::RepeatedPtrField;
using QuantityEntries = RepeatedPtrField<::k8s::resource::QuantityEntry>;

constexpr std::string_view kContainerResources[] = {"cpu", "memory", "ephemeral-storage"};

void ValidateResourceName(const std::string& name, const FieldPath& path, FieldErrorList* errors) {
  const Complaints complaints = CheckQualifiedName(name);
  errors->Invalid(path, name, complaints);
  if (!complaints.empty() || name.find('/') != name.npos || name.starts_with("hugepages-")) return;
  const bool standard = std::find(std::begin(kContainerResources), std::end(kContainerResources),
                                  name) != std::end(kContainerResources);
  if (!standard) errors->Invalid(path, name, "must be a standard resource for containers");
}

void ValidateAmounts(const QuantityEntries& entries, const FieldPath& path,
                     FieldErrorList* errors) {
  for (const auto& entry : entries) {
    const FieldPath entry_path = path.Key(entry.key());
    ValidateResourceName(entry.key(), entry_path, errors);
    const absl::StatusOr<Quantity> amount = Quantity::Parse(entry.value().string());
    if (!amount.ok()) {
      errors->Invalid(entry_path, entry.value().string(), std::string(amount.status().message()));
    } else if (amount->Sign() < 0) {
      errors->Invalid(entry_path, amount->ToString(), "must be greater than or equal to 0");
    } else if (entry.key().find('/') != std::string::npos && amount->MilliValue() % 1000 != 0) {
      errors->Invalid(entry_path, amount->ToString(), "must be an integer");
    }
  }
}

// Names across a pod's containers, and who took which port of the host.
struct Seen {
  std::set<std::string> names;
  std::set<std::string> host_ports;
};

void ValidateContainerName(const std::string& name, const FieldPath& path, Seen* seen,
                           FieldErrorList* errors) {
  if (name.empty()) {
    errors->Required(path);
    return;
  }
  errors->Invalid(path, name, CheckDns1123Label(name));
  if (!seen->names.insert(name).second) errors->Duplicate(path, name);
}

void ValidateImage(const std::string& image, const FieldPath& path, FieldErrorList* errors) {
  if (image.empty()) {
    errors->Required(path);
  } else if (StripSpaces(image).size() != image.size()) {
    errors->Invalid(path, image, "must not have leading or trailing whitespace");
  }
}

void ValidateHostPorts(const core::Container& container, const FieldPath& path, Seen* seen,
                       FieldErrorList* errors) {
  for (int i = 0; i < container.ports_size(); ++i) {
    const core::ContainerPort& port = container.ports(i);
    if (port.host_port() == 0) continue;
    const std::string key = StrCat(port.protocol(), "/", port.host_ip(), "/", port.host_port());
    if (!seen->host_ports.insert(key).second) {
      errors->Duplicate(path.Child("ports").Index(i).Child("hostPort"), key);
    }
  }
}

void ValidateContainer(const core::Container& container, const std::set<std::string>& volumes,
                       const FieldPath& path, Seen* seen, FieldErrorList* errors) {
  ValidateContainerName(container.name(), path.Child("name"), seen, errors);
  ValidateImage(container.image(), path.Child("image"), errors);
  ValidatePorts(container, path, errors);
  ValidateEnvironment(container, path, errors);
  ValidateMounts(container, volumes, path, errors);
  ValidateResources(container.resources(), path.Child("resources"), errors);
  ValidateChoice(container.image_pull_policy(), {"Always", "IfNotPresent", "Never"},
                 path.Child("imagePullPolicy"), errors);
  ValidateChoice(container.termination_message_policy(), {"FallbackToLogsOnError", "File"},
                 path.Child("terminationMessagePolicy"), errors);
}

// Hooks and probes are for what keeps running: plain init containers have none.
void ValidateInitContainer(const core::Container& container, const FieldPath& path,
                           FieldErrorList* errors) {
  const bool sidecar = container.restart_policy() == "Always";
  if (container.has_restart_policy() && !sidecar) {
    errors->NotSupported(path.Child("restartPolicy"), container.restart_policy(), {"Always"});
  }
  if (sidecar) {
    ValidateHooks(container, path, errors);
    return;
  }
  constexpr std::string_view kOnlySidecars =
      "may not be set for init containers without restartPolicy=Always";
  if (container.has_lifecycle()) errors->Forbidden(path.Child("lifecycle"), kOnlySidecars);
  if (container.has_liveness_probe()) errors->Forbidden(path.Child("livenessProbe"), kOnlySidecars);
  if (container.has_readiness_probe()) {
    errors->Forbidden(path.Child("readinessProbe"), kOnlySidecars);
  }
  if (container.has_startup_probe()) errors->Forbidden(path.Child("startupProbe"), kOnlySidecars);
}

}  // namespace

void ValidateResources(const core::ResourceRequirements& resources, const FieldPath& path,
                       FieldErrorList* errors) {
  ValidateAmounts(resources.limits(), path.Child("limits"), errors);
  ValidateAmounts(resources.requests(), path.Child("requests"), errors);
  const ResourceList limits = ToResourceList(resources.limits());
  for (const auto& [name, request] : ToResourceList(resources.requests())) {
    const auto limit = limits.find(name);
    if (limit != limits.end() && limit->second < request) {
      errors->Invalid(
          path.Child("requests"), request.ToString(),
          StrCat("must be less than or equal to ", name, " limit of ", limit->second.ToString()));
    }
  }
}

void ValidateContainers(const core::PodSpec& spec, const std::set<std::string>& volumes,
                        const FieldPath& path, FieldErrorList* errors) {
  const FieldPath containers_path = path.Child("containers");
  if (spec.containers().empty()) errors->Required(containers_path);
  Seen seen;
  for (int i = 0; i < spec.containers_size(); ++i) {
    const core::Container& container = spec.containers(i);
    const FieldPath container_path = containers_path.Index(i);
    ValidateContainer(container, volumes, container_path, &seen, errors);
    ValidateHostPorts(container, container_path, &seen, errors);
    ValidateHooks(container, container_path, errors);
    if (container.has_restart_policy()) {
      errors->Forbidden(container_path.Child("restartPolicy"),
                        "may not be set for non-init containers");
    }
  }
  for (int i = 0; i < spec.init_containers_size(); ++i) {
    const core::Container& container = spec.init_containers(i);
    const FieldPath container_path = path.Child("initContainers").Index(i);
    ValidateContainer(container, volumes, container_path, &seen, errors);
    ValidateInitContainer(container, container_path, errors);
  }
}

}  // namespace kubemu
