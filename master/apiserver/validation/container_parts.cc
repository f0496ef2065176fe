#include "master/apiserver/validation/container_parts.h"

#include <algorithm>

#include "master/apiserver/validation/metadata.h"
#include "messages/api/names.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_container.pb.h"

namespace kubemu {
namespace {

namespace core = ::k8s::core::v1;

void ValidatePort(const core::ContainerPort& port, const FieldPath& path, FieldErrorList* errors) {
  if (!port.name().empty()) {
    errors->Invalid(path.Child("name"), port.name(), CheckPortName(port.name()));
  }
  if (port.container_port() == 0) {
    errors->Required(path.Child("containerPort"));
  } else if (const Complaints bad = CheckPortNumber(port.container_port()); !bad.empty()) {
    errors->Invalid(path.Child("containerPort"), port.container_port(), bad.front());
  }
  const Complaints bad_host_port = CheckPortNumber(port.host_port());
  if (port.host_port() != 0 && !bad_host_port.empty()) {
    errors->Invalid(path.Child("hostPort"), port.host_port(), bad_host_port.front());
  }
  ValidateChoice(port.protocol(), {"SCTP", "TCP", "UDP"}, path.Child("protocol"), errors);
}

// A variable that takes its value from elsewhere says from where, exactly once.
void ValidateValueSource(const core::EnvVar& variable, const FieldPath& path,
                         FieldErrorList* errors) {
  const core::EnvVarSource& source = variable.value_from();
  const int sources = source.has_field_ref() + source.has_resource_field_ref() +
                      source.has_config_map_key_ref() + source.has_secret_key_ref();
  if (source.has_field_ref()) {
    const FieldPath ref = path.Child("fieldRef");
    if (source.field_ref().api_version().empty()) errors->Required(ref.Child("apiVersion"));
    if (source.field_ref().field_path().empty()) errors->Required(ref.Child("fieldPath"));
  }
  if (source.has_resource_field_ref() && source.resource_field_ref().resource().empty()) {
    errors->Required(path.Child("resourceFieldRef").Child("resource"));
  }
  const auto validate_key = [&](bool present, const std::string& key, std::string_view child) {
    if (!present) return;
    const FieldPath key_path = path.Child(child).Child("key");
    if (key.empty()) {
      errors->Required(key_path);
    } else {
      errors->Invalid(key_path, key, CheckConfigKey(key));
    }
  };
  validate_key(source.has_config_map_key_ref(), source.config_map_key_ref().key(),
               "configMapKeyRef");
  validate_key(source.has_secret_key_ref(), source.secret_key_ref().key(), "secretKeyRef");
  if (sources == 0) {
    errors->Invalid(path, "",
                    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
                    "`secretKeyRef`");
  } else if (!variable.value().empty()) {
    errors->Invalid(path, "", "may not be specified when `value` is not empty");
  } else if (sources > 1) {
    errors->Invalid(path, "", "may not have more than one field specified at a time");
  }
}

void ValidateEnvFrom(const core::EnvFromSource& source, const FieldPath& path,
                     FieldErrorList* errors) {
  if (!source.prefix().empty()) {
    errors->Invalid(path.Child("prefix"), source.prefix(), CheckEnvVarName(source.prefix()));
  }
  const auto validate_name = [&](bool present, const std::string& name, std::string_view child) {
    if (present && name.empty()) errors->Required(path.Child(child).Child("name"));
  };
  validate_name(source.has_config_map_ref(),
                source.config_map_ref().local_object_reference().name(), "configMapRef");
  validate_name(source.has_secret_ref(), source.secret_ref().local_object_reference().name(),
                "secretRef");
  const int sources = source.has_config_map_ref() + source.has_secret_ref();
  if (sources == 0) {
    errors->Invalid(path, "", "must specify one of: `configMapRef` or `secretRef`");
  } else if (sources > 1) {
    errors->Invalid(path, "", "may not have more than one field specified at a time");
  }
}

// Below the volume's root: no "/etc", no "..".
void ValidateSubPath(const std::string& sub_path, const FieldPath& path, FieldErrorList* errors) {
  if (!sub_path.empty() && sub_path.front() == '/') {
    errors->Invalid(path, sub_path, "must be a relative path");
  }
  const std::vector<std::string_view> parts = StrSplit(sub_path, '/');
  if (std::find(parts.begin(), parts.end(), "..") != parts.end()) {
    errors->Invalid(path, sub_path, "must not contain '..'");
  }
}

void ValidatePortRef(const ::k8s::intstr::IntOrString& port, const FieldPath& path,
                     FieldErrorList* errors) {
  if (port.type() == 0) {
    const Complaints bad = CheckPortNumber(port.int_val());
    if (!bad.empty()) errors->Invalid(path, port.int_val(), bad.front());
  } else {
    errors->Invalid(path, port.str_val(), CheckPortName(port.str_val()));
  }
}

void ValidateHttpGet(const core::HTTPGetAction& http, const FieldPath& path,
                     FieldErrorList* errors) {
  if (http.path().empty()) errors->Required(path.Child("path"));
  ValidatePortRef(http.port(), path.Child("port"), errors);
  ValidateChoice(http.scheme(), {"HTTP", "HTTPS"}, path.Child("scheme"), errors);
}

// Handlers of probes and hooks share these three; returns how many are set.
template <typename Handler>
int ValidateCommonHandlers(const Handler& handler, const FieldPath& path, FieldErrorList* errors) {
  if (handler.has_exec() && handler.exec().command().empty()) {
    errors->Required(path.Child("exec").Child("command"));
  }
  if (handler.has_http_get()) ValidateHttpGet(handler.http_get(), path.Child("httpGet"), errors);
  if (handler.has_tcp_socket()) {
    ValidatePortRef(handler.tcp_socket().port(), path.Child("tcpSocket").Child("port"), errors);
  }
  return handler.has_exec() + handler.has_http_get() + handler.has_tcp_socket();
}

void ValidateHandlerCount(int handlers, const FieldPath& path, FieldErrorList* errors) {
  if (handlers == 0) errors->Required(path, "must specify a handler type");
  if (handlers > 1) errors->Forbidden(path, "may not specify more than 1 handler type");
}

void ValidateProbe(const core::Probe& probe, bool one_success, const FieldPath& path,
                   FieldErrorList* errors) {
  int handlers = ValidateCommonHandlers(probe.handler(), path, errors);
  if (probe.handler().has_grpc()) {
    ++handlers;
    const Complaints bad = CheckPortNumber(probe.handler().grpc().port());
    if (!bad.empty()) {
      errors->Invalid(path.Child("grpc").Child("port"), probe.handler().grpc().port(), bad.front());
    }
  }
  ValidateHandlerCount(handlers, path, errors);
  ValidateNonNegative(probe.initial_delay_seconds(), path.Child("initialDelaySeconds"), errors);
  ValidateNonNegative(probe.timeout_seconds(), path.Child("timeoutSeconds"), errors);
  ValidateNonNegative(probe.period_seconds(), path.Child("periodSeconds"), errors);
  ValidateNonNegative(probe.success_threshold(), path.Child("successThreshold"), errors);
  ValidateNonNegative(probe.failure_threshold(), path.Child("failureThreshold"), errors);
  if (probe.has_termination_grace_period_seconds() &&
      probe.termination_grace_period_seconds() <= 0) {
    errors->Invalid(path.Child("terminationGracePeriodSeconds"),
                    probe.termination_grace_period_seconds(), "must be greater than 0");
  }
  if (one_success && probe.success_threshold() != 1) {
    errors->Invalid(path.Child("successThreshold"), probe.success_threshold(), "must be 1");
  }
}

void ValidateHook(const core::LifecycleHandler& handler, const FieldPath& path,
                  FieldErrorList* errors) {
  const int handlers = ValidateCommonHandlers(handler, path, errors) + handler.has_sleep();
  ValidateHandlerCount(handlers, path, errors);
}

}  // namespace

void ValidatePorts(const core::Container& container, const FieldPath& path,
                   FieldErrorList* errors) {
  std::set<std::string> names;
  for (int i = 0; i < container.ports_size(); ++i) {
    const core::ContainerPort& port = container.ports(i);
    const FieldPath port_path = path.Child("ports").Index(i);
    if (!port.name().empty() && !names.insert(port.name()).second) {
      errors->Duplicate(port_path.Child("name"), port.name());
    }
    ValidatePort(port, port_path, errors);
  }
}

void ValidateEnvironment(const core::Container& container, const FieldPath& path,
                         FieldErrorList* errors) {
  for (int i = 0; i < container.env_size(); ++i) {
    const core::EnvVar& variable = container.env(i);
    const FieldPath env_path = path.Child("env").Index(i);
    if (variable.name().empty()) {
      errors->Required(env_path.Child("name"));
    } else {
      errors->Invalid(env_path.Child("name"), variable.name(), CheckEnvVarName(variable.name()));
    }
    if (variable.has_value_from()) {
      ValidateValueSource(variable, env_path.Child("valueFrom"), errors);
    }
  }
  for (int i = 0; i < container.env_from_size(); ++i) {
    ValidateEnvFrom(container.env_from(i), path.Child("envFrom").Index(i), errors);
  }
}

void ValidateMounts(const core::Container& container, const std::set<std::string>& volumes,
                    const FieldPath& path, FieldErrorList* errors) {
  std::set<std::string> mount_paths;
  for (int i = 0; i < container.volume_mounts_size(); ++i) {
    const core::VolumeMount& mount = container.volume_mounts(i);
    const FieldPath mount_path = path.Child("volumeMounts").Index(i);
    if (mount.name().empty()) {
      errors->Required(mount_path.Child("name"));
    } else if (!volumes.contains(mount.name())) {
      errors->NotFound(mount_path.Child("name"), mount.name());
    }
    if (mount.mount_path().empty()) {
      errors->Required(mount_path.Child("mountPath"));
    } else if (!mount_paths.insert(mount.mount_path()).second) {
      errors->Invalid(mount_path.Child("mountPath"), mount.mount_path(), "must be unique");
    }
    ValidateSubPath(mount.sub_path(), mount_path.Child("subPath"), errors);
    if (!mount.sub_path().empty() && !mount.sub_path_expr().empty()) {
      errors->Invalid(mount_path.Child("subPathExpr"), mount.sub_path_expr(),
                      "subPathExpr and subPath are mutually exclusive");
    }
  }
}

void ValidateHooks(const core::Container& container, const FieldPath& path,
                   FieldErrorList* errors) {
  if (container.lifecycle().has_post_start()) {
    ValidateHook(container.lifecycle().post_start(), path.Child("lifecycle").Child("postStart"),
                 errors);
  }
  if (container.lifecycle().has_pre_stop()) {
    ValidateHook(container.lifecycle().pre_stop(), path.Child("lifecycle").Child("preStop"),
                 errors);
  }
  if (container.has_liveness_probe()) {
    ValidateProbe(container.liveness_probe(), true, path.Child("livenessProbe"), errors);
  }
  if (container.has_readiness_probe()) {
    ValidateProbe(container.readiness_probe(), false, path.Child("readinessProbe"), errors);
  }
  if (container.has_startup_probe()) {
    ValidateProbe(container.startup_probe(), true, path.Child("startupProbe"), errors);
  }
}

}  // namespace kubemu
