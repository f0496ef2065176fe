#include "master/apiserver/validation/workload.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "google/protobuf/util/message_differencer.h"
#include "master/apiserver/validation/metadata.h"
#include "master/apiserver/validation/pod.h"
#include "messages/api/object_selectors.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"

namespace kubemu {
namespace {

namespace apps = ::k8s::apps::v1;
namespace core = ::k8s::core::v1;
using ::k8s::intstr::IntOrString;
using Selector = ::k8s::meta::v1::LabelSelector;

// map[string]string{"app":"web"}: the form in which Go prints labels.
std::string GoLabels(const StringEntries& labels) {
  std::vector<std::string> pairs;
  for (const auto& label : labels) {
    pairs.push_back(StrCat(Quoted(label.key()), ":", Quoted(label.value())));
  }
  return StrCat("map[string]string{", StrJoin(pairs, ", "), "}");
}

// v1.LabelSelector{MatchLabels:..., MatchExpressions:...}, in Go's form, too.
std::string GoSelector(const Selector& selector) {
  const std::string labels = selector.match_labels().empty() ? "map[string]string(nil)"
                                                             : GoLabels(selector.match_labels());
  std::vector<std::string> expressions;
  for (const auto& expression : selector.match_expressions()) {
    std::vector<std::string> values;
    for (const std::string& value : expression.values()) values.push_back(Quoted(value));
    expressions.push_back(StrCat("v1.LabelSelectorRequirement{Key:", Quoted(expression.key()),
                                 ", Operator:", Quoted(expression.operator_()),
                                 ", Values:[]string{", StrJoin(values, ", "), "}}"));
  }
  const std::string list = expressions.empty() ? "[]v1.LabelSelectorRequirement(nil)"
                                               : StrCat("[]v1.LabelSelectorRequirement{",
                                                        StrJoin(expressions, ", "), "}");
  return StrCat("v1.LabelSelector{MatchLabels:", labels, ", MatchExpressions:", list, "}");
}

// Selector and template of anything that makes pods that it must find again.
void ValidateSelectorAndTemplate(bool has_selector, const Selector& selector,
                                 const core::PodTemplateSpec& pod_template,
                                 FieldErrorList* errors) {
  const FieldPath path("spec");
  const FieldPath selector_path = path.Child("selector");
  const FieldPath template_path = path.Child("template");
  if (!has_selector) {
    errors->Required(selector_path);
  } else {
    ValidateLabelSelector(selector, selector_path, errors);
    if (selector.match_labels().empty() && selector.match_expressions().empty()) {
      errors->InvalidRaw(selector_path, GoSelector(selector),
                         "empty selector is invalid for deployment");
    }
    const absl::StatusOr<LabelSelector> parsed = ToLabelSelector(selector);
    const StringEntries& labels = pod_template.metadata().labels();
    if (!parsed.ok()) {
      errors->InvalidRaw(selector_path, GoSelector(selector), "invalid label selector");
    } else if (!parsed->IsEverything() && !parsed->MatchesLabels(labels)) {
      errors->InvalidRaw(template_path.Child("metadata").Child("labels"), GoLabels(labels),
                         "`selector` does not match template `labels`");
    }
  }
  ValidatePodTemplate(pod_template, template_path, errors);
  const FieldPath spec_path = template_path.Child("spec");
  const std::string& restart_policy = pod_template.spec().restart_policy();
  if (restart_policy == "Never" || restart_policy == "OnFailure") {
    errors->NotSupported(spec_path.Child("restartPolicy"), restart_policy, {"Always"});
  }
  if (pod_template.spec().has_active_deadline_seconds()) {
    errors->Forbidden(spec_path.Child("activeDeadlineSeconds"),
                      "activeDeadlineSeconds in ReplicaSet is not Supported");
  }
}

// The number of "25%", none for any other text.
std::optional<int32_t> Percent(std::string_view text) {
  int32_t percent = 0;
  if (text.empty() || text.back() != '%' || text.front() == '-') return std::nullopt;
  if (!ParseInteger(text.substr(0, text.size() - 1), &percent)) return std::nullopt;
  return percent;
}

std::string ValueText(const IntOrString& value) {
  return value.type() == 0 ? StrCat(value.int_val()) : Quoted(value.str_val());
}

void ValidateCountOrPercent(const IntOrString& value, const FieldPath& path,
                            FieldErrorList* errors) {
  if (value.type() == 0) {
    ValidateNonNegative(value.int_val(), path, errors);
  } else if (!Percent(value.str_val()).has_value()) {
    errors->Invalid(path, value.str_val(),
                    "a valid percent string must be a numeric string followed by an ending '%' "
                    "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')");
  }
}

bool IsZero(const IntOrString& value) {
  return value.type() == 0 ? value.int_val() == 0 : Percent(value.str_val()) == 0;
}

void ValidateRollingUpdate(const apps::RollingUpdateDeployment& rolling, const FieldPath& path,
                           FieldErrorList* errors) {
  const FieldPath unavailable = path.Child("maxUnavailable");
  ValidateCountOrPercent(rolling.max_unavailable(), unavailable, errors);
  ValidateCountOrPercent(rolling.max_surge(), path.Child("maxSurge"), errors);
  if (IsZero(rolling.max_unavailable()) && IsZero(rolling.max_surge())) {
    errors->InvalidRaw(unavailable, ValueText(rolling.max_unavailable()),
                       "may not be 0 when `maxSurge` is 0");
  }
  if (rolling.max_unavailable().type() == 1 &&
      Percent(rolling.max_unavailable().str_val()).value_or(0) > 100) {
    errors->Invalid(unavailable, rolling.max_unavailable().str_val(),
                    "must not be greater than 100%");
  }
}

void ValidateStrategy(const apps::DeploymentStrategy& strategy, const FieldPath& path,
                      FieldErrorList* errors) {
  const FieldPath rolling_path = path.Child("rollingUpdate");
  if (strategy.type() == "Recreate") {
    if (strategy.has_rolling_update()) {
      errors->Forbidden(rolling_path, "may not be specified when strategy `type` is 'Recreate'");
    }
  } else if (strategy.type() == "RollingUpdate") {
    if (!strategy.has_rolling_update()) {
      errors->Required(rolling_path, "this should be defaulted and never be nil");
    } else {
      ValidateRollingUpdate(strategy.rolling_update(), rolling_path, errors);
    }
  } else {
    ValidateChoice(strategy.type(), {"Recreate", "RollingUpdate"}, path.Child("type"), errors);
  }
}

void ValidateSameSelector(const Selector& before, const Selector& after, FieldErrorList* errors) {
  if (google::protobuf::util::MessageDifferencer::Equals(before, after)) return;
  errors->InvalidRaw(FieldPath("spec.selector"), GoSelector(after), kImmutable);
}

}  // namespace

void ValidateDeployment(const apps::Deployment& deployment, FieldErrorList* errors) {
  const apps::DeploymentSpec& spec = deployment.spec();
  const FieldPath path("spec");
  ValidateNonNegative(spec.replicas(), path.Child("replicas"), errors);
  ValidateSelectorAndTemplate(spec.has_selector(), spec.selector(), spec.template_(), errors);
  ValidateStrategy(spec.strategy(), path.Child("strategy"), errors);
  ValidateNonNegative(spec.min_ready_seconds(), path.Child("minReadySeconds"), errors);
  ValidateNonNegative(spec.revision_history_limit(), path.Child("revisionHistoryLimit"), errors);
  if (!spec.has_progress_deadline_seconds()) return;
  const FieldPath deadline = path.Child("progressDeadlineSeconds");
  ValidateNonNegative(spec.progress_deadline_seconds(), deadline, errors);
  if (spec.progress_deadline_seconds() <= spec.min_ready_seconds()) {
    errors->Invalid(deadline, spec.progress_deadline_seconds(),
                    "must be greater than minReadySeconds");
  }
}

void ValidateReplicaSet(const apps::ReplicaSet& replica_set, FieldErrorList* errors) {
  const apps::ReplicaSetSpec& spec = replica_set.spec();
  const FieldPath path("spec");
  ValidateNonNegative(spec.replicas(), path.Child("replicas"), errors);
  ValidateNonNegative(spec.min_ready_seconds(), path.Child("minReadySeconds"), errors);
  ValidateSelectorAndTemplate(spec.has_selector(), spec.selector(), spec.template_(), errors);
}

void ValidateDeploymentUpdate(const apps::Deployment& old_deployment,
                              const apps::Deployment& new_deployment, FieldErrorList* errors) {
  ValidateSameSelector(old_deployment.spec().selector(), new_deployment.spec().selector(), errors);
}

void ValidateReplicaSetUpdate(const apps::ReplicaSet& old_replica_set,
                              const apps::ReplicaSet& new_replica_set, FieldErrorList* errors) {
  ValidateSameSelector(old_replica_set.spec().selector(), new_replica_set.spec().selector(),
                       errors);
}

}  // namespace kubemu
