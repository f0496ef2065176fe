#include "master/apiserver/validation/pod.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "google/protobuf/util/message_differencer.h"
#include "master/apiserver/validation/container.h"
#include "master/apiserver/validation/metadata.h"
#include "master/apiserver/validation/scheduling.h"
#include "master/apiserver/validation/volume.h"
#include "messages/api/names.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

namespace core = ::k8s::core::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::RepeatedPtrField;
using google::protobuf::util::MessageDifferencer;

constexpr int64_t kActiveDeadlineMax = std::numeric_limits<int32_t>::max();

void ValidateDeadline(const core::PodSpec& spec, const FieldPath& path, FieldErrorList* errors) {
  const int64_t seconds = spec.active_deadline_seconds();
  if (spec.has_active_deadline_seconds() && (seconds < 1 || seconds > kActiveDeadlineMax)) {
    errors->Invalid(path, seconds, RangeText(1, kActiveDeadlineMax));
  }
}

void ValidateOptionalName(const std::string& name, Complaints (*check)(std::string_view),
                          const FieldPath& path, FieldErrorList* errors) {
  if (!name.empty()) errors->Invalid(path, name, check(name));
}

void ValidateHostAliases(const core::PodSpec& spec, const FieldPath& path, FieldErrorList* errors) {
  for (int i = 0; i < spec.host_aliases_size(); ++i) {
    const core::HostAlias& alias = spec.host_aliases(i);
    errors->Invalid(path.Index(i).Child("ip"), alias.ip(), CheckIp(alias.ip()));
    for (int j = 0; j < alias.hostnames_size(); ++j) {
      errors->Invalid(path.Index(i).Child("hostnames").Index(j), alias.hostnames(j),
                      CheckDns1123Subdomain(alias.hostnames(j)));
    }
  }
}

void TakeImages(const RepeatedPtrField<core::Container>& from,
                RepeatedPtrField<core::Container>* to) {
  for (int i = 0; i < to->size(); ++i) (*to)[i].set_image(from[i].image());
}

// The deadline may be set or lowered, never raised or taken away.
void CheckDeadlineUpdate(const core::PodSpec& old_spec, const core::PodSpec& new_spec,
                         FieldErrorList* errors) {
  if (!old_spec.has_active_deadline_seconds()) return;
  const FieldPath path("spec.activeDeadlineSeconds");
  if (!new_spec.has_active_deadline_seconds()) {
    errors->InvalidRaw(path, "null", "must not update from a positive integer to nil value");
  } else if (new_spec.active_deadline_seconds() > old_spec.active_deadline_seconds()) {
    errors->Invalid(path, new_spec.active_deadline_seconds(),
                    "must be less than or equal to previous value");
  }
}

bool SameButSeconds(core::Toleration a, core::Toleration b) {
  a.clear_toleration_seconds();
  b.clear_toleration_seconds();
  return MessageDifferencer::Equals(a, b);
}

void CheckTolerationsUpdate(const core::PodSpec& old_spec, const core::PodSpec& new_spec,
                            FieldErrorList* errors) {
  for (const core::Toleration& before : old_spec.tolerations()) {
    const auto& after = new_spec.tolerations();
    const bool kept = std::any_of(after.begin(), after.end(), [&before](const auto& toleration) {
      return SameButSeconds(before, toleration);
    });
    if (kept) continue;
    errors->Forbidden(FieldPath("spec.tolerations"),
                      "existing toleration can not be modified except its tolerationSeconds");
    return;
  }
}

void CheckGatesUpdate(const core::PodSpec& old_spec, const core::PodSpec& new_spec,
                      FieldErrorList* errors) {
  for (const core::PodSchedulingGate& gate : new_spec.scheduling_gates()) {
    const auto& before = old_spec.scheduling_gates();
    const bool known = std::any_of(before.begin(), before.end(),
                                   [&gate](const auto& old) { return old.name() == gate.name(); });
    if (!known) {
      errors->Forbidden(
          FieldPath("spec.schedulingGates"),
          StrCat("only deletion is allowed, but found new scheduling gate '", gate.name(), "'"));
    }
  }
}

// "spec.nodeName, spec.hostname": the fields in which the two differ.
std::string ChangedFields(const core::PodSpec& a, const core::PodSpec& b) {
  std::vector<std::string> changed;
  const auto* descriptor = core::PodSpec::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    MessageDifferencer differencer;
    if (!differencer.CompareWithFields(a, b, {field}, {field})) {
      changed.push_back(StrCat("spec.", field->json_name()));
    }
  }
  return StrJoin(changed, ", ");
}

// The old spec with what may change taken from the new one.
core::PodSpec WithAllowedChanges(const core::PodSpec& old_spec, const core::PodSpec& new_spec) {
  core::PodSpec spec = old_spec;
  TakeImages(new_spec.containers(), spec.mutable_containers());
  TakeImages(new_spec.init_containers(), spec.mutable_init_containers());
  spec.clear_active_deadline_seconds();
  if (new_spec.has_active_deadline_seconds()) {
    spec.set_active_deadline_seconds(new_spec.active_deadline_seconds());
  }
  *spec.mutable_tolerations() = new_spec.tolerations();
  *spec.mutable_scheduling_gates() = new_spec.scheduling_gates();
  if (old_spec.termination_grace_period_seconds() < 0 &&
      new_spec.termination_grace_period_seconds() == 1) {
    spec.set_termination_grace_period_seconds(1);
  }
  return spec;
}

}  // namespace

void ValidatePodSpec(const core::PodSpec& spec, const FieldPath& path, FieldErrorList* errors) {
  const std::set<std::string> volumes = ValidateVolumes(spec, path.Child("volumes"), errors);
  ValidateContainers(spec, volumes, path, errors);
  ValidateChoice(spec.restart_policy(), {"Always", "Never", "OnFailure"},
                 path.Child("restartPolicy"), errors);
  ValidateChoice(spec.dns_policy(), {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"},
                 path.Child("dnsPolicy"), errors);
  ValidateDeadline(spec, path.Child("activeDeadlineSeconds"), errors);
  ValidateOptionalName(spec.service_account_name(), CheckDns1123Subdomain,
                       path.Child("serviceAccountName"), errors);
  ValidateOptionalName(spec.node_name(), CheckDns1123Subdomain, path.Child("nodeName"), errors);
  ValidateOptionalName(spec.hostname(), CheckDns1123Label, path.Child("hostname"), errors);
  ValidateOptionalName(spec.subdomain(), CheckDns1123Label, path.Child("subdomain"), errors);
  ValidateOptionalName(spec.scheduler_name(), CheckQualifiedName, path.Child("schedulerName"),
                       errors);
  ValidateOptionalName(spec.priority_class_name(), CheckDns1123Subdomain,
                       path.Child("priorityClassName"), errors);
  ValidateHostAliases(spec, path.Child("hostAliases"), errors);
  for (int i = 0; i < spec.readiness_gates_size(); ++i) {
    const std::string& type = spec.readiness_gates(i).condition_type();
    errors->Invalid(path.Child("readinessGates").Index(i).Child("conditionType"), type,
                    CheckQualifiedName(type));
  }
  ValidateScheduling(spec, path, errors);
}

void ValidatePodTemplate(const core::PodTemplateSpec& pod_template, const FieldPath& path,
                         FieldErrorList* errors) {
  const FieldPath metadata = path.Child("metadata");
  ValidateLabels(pod_template.metadata().labels(), metadata.Child("labels"), errors);
  ValidateAnnotations(pod_template.metadata().annotations(), metadata.Child("annotations"), errors);
  ValidatePodSpec(pod_template.spec(), path.Child("spec"), errors);
}

void ValidatePodUpdate(const core::Pod& old_pod, const core::Pod& new_pod, FieldErrorList* errors) {
  const core::PodSpec& old_spec = old_pod.spec();
  const core::PodSpec& new_spec = new_pod.spec();
  constexpr std::string_view kAddOrRemove = "pod updates may not add or remove containers";
  const size_t before = errors->size();
  if (old_spec.containers_size() != new_spec.containers_size()) {
    errors->Forbidden(FieldPath("spec.containers"), kAddOrRemove);
  }
  if (old_spec.init_containers_size() != new_spec.init_containers_size()) {
    errors->Forbidden(FieldPath("spec.initContainers"), kAddOrRemove);
  }
  if (errors->size() > before) return;
  CheckDeadlineUpdate(old_spec, new_spec, errors);
  CheckTolerationsUpdate(old_spec, new_spec, errors);
  CheckGatesUpdate(old_spec, new_spec, errors);
  const core::PodSpec allowed = WithAllowedChanges(old_spec, new_spec);
  if (MessageDifferencer::Equals(allowed, new_spec)) return;
  errors->Forbidden(
      FieldPath("spec"),
      StrCat("pod updates may not change fields other than "
             "`spec.containers[*].image`,`spec.initContainers[*].image`,"
             "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
             "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
             "previously negative)\nchanged: ",
             ChangedFields(allowed, new_spec)));
}

}  // namespace kubemu
