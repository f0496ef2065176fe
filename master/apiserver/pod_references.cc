#include "master/apiserver/pod_references.h"

#include <algorithm>

#include "messages/api/kinds.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_selector.pb.h"
#include "messages/proto/k8s/core_volume.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Container;
using k8s::core::v1::PodSpec;
using k8s::core::v1::Volume;

// `source` has local_object_reference().
template <class Source>
bool Names(const Source& source, std::string_view name) {
  return source.local_object_reference().name() == name;
}

bool UsesConfigMap(const Container& container, std::string_view name) {
  for (const auto& variable : container.env()) {
    const auto& from = variable.value_from();
    if (from.has_config_map_key_ref() && Names(from.config_map_key_ref(), name)) return true;
  }
  return std::any_of(container.env_from().begin(), container.env_from().end(),
                     [name](const auto& from) {
                       return from.has_config_map_ref() && Names(from.config_map_ref(), name);
                     });
}

bool UsesSecret(const Container& container, std::string_view name) {
  for (const auto& variable : container.env()) {
    const auto& from = variable.value_from();
    if (from.has_secret_key_ref() && Names(from.secret_key_ref(), name)) return true;
  }
  return std::any_of(
      container.env_from().begin(), container.env_from().end(),
      [name](const auto& from) { return from.has_secret_ref() && Names(from.secret_ref(), name); });
}

bool MountsConfigMap(const Volume& volume, std::string_view name) {
  const auto& source = volume.volume_source();
  if (source.has_config_map() && Names(source.config_map(), name)) return true;
  return std::any_of(
      source.projected().sources().begin(), source.projected().sources().end(),
      [name](const auto& from) { return from.has_config_map() && Names(from.config_map(), name); });
}

bool MountsSecret(const Volume& volume, std::string_view name) {
  const auto& source = volume.volume_source();
  if (source.has_secret() && source.secret().secret_name() == name) return true;
  return std::any_of(
      source.projected().sources().begin(), source.projected().sources().end(),
      [name](const auto& from) { return from.has_secret() && Names(from.secret(), name); });
}

bool AnyContainer(const PodSpec& spec, std::string_view name,
                  bool (*uses)(const Container&, std::string_view)) {
  const auto in_use = [&](const Container& container) { return uses(container, name); };
  return std::any_of(spec.containers().begin(), spec.containers().end(), in_use) ||
         std::any_of(spec.init_containers().begin(), spec.init_containers().end(), in_use);
}

bool AnyVolume(const PodSpec& spec, std::string_view name,
               bool (*mounts)(const Volume&, std::string_view)) {
  return std::any_of(spec.volumes().begin(), spec.volumes().end(),
                     [&](const Volume& volume) { return mounts(volume, name); });
}

}  // namespace

bool RefersTo(const PodSpec& spec, const Kind& kind, std::string_view name) {
  if (&kind == &KindOf<k8s::core::v1::ConfigMap>())
    return AnyContainer(spec, name, &UsesConfigMap) || AnyVolume(spec, name, &MountsConfigMap);
  if (&kind != &KindOf<k8s::core::v1::Secret>()) return false;
  const auto& pull = spec.image_pull_secrets();
  return AnyContainer(spec, name, &UsesSecret) || AnyVolume(spec, name, &MountsSecret) ||
         std::any_of(pull.begin(), pull.end(),
                     [name](const auto& secret) { return secret.name() == name; });
}

}  // namespace kubemu
