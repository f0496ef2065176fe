#include "messages/api/object_selectors.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "messages/api/field_errors.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

namespace core = ::k8s::core::v1;
using google::protobuf::DynamicCastToGenerated;
using ProtoMessage = google::protobuf::Message;
using Operator = LabelRequirement::Operator;

// What a field holds; none: the kind does not have that field.
using Value = std::optional<std::string>;

std::string Text(bool value) {
  return value ? "true" : "false";
}

std::optional<Operator> ToOperator(const std::string& name) {
  if (name == "In") return Operator::kIn;
  if (name == "NotIn") return Operator::kNotIn;
  if (name == "Exists") return Operator::kExists;
  if (name == "DoesNotExist") return Operator::kDoesNotExist;
  return std::nullopt;
}

Value PodField(const core::Pod& pod, std::string_view field) {
  if (field == "spec.nodeName") return pod.spec().node_name();
  if (field == "status.phase") return pod.status().phase();
  if (field == "spec.restartPolicy") return pod.spec().restart_policy();
  if (field == "spec.schedulerName") return pod.spec().scheduler_name();
  if (field == "spec.serviceAccountName") return pod.spec().service_account_name();
  if (field == "spec.hostNetwork") return Text(pod.spec().host_network());
  if (field == "status.podIP" || field == "status.podIPs") return pod.status().pod_ip();
  if (field == "status.nominatedNodeName") return pod.status().nominated_node_name();
  return std::nullopt;
}

Value NodeField(const core::Node& node, std::string_view field) {
  if (field == "spec.unschedulable") return Text(node.spec().unschedulable());
  return std::nullopt;
}

Value EventField(const core::Event& event, std::string_view field) {
  const core::ObjectReference& about = event.involved_object();
  if (field == "involvedObject.kind") return about.kind();
  if (field == "involvedObject.namespace") return about.namespace_();
  if (field == "involvedObject.name") return about.name();
  if (field == "involvedObject.uid") return about.uid();
  if (field == "involvedObject.apiVersion") return about.api_version();
  if (field == "involvedObject.resourceVersion") return about.resource_version();
  if (field == "involvedObject.fieldPath") return about.field_path();
  if (field == "reason") return event.reason();
  if (field == "reportingComponent") return event.reporting_component();
  if (field == "type") return event.type();
  if (field == "source") {
    const std::string& component = event.source().component();
    return component.empty() ? event.reporting_component() : component;
  }
  return std::nullopt;
}

Value ServiceField(const core::Service& service, std::string_view field) {
  if (field == "spec.clusterIP") return service.spec().cluster_ip();
  if (field == "spec.type") return service.spec().type();
  return std::nullopt;
}

// The fields that only this kind has.
Value OwnField(const ProtoMessage& object, std::string_view field) {
  if (const auto* pod = DynamicCastToGenerated<core::Pod>(&object)) return PodField(*pod, field);
  if (const auto* node = DynamicCastToGenerated<core::Node>(&object)) {
    return NodeField(*node, field);
  }
  if (const auto* event = DynamicCastToGenerated<core::Event>(&object)) {
    return EventField(*event, field);
  }
  if (const auto* service = DynamicCastToGenerated<core::Service>(&object)) {
    return ServiceField(*service, field);
  }
  if (const auto* ns = DynamicCastToGenerated<core::Namespace>(&object)) {
    if (field == "status.phase") return ns->status().phase();
  }
  if (const auto* secret = DynamicCastToGenerated<core::Secret>(&object)) {
    if (field == "type") return secret->type();
  }
  if (const auto* replica_set = DynamicCastToGenerated<::k8s::apps::v1::ReplicaSet>(&object)) {
    if (field == "status.replicas") return StrCat(replica_set->status().replicas());
  }
  return std::nullopt;
}

// Every kind has metadata as field 1.
const ::k8s::meta::v1::ObjectMeta* MetaOf(const ProtoMessage& object) {
  const google::protobuf::FieldDescriptor* field = object.GetDescriptor()->FindFieldByNumber(1);
  if (field == nullptr || field->message_type() != ::k8s::meta::v1::ObjectMeta::descriptor()) {
    return nullptr;
  }
  return DynamicCastToGenerated<::k8s::meta::v1::ObjectMeta>(
      &object.GetReflection()->GetMessage(object, field));
}

}  // namespace

absl::StatusOr<LabelSelector> ToLabelSelector(const ::k8s::meta::v1::LabelSelector& selector) {
  std::vector<LabelRequirement> requirements;
  const auto add = [&requirements](std::string key, Operator op, std::vector<std::string> values) {
    absl::StatusOr<LabelRequirement> made =
        LabelRequirement::Make(std::move(key), op, std::move(values));
    if (made.ok()) requirements.push_back(*std::move(made));
    return made.status();
  };
  for (const auto& label : selector.match_labels()) {
    absl::Status added = add(label.key(), Operator::kIn, {label.value()});
    if (!added.ok()) return added;
  }
  for (const auto& expression : selector.match_expressions()) {
    const std::optional<Operator> op = ToOperator(expression.operator_());
    if (!op.has_value()) {
      return absl::InvalidArgumentError(
          StrCat(Quoted(expression.operator_()), " is not a valid label selector operator"));
    }
    absl::Status added =
        add(expression.key(), *op, {expression.values().begin(), expression.values().end()});
    if (!added.ok()) return added;
  }
  return LabelSelector(std::move(requirements));
}

absl::StatusOr<std::string> FieldValue(const ProtoMessage& object, std::string_view field) {
  if (const ::k8s::meta::v1::ObjectMeta* meta = MetaOf(object)) {
    if (field == "metadata.name") return meta->name();
    if (field == "metadata.namespace") return meta->namespace_();
  }
  if (Value value = OwnField(object, field)) return *std::move(value);
  return absl::InvalidArgumentError(StrCat("field label not supported: ", field));
}

absl::Status CheckFieldSelector(const ProtoMessage& prototype, const FieldSelector& selector) {
  for (const FieldTerm& term : selector.terms()) {
    absl::StatusOr<std::string> value = FieldValue(prototype, term.field);
    if (!value.ok()) return value.status();
  }
  return absl::OkStatus();
}

bool MatchesFields(const ProtoMessage& object, const FieldSelector& selector) {
  return std::all_of(selector.terms().begin(), selector.terms().end(), [&](const FieldTerm& term) {
    absl::StatusOr<std::string> value = FieldValue(object, term.field);
    return value.ok() && (*value == term.value) != term.negated;
  });
}

}  // namespace kubemu
