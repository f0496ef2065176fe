#include "master/apiserver/defaults/pod_defaults.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

namespace core = ::k8s::core::v1;

constexpr int64_t kTerminationGraceSeconds = 30;
constexpr int32_t kVolumeFileMode = 0644;
constexpr int64_t kProjectedTokenSeconds = 3600;

// Sets a string field that is empty.
template <typename Object>
void DefaultText(Object* object, const std::string& (Object::*get)() const,
                 std::string* (Object::*mutable_text)(), const char* text) {
  if ((object->*get)().empty()) *(object->*mutable_text)() = text;
}

void DefaultHttpGet(core::HTTPGetAction* http) {
  DefaultText(http, &core::HTTPGetAction::path, &core::HTTPGetAction::mutable_path, "/");
  DefaultText(http, &core::HTTPGetAction::scheme, &core::HTTPGetAction::mutable_scheme, "HTTP");
}

void DefaultProbe(core::Probe* probe) {
  if (probe->timeout_seconds() == 0) probe->set_timeout_seconds(1);
  if (probe->period_seconds() == 0) probe->set_period_seconds(10);
  if (probe->success_threshold() == 0) probe->set_success_threshold(1);
  if (probe->failure_threshold() == 0) probe->set_failure_threshold(3);
  core::ProbeHandler* handler = probe->mutable_handler();
  if (handler->has_http_get()) DefaultHttpGet(handler->mutable_http_get());
  if (handler->has_grpc() && !handler->grpc().has_service()) {
    handler->mutable_grpc()->set_service("");
  }
}

void DefaultLifecycle(core::Lifecycle* lifecycle) {
  if (lifecycle->post_start().has_http_get()) {
    DefaultHttpGet(lifecycle->mutable_post_start()->mutable_http_get());
  }
  if (lifecycle->pre_stop().has_http_get()) {
    DefaultHttpGet(lifecycle->mutable_pre_stop()->mutable_http_get());
  }
}

// Containers and ephemeral containers have the same fields without sharing a type.
template <typename AnyContainer>
void DefaultContainer(AnyContainer* container) {
  for (core::ContainerPort& port : *container->mutable_ports()) {
    if (port.protocol().empty()) port.set_protocol("TCP");
  }
  for (core::EnvVar& variable : *container->mutable_env()) {
    if (!variable.value_from().has_field_ref()) continue;
    core::ObjectFieldSelector* field = variable.mutable_value_from()->mutable_field_ref();
    if (field->api_version().empty()) field->set_api_version("v1");
  }
  if (container->has_liveness_probe()) DefaultProbe(container->mutable_liveness_probe());
  if (container->has_readiness_probe()) DefaultProbe(container->mutable_readiness_probe());
  if (container->has_startup_probe()) DefaultProbe(container->mutable_startup_probe());
  if (container->has_lifecycle()) DefaultLifecycle(container->mutable_lifecycle());
  if (container->image_pull_policy().empty()) {
    container->set_image_pull_policy(std::string(DefaultImagePullPolicy(container->image())));
  }
  if (container->termination_message_path().empty()) {
    container->set_termination_message_path("/dev/termination-log");
  }
  if (container->termination_message_policy().empty()) {
    container->set_termination_message_policy("File");
  }
}

void DefaultProjectedVolume(core::ProjectedVolumeSource* projected) {
  if (!projected->has_default_mode()) projected->set_default_mode(kVolumeFileMode);
  for (core::VolumeProjection& source : *projected->mutable_sources()) {
    if (source.has_service_account_token() &&
        !source.service_account_token().has_expiration_seconds()) {
      source.mutable_service_account_token()->set_expiration_seconds(kProjectedTokenSeconds);
    }
    if (!source.has_downward_api()) continue;
    for (core::DownwardAPIVolumeFile& file : *source.mutable_downward_api()->mutable_items()) {
      if (file.has_field_ref() && file.field_ref().api_version().empty()) {
        file.mutable_field_ref()->set_api_version("v1");
      }
    }
  }
}

void DefaultDownwardApiVolume(core::DownwardAPIVolumeSource* source) {
  if (!source->has_default_mode()) source->set_default_mode(kVolumeFileMode);
  for (core::DownwardAPIVolumeFile& file : *source->mutable_items()) {
    if (file.has_field_ref() && file.field_ref().api_version().empty()) {
      file.mutable_field_ref()->set_api_version("v1");
    }
  }
}

void DefaultVolume(core::Volume* volume) {
  core::VolumeSource* source = volume->mutable_volume_source();
  if (source->ByteSizeLong() == 0) {
    source->mutable_empty_dir();
    return;
  }
  if (source->has_secret() && !source->secret().has_default_mode()) {
    source->mutable_secret()->set_default_mode(kVolumeFileMode);
  }
  if (source->has_config_map() && !source->config_map().has_default_mode()) {
    source->mutable_config_map()->set_default_mode(kVolumeFileMode);
  }
  if (source->has_downward_api()) DefaultDownwardApiVolume(source->mutable_downward_api());
  if (source->has_projected()) DefaultProjectedVolume(source->mutable_projected());
  if (source->has_host_path() && !source->host_path().has_type()) {
    source->mutable_host_path()->set_type("");
  }
}

void DefaultPodSpec(core::PodSpec* spec) {
  DefaultText(spec, &core::PodSpec::restart_policy, &core::PodSpec::mutable_restart_policy,
              "Always");
  DefaultText(spec, &core::PodSpec::dns_policy, &core::PodSpec::mutable_dns_policy, "ClusterFirst");
  DefaultText(spec, &core::PodSpec::scheduler_name, &core::PodSpec::mutable_scheduler_name,
              "default-scheduler");
  if (!spec->has_termination_grace_period_seconds()) {
    spec->set_termination_grace_period_seconds(kTerminationGraceSeconds);
  }
  spec->mutable_security_context();
  for (core::Volume& volume : *spec->mutable_volumes()) DefaultVolume(&volume);
  for (core::Container& container : *spec->mutable_containers()) DefaultContainer(&container);
  for (core::Container& container : *spec->mutable_init_containers()) DefaultContainer(&container);
  for (core::EphemeralContainer& ephemeral : *spec->mutable_ephemeral_containers()) {
    DefaultContainer(ephemeral.mutable_ephemeral_container_common());
  }
}

// A limit without a request is a request, too.
void RequestLimits(core::Container* container) {
  if (!container->has_resources()) return;
  core::ResourceRequirements* resources = container->mutable_resources();
  for (const auto& limit : resources->limits()) {
    bool requested = false;
    for (const auto& request : resources->requests()) requested |= request.key() == limit.key();
    if (!requested) *resources->add_requests() = limit;
  }
  // Entries of a map are kept in the order of their keys.
  std::sort(resources->mutable_requests()->begin(), resources->mutable_requests()->end(),
            [](const auto& a, const auto& b) { return a.key() < b.key(); });
}

void UseHostPorts(core::Container* container) {
  for (core::ContainerPort& port : *container->mutable_ports()) {
    if (port.host_port() == 0) port.set_host_port(port.container_port());
  }
}

}  // namespace

void DefaultPod(core::Pod* pod) {
  core::PodSpec* spec = pod->mutable_spec();
  DefaultPodSpec(spec);
  if (!spec->has_enable_service_links()) spec->set_enable_service_links(true);
  for (auto* containers : {spec->mutable_containers(), spec->mutable_init_containers()}) {
    for (core::Container& container : *containers) {
      RequestLimits(&container);
      if (spec->host_network()) UseHostPorts(&container);
    }
  }
}

void DefaultPodTemplate(core::PodTemplateSpec* pod_template) {
  DefaultPodSpec(pod_template->mutable_spec());
}

std::string_view DefaultImagePullPolicy(std::string_view image) {
  if (image.find('@') != image.npos) return "IfNotPresent";
  const size_t slash = image.rfind('/');
  const std::string_view last = slash == image.npos ? image : image.substr(slash + 1);
  const size_t colon = last.find(':');
  const bool latest = colon == last.npos || last.substr(colon + 1) == "latest";
  return latest ? "Always" : "IfNotPresent";
}

}  // namespace kubemu
