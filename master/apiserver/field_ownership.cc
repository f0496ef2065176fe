#include "master/apiserver/field_ownership.h"

#include <map>
#include <utility>
#include <vector>

#include "boost/json.hpp"
#include "google/protobuf/message.h"
#include "messages/api/field_errors.h"
#include "messages/api/field_set.h"
#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/api/patch.h"
#include "messages/api/status.h"
#include "messages/api/strategic_merge.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

using k8s::meta::v1::ManagedFieldsEntry;
using JsonValue = boost::json::value;

constexpr const char* kApply = "Apply";
constexpr const char* kUpdate = "Update";
// The owner of what was there before anybody applied anything.
constexpr const char* kBeforeFirstApply = "before-first-apply";
constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

struct FieldOwner {
  ManagedFieldsEntry entry;
  FieldSet fields;
};
using FieldOwners = std::vector<FieldOwner>;

struct FieldConflict {
  FieldOwner* owner = nullptr;
  FieldSteps steps;
};

FieldOwners OwnersOf(const ManagedFields& entries) {
  FieldOwners owners;
  for (const ManagedFieldsEntry& entry : entries) {
    const absl::StatusOr<JsonValue> fields = ParseJson(entry.fields_v1().raw());
    if (fields.ok() && fields->is_object()) owners.push_back({entry, fields->get_object()});
  }
  return owners;
}

FieldOwner* FindOwner(const std::string& manager, const char* operation, FieldOwners* owners) {
  for (FieldOwner& owner : *owners) {
    if (owner.entry.manager() == manager && owner.entry.operation() == operation) return &owner;
  }
  return nullptr;
}

FieldOwner* MakeOwner(const ApiCall& call, const std::string& manager, const char* operation,
                      FieldOwners* owners) {
  if (FieldOwner* known = FindOwner(manager, operation, owners)) return known;
  FieldOwner owner;
  owner.entry.set_manager(manager);
  owner.entry.set_operation(operation);
  owner.entry.set_api_version(call.kind->api_version());
  owner.entry.set_fields_type("FieldsV1");
  owners->push_back(std::move(owner));
  return &owners->back();
}

// Entries whose set is another than before get the time.
ManagedFields EntriesOf(const FieldOwners& owners, WallTime wall) {
  ManagedFields entries;
  for (const FieldOwner& owner : owners) {
    if (owner.fields.empty()) continue;
    ManagedFieldsEntry* entry = entries.Add();
    *entry = owner.entry;
    std::string text = FieldSetText(owner.fields);
    if (entry->has_time() && text == entry->fields_v1().raw()) continue;
    entry->mutable_fields_v1()->set_raw(std::move(text));
    SetTime(wall, entry->mutable_time());
  }
  return entries;
}

std::string OwnerText(const FieldOwner& owner) {
  std::string text = Quoted(owner.entry.manager());
  if (owner.entry.operation() == kUpdate) StrAppend(&text, " using ", owner.entry.api_version());
  return text;
}

ApiStatus ConflictStatus(const std::vector<FieldConflict>& conflicts) {
  ApiStatus status = api_error::Conflict(GroupResource(), "", "");
  status.clear_details();
  std::map<std::string, std::string> lists;
  for (const FieldConflict& conflict : conflicts) {
    const std::string owner = OwnerText(*conflict.owner);
    const std::string field = FieldStepsText(conflict.steps);
    auto* cause = status.mutable_details()->add_causes();
    cause->set_reason("FieldManagerConflict");
    cause->set_message(StrCat("conflict with ", owner));
    cause->set_field(field);
    StrAppend(&lists[owner], "\n- ", field);
  }
  if (conflicts.size() == 1) {
    status.set_message(StrCat("Apply failed with 1 conflict: conflict with ",
                              OwnerText(*conflicts[0].owner), ": ",
                              FieldStepsText(conflicts[0].steps)));
    return status;
  }
  std::vector<std::string> texts;
  for (const auto& [owner, list] : lists)
    texts.push_back(StrCat("conflicts with ", owner, ":", list));
  status.set_message(
      StrCat("Apply failed with ", conflicts.size(), " conflicts: ", StrJoin(texts, "\n")));
  return status;
}

// The values as the server writes them ("1" for the quantity "1000m").
JsonValue Canonical(const ApiCall& call, const JsonValue& config) {
  const MutableObject object(call.kind->prototype->New());
  return FromJson(config, object.get(), nullptr).ok() ? ToJson(*object) : config;
}

// What kubectl has applied from its own side is its own: it may go on from the server's side.
void LeaveToKubectl(const ApiCall& call, const JsonValue& live, FieldSet* fields) {
  const JsonValue* text =
      ValueAt(live, {"f:metadata", "f:annotations", StrCat("f:", kLastApplied)});
  if (call.field_manager != "kubectl" || text == nullptr || !text->is_string()) return;
  const std::string_view raw(text->get_string().data(), text->get_string().size());
  const absl::StatusOr<JsonValue> applied = ParseJson(raw);
  if (!applied.ok()) return;
  ForEachField(FieldsOf(*applied, *call.kind->prototype->GetDescriptor()),
               [fields](const FieldSteps& steps) { DropField(fields, steps); });
}

std::vector<FieldConflict> ConflictsOf(const ApiCall& call, const JsonValue& live,
                                       const JsonValue& config, const FieldSet& wanted,
                                       FieldOwners* owners) {
  std::vector<FieldConflict> conflicts;
  const JsonValue canonical = Canonical(call, config);
  ForEachField(wanted, [&](const FieldSteps& steps) {
    if (steps.back().starts_with("k:")) return;  // that the element is there is no value
    const JsonValue* now = ValueAt(live, steps);
    const JsonValue* then = ValueAt(canonical, steps);
    if (then == nullptr) then = ValueAt(config, steps);
    if (now == nullptr || then == nullptr || JsonEqual(*now, *then)) return;
    for (FieldOwner& owner : *owners) {
      const bool own =
          owner.entry.manager() == call.field_manager && owner.entry.operation() == kApply;
      if (!own && HasField(owner.fields, steps)) conflicts.push_back({&owner, steps});
    }
  });
  return conflicts;
}

// Takes out what the manager had applied and does not want any more. With a field goes the struct
// or element around it that nobody has a field of; a map stays.
void RemoveDropped(const ApiCall& call, const FieldSet& had, const FieldSet& wanted,
                   const FieldOwners& owners, JsonValue* object) {
  const auto wanted_at = [&](const FieldSteps& steps, size_t length) {
    if (HasFieldsAt(wanted, steps, length)) return true;
    for (const FieldOwner& owner : owners) {
      const bool own =
          owner.entry.manager() == call.field_manager && owner.entry.operation() == kApply;
      if (!own && HasFieldsAt(owner.fields, steps, length)) return true;
    }
    return false;
  };
  ForEachField(had, [&](const FieldSteps& steps) {
    for (size_t length = 1; length <= steps.size(); ++length) {
      if (wanted_at(steps, length)) continue;
      const bool map = IsMapAt(*call.kind->prototype->GetDescriptor(), steps, length);
      if (map && length < steps.size()) continue;
      return EraseAt(object, steps, length);
    }
  });
}

}  // namespace

OrStatus<AppliedFields> ApplyFields(const ApiCall& call, const JsonValue& live,
                                    const ManagedFields& before, const JsonValue& config,
                                    WallTime wall) {
  const auto& type = *call.kind->prototype->GetDescriptor();
  FieldOwners owners = OwnersOf(before);
  if (before.empty()) {
    FieldOwner* first = MakeOwner(call, kBeforeFirstApply, kUpdate, &owners);
    first->fields = FieldsOf(live, type);
    LeaveToKubectl(call, live, &first->fields);
  }
  const FieldSet wanted = FieldsOf(config, type);
  const std::vector<FieldConflict> conflicts = ConflictsOf(call, live, config, wanted, &owners);
  if (!conflicts.empty() && !call.force) return ConflictStatus(conflicts);
  for (const FieldConflict& conflict : conflicts)
    DropField(&conflict.owner->fields, conflict.steps);
  absl::StatusOr<JsonValue> merged = StrategicMerge(live, config, type);
  if (!merged.ok()) return api_error::FromPatchError(merged.status());
  FieldOwner* own = MakeOwner(call, call.field_manager, kApply, &owners);
  RemoveDropped(call, own->fields, wanted, owners, &*merged);
  own->fields = wanted;
  return AppliedFields{*std::move(merged), EntriesOf(owners, wall)};
}

void TrackUpdate(const ApiCall& call, const google::protobuf::Message& old,
                 google::protobuf::Message* object, WallTime wall) {
  ManagedFields* managed = MutableMetaOf(object)->mutable_managed_fields();
  if (managed->empty()) return;
  const JsonValue then = ToJson(old);
  const JsonValue now = ToJson(*object);
  FieldOwners owners = OwnersOf(*managed);
  const FieldSet fields = FieldsOf(now, *old.GetDescriptor());
  FieldSet changed;
  ForEachField(fields, [&](const FieldSteps& steps) {
    const JsonValue* before = ValueAt(then, steps);
    const JsonValue* after = ValueAt(now, steps);
    if (before != nullptr && after != nullptr &&
        (steps.back().starts_with("k:") || JsonEqual(*before, *after)))
      return;
    AddField(&changed, steps);
  });
  for (FieldOwner& owner : owners) {
    const FieldSet had = owner.fields;
    ForEachField(had, [&](const FieldSteps& steps) {
      if (HasField(changed, steps) || ValueAt(now, steps) == nullptr)
        DropField(&owner.fields, steps);
    });
  }
  if (!changed.empty()) {
    const std::string manager = call.field_manager.empty() ? "unknown" : call.field_manager;
    FieldOwner* own = MakeOwner(call, manager, kUpdate, &owners);
    ForEachField(changed, [own](const FieldSteps& steps) { AddField(&own->fields, steps); });
  }
  *managed = EntriesOf(owners, wall);
}

}  // namespace kubemu
