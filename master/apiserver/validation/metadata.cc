#include "master/apiserver/validation/metadata.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "messages/core/strings.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

using MetaLabelSelector = ::k8s::meta::v1::LabelSelector;
using ::k8s::meta::v1::LabelSelectorRequirement;
using ::k8s::meta::v1::ObjectMeta;
using ::k8s::meta::v1::OwnerReference;

constexpr std::string_view kStandardFinalizers[] = {"kubernetes", "orphan", "foregroundDeletion"};

void ValidateName(const ObjectMeta& meta, const MetadataRules& rules, const FieldPath& path,
                  FieldErrorList* errors) {
  if (!meta.generate_name().empty()) {
    // What is generated ends with a letter or digit, so the prefix may end with what may not.
    std::string prefix = meta.generate_name();
    if (prefix.size() > 1 && prefix.back() == '-') prefix.back() = 'a';
    errors->Invalid(path.Child("generateName"), meta.generate_name(), rules.check_name(prefix));
  }
  if (meta.name().empty()) {
    errors->Required(path.Child("name"), "name or generateName is required");
  } else {
    errors->Invalid(path.Child("name"), meta.name(), rules.check_name(meta.name()));
  }
}

void ValidateNamespaceField(const ObjectMeta& meta, const MetadataRules& rules,
                            const FieldPath& path, FieldErrorList* errors) {
  const std::string& ns = meta.namespace_();
  if (!rules.namespaced) {
    if (!ns.empty()) errors->Forbidden(path, "not allowed on this type");
  } else if (ns.empty()) {
    errors->Required(path);
  } else {
    errors->Invalid(path, ns, CheckDns1123Label(ns));
  }
}

void ValidateOwners(const ObjectMeta& meta, const FieldPath& path, FieldErrorList* errors) {
  std::vector<std::string> controllers;
  for (int i = 0; i < meta.owner_references_size(); ++i) {
    const OwnerReference& owner = meta.owner_references(i);
    const FieldPath owner_path = path.Index(i);
    const auto must_not_be_empty = [&](std::string_view child, const std::string& value,
                                       std::string_view text) {
      if (value.empty()) errors->Invalid(owner_path.Child(child), value, text);
    };
    must_not_be_empty("apiVersion", owner.api_version(), "version must not be empty");
    must_not_be_empty("kind", owner.kind(), "must not be empty");
    must_not_be_empty("name", owner.name(), "must not be empty");
    must_not_be_empty("uid", owner.uid(), "must not be empty");
    if (owner.controller()) controllers.push_back(owner.name());
  }
  if (controllers.size() > 1) {
    errors->InvalidRaw(path, StrCat("[", StrJoin(controllers, " "), "]"),
                       StrCat("Only one reference can have Controller set to true. Found \"true\" "
                              "in references for ",
                              controllers[0], " and ", controllers[1]));
  }
}

void ValidateFinalizers(const ObjectMeta& meta, const FieldPath& path, FieldErrorList* errors) {
  for (const std::string& finalizer : meta.finalizers()) {
    const Complaints complaints = CheckQualifiedName(finalizer);
    errors->Invalid(path, finalizer, complaints);
    const bool standard = std::find(std::begin(kStandardFinalizers), std::end(kStandardFinalizers),
                                    finalizer) != std::end(kStandardFinalizers);
    if (complaints.empty() && !standard && finalizer.find('/') == finalizer.npos) {
      errors->Invalid(path, finalizer,
                      "name is neither a standard finalizer name nor is it fully qualified");
    }
  }
}

void ValidateExpression(const LabelSelectorRequirement& expression, const FieldPath& path,
                        FieldErrorList* errors) {
  const std::string& op = expression.operator_();
  const FieldPath values_path = path.Child("values");
  if (op == "In" || op == "NotIn") {
    if (expression.values().empty()) {
      errors->Required(values_path, "must be specified when `operator` is 'In' or 'NotIn'");
    }
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (!expression.values().empty()) {
      errors->Forbidden(values_path,
                        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    }
  } else {
    errors->Invalid(path.Child("operator"), op, "not a valid selector operator");
  }
  errors->Invalid(path.Child("key"), expression.key(), CheckQualifiedName(expression.key()));
  for (int i = 0; i < expression.values_size(); ++i) {
    errors->Invalid(values_path.Index(i), expression.values(i),
                    CheckLabelValue(expression.values(i)));
  }
}

}  // namespace

void ValidateMetadata(const ObjectMeta& meta, const MetadataRules& rules, FieldErrorList* errors) {
  const FieldPath path("metadata");
  ValidateName(meta, rules, path, errors);
  ValidateNamespaceField(meta, rules, path.Child("namespace"), errors);
  ValidateNonNegative(meta.generation(), path.Child("generation"), errors);
  ValidateLabels(meta.labels(), path.Child("labels"), errors);
  ValidateAnnotations(meta.annotations(), path.Child("annotations"), errors);
  ValidateOwners(meta, path.Child("ownerReferences"), errors);
  ValidateFinalizers(meta, path.Child("finalizers"), errors);
}

void ValidateMetadataUpdate(const ObjectMeta& old_meta, const ObjectMeta& new_meta,
                            FieldErrorList* errors) {
  const FieldPath path("metadata");
  const auto immutable = [&](std::string_view child, const std::string& before,
                             const std::string& after) {
    if (before != after) errors->Invalid(path.Child(child), after, kImmutable);
  };
  immutable("name", old_meta.name(), new_meta.name());
  immutable("namespace", old_meta.namespace_(), new_meta.namespace_());
  immutable("uid", old_meta.uid(), new_meta.uid());
  if (new_meta.generation() < old_meta.generation()) {
    errors->Invalid(path.Child("generation"), new_meta.generation(), "must not be decremented");
  }
  if (!old_meta.has_deletion_timestamp()) return;
  std::vector<std::string> added;
  for (const std::string& finalizer : new_meta.finalizers()) {
    const auto& before = old_meta.finalizers();
    if (std::find(before.begin(), before.end(), finalizer) == before.end()) {
      added.push_back(Quoted(finalizer));
    }
  }
  if (!added.empty()) {
    errors->Forbidden(path.Child("finalizers"),
                      StrCat("no new finalizers can be added if the object is being deleted, found "
                             "new finalizers []string{",
                             StrJoin(added, ", "), "}"));
  }
}

void ValidateLabels(const StringEntries& labels, const FieldPath& path, FieldErrorList* errors) {
  for (const auto& label : labels) {
    errors->Invalid(path, label.key(), CheckQualifiedName(label.key()));
    errors->Invalid(path, label.value(), CheckLabelValue(label.value()));
  }
}

void ValidateAnnotations(const StringEntries& annotations, const FieldPath& path,
                         FieldErrorList* errors) {
  size_t bytes = 0;
  for (const auto& annotation : annotations) {
    errors->Invalid(path, annotation.key(), CheckQualifiedName(AsciiLower(annotation.key())));
    bytes += annotation.key().size() + annotation.value().size();
  }
  if (bytes > kAnnotationBytesMax) errors->TooLong(path, kAnnotationBytesMax);
}

void ValidateLabelSelector(const MetaLabelSelector& selector, const FieldPath& path,
                           FieldErrorList* errors) {
  ValidateLabels(selector.match_labels(), path.Child("matchLabels"), errors);
  for (int i = 0; i < selector.match_expressions_size(); ++i) {
    ValidateExpression(selector.match_expressions(i), path.Child("matchExpressions").Index(i),
                       errors);
  }
}

void ValidateNonNegative(int64_t value, const FieldPath& path, FieldErrorList* errors) {
  if (value < 0) errors->Invalid(path, value, "must be greater than or equal to 0");
}

void ValidateChoice(std::string_view value, std::vector<std::string> choices, const FieldPath& path,
                    FieldErrorList* errors) {
  if (value.empty()) {
    errors->Required(path);
  } else if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    errors->NotSupported(path, value, std::move(choices));
  }
}

}  // namespace kubemu
