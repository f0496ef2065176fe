#include "master/apiserver/filter.h"

#include <utility>
#include <vector>

#include "messages/api/kinds.h"
#include "messages/api/object_selectors.h"
#include "messages/api/status.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

const std::string kNoNode;

std::string MessageText(const absl::Status& status) {
  return std::string(status.message());
}

}  // namespace

OrStatus<Filter> Filter::Make(const ApiCall& call) {
  Filter filter;
  filter.ns_ = call.ns;
  if (!call.label_selector.empty()) {
    absl::StatusOr<LabelSelector> labels = LabelSelector::Parse(call.label_selector);
    if (!labels.ok()) return api_error::BadRequest(MessageText(labels.status()));
    filter.labels_ = *std::move(labels);
  }
  if (call.field_selector.empty()) return filter;
  absl::StatusOr<FieldSelector> fields = FieldSelector::Parse(call.field_selector);
  if (!fields.ok()) return api_error::BadRequest(MessageText(fields.status()));
  const absl::Status known = CheckFieldSelector(*call.kind->prototype, *fields);
  if (!known.ok()) return api_error::BadRequest(MessageText(known));
  filter.fields_ = *std::move(fields);
  if (call.kind != &KindOf<k8s::core::v1::Pod>()) return filter;
  // The node of a pod is what watches are indexed by, and compared first.
  const std::string* node = filter.fields_.RequiredValue("spec.nodeName");
  if (node == nullptr || node->empty()) return filter;
  filter.node_name_ = *node;
  std::vector<FieldTerm> rest;
  for (const FieldTerm& term : filter.fields_.terms()) {
    if (term != FieldTerm{"spec.nodeName", *filter.node_name_, false}) rest.push_back(term);
  }
  filter.fields_ = FieldSelector(std::move(rest));
  return filter;
}

bool Filter::Matches(const Object& object) const {
  if (node_name_ && NodeNameOf(object) != *node_name_) return false;
  if (!ns_.empty() && object.meta().namespace_() != ns_) return false;
  if (!labels_.IsEverything() && !labels_.MatchesLabels(object.meta().labels())) return false;
  return fields_.IsEverything() || MatchesFields(object.message(), fields_);
}

Filter::Seen Filter::See(const CacheEvent& event) const {
  const bool before = event.before && Matches(event.before);
  const bool after = event.after && Matches(event.after);
  if (after) return {before ? Seen::kModified : Seen::kAdded, event.after};
  if (before) return {Seen::kDeleted, event.before};
  return {};
}

const std::string& NodeNameOf(const Object& object) {
  if (!object || &object.kind() != &KindOf<k8s::core::v1::Pod>()) return kNoNode;
  return object.As<k8s::core::v1::Pod>().spec().node_name();
}

}  // namespace kubemu
