#include "node/kubelet/container_env.h"

#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_selector.pb.h"

namespace kubemu {
namespace {

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

void FillStartContainer(const Object& pod, const k8s::core::v1::Container& container, Ipv4 pod_ip,
                        Ipv4 host_ip, bus::StartContainer* request) {
  std::map<std::string, std::string> env;
  for (const auto& variable : container.env()) {
    std::string value;
    if (!variable.has_value_from()) {
      value = ExpandVariables(variable.value(), env);
    } else if (variable.value_from().has_field_ref()) {
      value = FieldValue(pod, variable.value_from().field_ref().field_path(), pod_ip, host_ip);
    } else {
      continue;
    }
    auto* entry = request->add_env();
    entry->set_name(variable.name());
    entry->set_value(value);
    env[variable.name()] = std::move(value);
  }
  request->set_image(container.image());
  for (const std::string& word : container.command()) {
    request->add_command(ExpandVariables(word, env));
  }
  for (const std::string& word : container.args()) request->add_args(ExpandVariables(word, env));
}

}  // namespace kubemu
