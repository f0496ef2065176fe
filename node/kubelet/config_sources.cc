#include "node/kubelet/config_sources.h"

#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/core_selector.pb.h"

namespace kubemu {
namespace {

const Kind& ConfigMapKind() {
  return KindOf<k8s::core::v1::ConfigMap>();
}
const Kind& SecretKind() {
  return KindOf<k8s::core::v1::Secret>();
}

}  // namespace

bool ConfigSources::Fetch(const Object& pod, const k8s::core::v1::Container& container, bool anew,
                          PodContext& context) {
  bool waits = false;
  const auto fetch = [&](const Kind& kind, const auto& source) {
    waits |= FetchOne(kind, source.local_object_reference().name(), pod, anew, context);
  };
  for (const auto& from : container.env_from()) {
    if (from.has_config_map_ref()) fetch(ConfigMapKind(), from.config_map_ref());
    if (from.has_secret_ref()) fetch(SecretKind(), from.secret_ref());
  }
  for (const auto& variable : container.env()) {
    const auto& from = variable.value_from();
    if (from.has_config_map_key_ref()) fetch(ConfigMapKind(), from.config_map_key_ref());
    if (from.has_secret_key_ref()) fetch(SecretKind(), from.secret_key_ref());
  }
  return waits;
}

// One that is on its way already is not asked for twice: several containers, or several variables
// of one, may name it.
bool ConfigSources::FetchOne(const Kind& kind, const std::string& name, const Object& pod,
                             bool anew, PodContext& context) {
  Source& source = sources_[{kind.id, name}];
  if (source.call != 0) return true;
  if (source.known && !anew) return false;
  bus::ApiRequest get;
  get.set_verb(bus::GET);
  get.set_kind(static_cast<uint32_t>(kind.id));
  get.set_namespace_(pod.meta().namespace_());
  get.set_name(name);
  source.call = context.calls.Start(std::move(get), Object(), kTag + pod.meta().uid(), context.env);
  return true;
}

void ConfigSources::OnCallResult(const CallResult& result) {
  for (auto& [key, source] : sources_) {
    if (source.call != result.call) continue;
    source.call = 0;
    source.known = true;
    source.object = Object();
    source.error.clear();
    if (result.ok() && !result.objects.empty()) {
      source.object = result.objects[0];
    } else if (result.code == 403) {
      source.error = result.message;
    } else if (result.code != 404) {
      // What the real kubelet says of an API server that it cannot reach.
      source.error =
          StrCat("failed to sync ", key.first == SecretKind().id ? "secret" : "configmap",
                 " cache: timed out waiting for the condition");
    }
    return;
  }
}

const ConfigSources::Source& ConfigSources::ConfigMap(const std::string& name) const {
  return Find(ConfigMapKind(), name);
}

const ConfigSources::Source& ConfigSources::Secret(const std::string& name) const {
  return Find(SecretKind(), name);
}

const ConfigSources::Source& ConfigSources::Find(const Kind& kind, const std::string& name) const {
  static const Source kNone;
  const auto it = sources_.find({kind.id, name});
  return it == sources_.end() ? kNone : it->second;
}

}  // namespace kubemu
