#include "node/kubelet/container_env.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "messages/api/field_errors.h"
#include "messages/api/labels.h"
#include "messages/api/pod_resources.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_selector.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::ConfigMap;
using k8s::core::v1::Container;
using k8s::core::v1::Pod;
using k8s::core::v1::Secret;

// "x" of "metadata.labels['x']".
bool Subscript(std::string_view path, std::string_view field, std::string_view* key) {
  if (!path.starts_with(field) || !path.ends_with("']")) return false;
  path.remove_prefix(field.size());
  if (!path.starts_with("['")) return false;
  *key = path.substr(2, path.size() - 4);
  return true;
}

std::string FieldValue(const Object& object, std::string_view path, Ipv4 pod_ip, Ipv4 host_ip) {
  const auto& pod = object.As<k8s::core::v1::Pod>();
  if (path == "metadata.name") return pod.metadata().name();
  if (path == "metadata.namespace") return pod.metadata().namespace_();
  if (path == "metadata.uid") return pod.metadata().uid();
  if (path == "spec.nodeName") return pod.spec().node_name();
  if (path == "spec.serviceAccountName") return pod.spec().service_account_name();
  if (path == "status.podIP" || path == "status.podIPs") return pod_ip.ToString();
  if (path == "status.hostIP" || path == "status.hostIPs") return host_ip.ToString();
  std::string_view key;
  const std::string* value = nullptr;
  if (Subscript(path, "metadata.labels", &key)) value = FindEntry(pod.metadata().labels(), key);
  if (Subscript(path, "metadata.annotations", &key)) {
    value = FindEntry(pod.metadata().annotations(), key);
  }
  return value == nullptr ? "" : *value;
}

// The variables of one container, in the order in which they were first set.
class Environment {
 public:
  void Set(const std::string& name, std::string value) {
    const auto [it, added] = values_.insert_or_assign(name, std::move(value));
    if (added) order_.push_back(name);
  }
  std::string Expand(std::string_view text) const { return ExpandVariables(text, values_); }
  void CopyTo(bus::StartContainer* request) const {
    for (const std::string& name : order_) {
      auto* entry = request->add_env();
      entry->set_name(name);
      entry->set_value(values_.at(name));
    }
  }

 private:
  std::map<std::string, std::string> values_;
  std::vector<std::string> order_;
};

// Takes all keys of a ConfigMap or Secret (`entries`), or says why not.
template <class Reference, class Entries>
std::string AddAll(const char* what, const ConfigSources::Source& source,
                   const Reference& reference, const std::string& prefix, const Entries& entries,
                   Environment* env) {
  if (!source.error.empty()) return source.error;
  if (!source.object && reference.optional()) return "";
  if (!source.object)
    return StrCat(what, " ", Quoted(reference.local_object_reference().name()), " not found");
  for (const auto& entry : entries) env->Set(prefix + entry.key(), entry.value());
  return "";
}

// Takes one key, or says why not; one that may be missing is left out.
template <class Reference, class Entries>
std::string AddKey(const char* what, const ConfigSources::Source& source,
                   const Reference& reference, const std::string& variable, const Entries& entries,
                   const std::string& ns, Environment* env) {
  const std::string& name = reference.local_object_reference().name();
  if (!source.error.empty()) return source.error;
  if (!source.object)
    return reference.optional() ? "" : StrCat(AsciiLower(what), " ", Quoted(name), " not found");
  for (const auto& entry : entries) {
    if (entry.key() != reference.key()) continue;
    env->Set(variable, entry.value());
    return "";
  }
  return reference.optional()
             ? ""
             : StrCat("couldn't find key ", reference.key(), " in ", what, " ", ns, "/", name);
}

const StringEntries& DataOf(const ConfigSources::Source& config_map) {
  return config_map.object ? config_map.object.As<ConfigMap>().data()
                           : ConfigMap::default_instance().data();
}

const google::protobuf::RepeatedPtrField<k8s::meta::v1::BytesEntry>& SecretDataOf(
    const ConfigSources::Source& secret) {
  return secret.object ? secret.object.As<Secret>().data() : Secret::default_instance().data();
}

std::string AddEnvFrom(const Container& container, const ConfigSources& sources, Environment* env) {
  for (const auto& from : container.env_from()) {
    std::string error;
    if (from.has_config_map_ref()) {
      const auto& ref = from.config_map_ref();
      const auto& source = sources.ConfigMap(ref.local_object_reference().name());
      error = AddAll("configmap", source, ref, from.prefix(), DataOf(source), env);
    } else if (from.has_secret_ref()) {
      const auto& ref = from.secret_ref();
      const auto& source = sources.Secret(ref.local_object_reference().name());
      error = AddAll("secret", source, ref, from.prefix(), SecretDataOf(source), env);
    }
    if (!error.empty()) return error;
  }
  return "";
}

const Container* FindContainer(const k8s::core::v1::PodSpec& spec, const std::string& name) {
  for (const auto* list : {&spec.containers(), &spec.init_containers()}) {
    for (const Container& container : *list) {
      if (container.name() == name) return &container;
    }
  }
  return nullptr;
}

template <class Entries>
Quantity AmountIn(const Entries& entries, std::string_view resource) {
  return AmountOf(ToResourceList(entries), resource);
}

// How often `divisor` fits, rounded up; of cpu in thousandths (pkg/api/v1/resource/helpers.go).
std::string AddResource(const Object& pod, const Container& self,
                        const k8s::core::v1::ResourceFieldSelector& field,
                        const std::string& variable, const KubeletOptions& options,
                        Environment* env) {
  const Container* container = field.container_name().empty()
                                   ? &self
                                   : FindContainer(pod.As<Pod>().spec(), field.container_name());
  if (container == nullptr) return StrCat("container ", field.container_name(), " not found");
  std::string_view resource = field.resource();
  const bool limit = resource.starts_with("limits.");
  if (!limit && !resource.starts_with("requests."))
    return StrCat("unsupported container resource : ", resource);
  resource.remove_prefix(resource.find('.') + 1);
  Quantity amount = limit ? AmountIn(container->resources().limits(), resource)
                          : AmountIn(container->resources().requests(), resource);
  if (limit && amount.IsZero()) {
    const std::string& capacity = resource == "cpu"      ? options.cpu
                                  : resource == "memory" ? options.memory
                                                         : options.ephemeral_storage;
    if (!resource.starts_with("hugepages-"))
      amount = Quantity::Parse(capacity).value_or(Quantity());
  }
  Quantity divisor = Quantity::Parse(field.divisor().string()).value_or(Quantity());
  if (divisor.Sign() <= 0) divisor = Quantity::FromValue(1);
  const bool cpu = resource == "cpu";
  const int64_t part = std::max<int64_t>(cpu ? divisor.MilliValue() : divisor.Value(), 1);
  const int64_t whole = std::max<int64_t>(cpu ? amount.MilliValue() : amount.Value(), 0);
  env->Set(variable, StrCat(whole / part + (whole % part != 0 ? 1 : 0)));
  return "";
}

}  // namespace

std::string ExpandVariables(std::string_view text, const std::map<std::string, std::string>& env) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 >= text.size()) {
      result += text[i];
      continue;
    }
    if (text[i + 1] == '$') {
      result += '$';
      ++i;
      continue;
    }
    const size_t end = text[i + 1] == '(' ? text.find(')', i + 2) : std::string_view::npos;
    if (end == std::string_view::npos) {
      result += '$';
      continue;
    }
    const auto value = env.find(std::string(text.substr(i + 2, end - i - 2)));
    result += value == env.end() ? std::string(text.substr(i, end - i + 1)) : value->second;
    i = end;
  }
  return result;
}

std::string FillStartContainer(const Object& pod, const Container& container, Ipv4 pod_ip,
                               const KubeletOptions& options, const ConfigSources& sources,
                               bus::StartContainer* request) {
  Environment env;
  if (std::string error = AddEnvFrom(container, sources, &env); !error.empty()) return error;
  for (const auto& variable : container.env()) {
    const auto& from = variable.value_from();
    std::string error;
    if (from.has_field_ref()) {
      env.Set(variable.name(),
              FieldValue(pod, from.field_ref().field_path(), pod_ip, options.address));
    } else if (from.has_resource_field_ref()) {
      error =
          AddResource(pod, container, from.resource_field_ref(), variable.name(), options, &env);
    } else if (from.has_config_map_key_ref()) {
      const auto& ref = from.config_map_key_ref();
      const auto& source = sources.ConfigMap(ref.local_object_reference().name());
      error = AddKey("ConfigMap", source, ref, variable.name(), DataOf(source),
                     pod.meta().namespace_(), &env);
    } else if (from.has_secret_key_ref()) {
      const auto& ref = from.secret_key_ref();
      const auto& source = sources.Secret(ref.local_object_reference().name());
      error = AddKey("Secret", source, ref, variable.name(), SecretDataOf(source),
                     pod.meta().namespace_(), &env);
    } else {
      env.Set(variable.name(), env.Expand(variable.value()));
    }
    if (!error.empty()) return error;
  }
  env.CopyTo(request);
  request->set_image(container.image());
  for (const std::string& word : container.command()) request->add_command(env.Expand(word));
  for (const std::string& word : container.args()) request->add_args(env.Expand(word));
  return "";
}

}  // namespace kubemu
