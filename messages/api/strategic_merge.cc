#include "messages/api/strategic_merge.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "boost/json.hpp"
#include "messages/api/element_index.h"
#include "messages/api/strategic_schema.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

namespace json = boost::json;

constexpr std::string_view kPatch = "$patch";
constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kElementOrder = "$setElementOrder/";
constexpr std::string_view kDeletePrimitives = "$deleteFromPrimitiveList/";

std::string_view JsonView(json::string_view text) {
  return {text.data(), text.size()};
}
json::string_view JsonKey(std::string_view text) {
  return {text.data(), text.size()};
}

bool ConsumePrefix(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

bool IsDirective(std::string_view key) {
  return key == kPatch || key == kRetainKeys || key.starts_with(kElementOrder) ||
         key.starts_with(kDeletePrimitives);
}

// The value of "$patch", "" when there is none.
absl::StatusOr<std::string_view> PatchDirective(const json::object& patch) {
  const json::value* directive = patch.if_contains(JsonKey(kPatch));
  if (directive == nullptr) return std::string_view();
  if (const json::string* text = directive->if_string()) {
    const std::string_view name = JsonView(*text);
    if (name == "delete" || name == "replace" || name == "merge") return name;
  }
  return absl::InvalidArgumentError(
      StrCat("unknown patch type: ", std::string(json::serialize(*directive)),
             " in map: ", json::serialize(patch)));
}

// A value that the original does not have: without directives, nulls, and what is to be deleted.
json::value Plain(const json::value& value) {
  if (const json::object* object = value.if_object()) {
    json::object result;
    for (const json::key_value_pair& member : *object) {
      if (member.value().is_null() || IsDirective(JsonView(member.key()))) continue;
      result.emplace(member.key(), Plain(member.value()));
    }
    return result;
  }
  if (const json::array* array = value.if_array()) {
    json::array result;
    for (const json::value& item : *array) {
      const json::object* object = item.if_object();
      const json::value* directive =
          object == nullptr ? nullptr : object->if_contains(JsonKey(kPatch));
      if (directive != nullptr && *directive == "delete") continue;
      // The element "$patch: replace" only says how the list is meant.
      if (directive != nullptr && object->size() == 1) continue;
      result.push_back(Plain(item));
    }
    return result;
  }
  return value;
}

absl::Status MissingKey(const json::value& element, const std::string& merge_key) {
  return absl::InvalidArgumentError(StrCat("map: ", json::serialize(element),
                                           " does not contain declared merge key: ", merge_key));
}

bool IsListOfObjects(const json::array& list) {
  return std::any_of(list.begin(), list.end(),
                     [](const json::value& item) { return item.is_object(); });
}

absl::Status ApplyRetainKeys(json::object* original, const json::object& patch) {
  const json::value* directive = patch.if_contains(JsonKey(kRetainKeys));
  if (directive == nullptr) return absl::OkStatus();
  const json::array* keys = directive->if_array();
  if (keys == nullptr) {
    return absl::InvalidArgumentError("invalid patch format of retainKeys: it must be a list");
  }
  std::set<std::string_view> names;
  for (const json::value& key : *keys) {
    if (key.is_string()) names.insert(JsonView(key.get_string()));
  }
  const auto retained = [&](std::string_view key) { return names.contains(key); };
  for (const json::key_value_pair& member : patch) {
    const std::string_view key = JsonView(member.key());
    if (member.value().is_null() || IsDirective(key) || retained(key)) continue;
    return absl::InvalidArgumentError(
        StrCat("invalid patch format of retainKeys: \"", key, "\" is set but not retained"));
  }
  std::vector<std::string> gone;
  for (const json::key_value_pair& member : *original) {
    if (!retained(JsonView(member.key()))) gone.emplace_back(JsonView(member.key()));
  }
  for (const std::string& key : gone) original->erase(JsonKey(key));
  return absl::OkStatus();
}

absl::StatusOr<json::object> MergeObjects(json::object original, const json::object& patch,
                                          const StrategicSchema& schema);

// Removes what `$patch: delete` elements name, and says whether `$patch: replace` was there.
absl::StatusOr<bool> ApplyListDirectives(json::array* original, const json::array& patch,
                                         const std::string& merge_key) {
  bool replace = false;
  json::array gone;
  for (const json::value& element : patch) {
    if (!element.is_object()) continue;
    absl::StatusOr<std::string_view> directive = PatchDirective(element.get_object());
    if (!directive.ok()) return directive.status();
    if (*directive == "replace") replace = true;
    if (*directive == "merge") {
      return absl::InvalidArgumentError("merging lists cannot yet be specified in the patch");
    }
    if (*directive != "delete") continue;
    if (ElementIndex::IdentityOf(element, merge_key) == nullptr) {
      return MissingKey(element, merge_key);
    }
    gone.push_back(element);
  }
  if (gone.empty()) return replace;
  const ElementIndex deleted(gone, merge_key);
  json::array kept;
  for (json::value& element : *original) {
    if (deleted.Find(element) < 0) kept.push_back(std::move(element));
  }
  *original = std::move(kept);
  return replace;
}

absl::StatusOr<json::array> MergeKeyedLists(json::array original, const json::array& patch,
                                            const StrategicSchema& schema) {
  const std::string& merge_key = schema.merge_key();
  absl::StatusOr<bool> replace = ApplyListDirectives(&original, patch, merge_key);
  if (!replace.ok()) return replace.status();
  if (*replace) return Plain(patch).get_array();
  ElementIndex index_of(original, merge_key);
  for (const json::value& element : patch) {
    const json::object* object = element.if_object();
    if (object != nullptr && object->contains(JsonKey(kPatch))) continue;
    if (ElementIndex::IdentityOf(element, merge_key) == nullptr) {
      return MissingKey(element, merge_key);
    }
    const int index = index_of.Find(element);
    if (index < 0) {
      original.push_back(Plain(element));
      index_of.AddLast();
      continue;
    }
    json::value& target = original[static_cast<size_t>(index)];
    absl::StatusOr<json::object> merged =
        MergeObjects(std::move(target.get_object()), *object, schema);
    if (!merged.ok()) return merged.status();
    target = *std::move(merged);
  }
  return original;
}

absl::StatusOr<json::array> MergeLists(json::array original, const json::array& patch,
                                       const StrategicSchema& schema) {
  if (!schema.merges_list()) return Plain(patch).get_array();
  if (IsListOfObjects(original) || IsListOfObjects(patch)) {
    if (schema.merge_key().empty()) {
      return absl::InvalidArgumentError("cannot merge lists of objects without a merge key");
    }
    return MergeKeyedLists(std::move(original), patch, schema);
  }
  ElementIndex index_of(original, "");
  for (const json::value& item : patch) {
    if (index_of.Find(item) >= 0) continue;
    original.push_back(item);
    index_of.AddLast();
  }
  return original;
}

// Elements named in `order` follow it; the others keep their place relative to their neighbours in
// `before`, the list as it was.
json::array Reorder(const json::array& merged, const json::array& order, const json::array& before,
                    const std::string& merge_key) {
  const ElementIndex in_merged(merged, merge_key);
  const ElementIndex in_order(order, merge_key);
  const ElementIndex in_before(before, merge_key);
  json::array named;
  json::array others;
  for (const json::value& wanted : order) {
    const int index = in_merged.Find(wanted);
    if (index >= 0) named.push_back(merged[static_cast<size_t>(index)]);
  }
  for (const json::value& item : merged) {
    if (in_order.Find(item) < 0) others.push_back(item);
  }
  json::array result;
  size_t next_named = 0;
  size_t next_other = 0;
  while (next_named < named.size() || next_other < others.size()) {
    bool take_other = next_named == named.size();
    if (!take_other && next_other < others.size()) {
      const int other_place = in_before.Find(others[next_other]);
      const int named_place = in_before.Find(named[next_named]);
      take_other = other_place >= 0 && named_place >= 0 && other_place < named_place;
    }
    result.push_back(take_other ? others[next_other++] : named[next_named++]);
  }
  return result;
}

// Every element that the patch sets must be named in the order, and in the same order.
absl::Status CheckOrder(const json::array& patch, const json::array& order, const std::string& list,
                        const std::string& merge_key) {
  int last = -1;
  const ElementIndex in_order(order, merge_key);
  for (const json::value& item : patch) {
    if (item.is_object() && item.get_object().contains(JsonKey(kPatch))) continue;
    const int place = in_order.Find(item);
    if (place < last || place < 0) {
      return absl::InvalidArgumentError(StrCat("The order in patch list:\n", json::serialize(patch),
                                               "\n doesn't match ", kElementOrder, list, " list:\n",
                                               json::serialize(order), "\n"));
    }
    last = place;
  }
  return absl::OkStatus();
}

// $setElementOrder/<list>: merges that list and puts it in order.
absl::Status MergeOrderedList(json::object* original, const json::object& patch,
                              const std::string& list, const json::value& order_value,
                              const StrategicSchema& schema) {
  const json::array* order = order_value.if_array();
  if (order == nullptr) {
    return absl::InvalidArgumentError(StrCat(kElementOrder, list, " must be a list"));
  }
  const StrategicSchema member = schema.Member(list);
  json::value* old_value = original->if_contains(JsonKey(list));
  const json::value* change = patch.if_contains(JsonKey(list));
  json::array before =
      old_value != nullptr && old_value->is_array() ? old_value->get_array() : json::array();
  json::array merged = before;
  if (change != nullptr && change->is_array()) {
    absl::Status valid = CheckOrder(change->get_array(), *order, list, member.merge_key());
    if (!valid.ok()) return valid;
    absl::StatusOr<json::array> result = MergeLists(before, change->get_array(), member);
    if (!result.ok()) return result.status();
    merged = *std::move(result);
  } else if (old_value == nullptr) {
    return absl::OkStatus();
  }
  original->insert_or_assign(JsonKey(list), Reorder(merged, *order, before, member.merge_key()));
  return absl::OkStatus();
}

absl::Status DeletePrimitives(json::object* original, const std::string& list,
                              const json::value& values) {
  if (!values.is_array()) {
    return absl::InvalidArgumentError(StrCat(kDeletePrimitives, list, " must be a list"));
  }
  json::value* target = original->if_contains(JsonKey(list));
  if (target == nullptr || !target->is_array()) return absl::OkStatus();
  const ElementIndex gone(values.get_array(), "");
  json::array kept;
  for (const json::value& item : target->get_array()) {
    if (gone.Find(item) < 0) kept.push_back(item);
  }
  *target = std::move(kept);
  return absl::OkStatus();
}

absl::Status MergeMember(json::object* original, std::string_view key, const json::value& change,
                         const StrategicSchema& member) {
  json::value* target = original->if_contains(JsonKey(key));
  if (change.is_null()) {
    original->erase(JsonKey(key));
    return absl::OkStatus();
  }
  if (target == nullptr || target->kind() != change.kind() || member.replaces()) {
    original->insert_or_assign(JsonKey(key), Plain(change));
    return absl::OkStatus();
  }
  if (target->is_object()) {
    absl::StatusOr<json::object> merged =
        MergeObjects(std::move(target->get_object()), change.get_object(), member);
    if (!merged.ok()) return merged.status();
    *target = *std::move(merged);
    return absl::OkStatus();
  }
  if (target->is_array()) {
    absl::StatusOr<json::array> merged =
        MergeLists(std::move(target->get_array()), change.get_array(), member);
    if (!merged.ok()) return merged.status();
    *target = *std::move(merged);
    return absl::OkStatus();
  }
  *target = change;
  return absl::OkStatus();
}

absl::StatusOr<json::object> MergeObjects(json::object original, const json::object& patch,
                                          const StrategicSchema& schema) {
  absl::StatusOr<std::string_view> directive = PatchDirective(patch);
  if (!directive.ok()) return directive.status();
  if (*directive == "delete") return json::object();
  if (*directive == "replace") return Plain(patch).get_object();
  if (absl::Status kept = ApplyRetainKeys(&original, patch); !kept.ok()) return kept;

  std::set<std::string, std::less<>> ordered_lists;
  for (const json::key_value_pair& member : patch) {
    std::string_view list = JsonView(member.key());
    if (!ConsumePrefix(&list, kElementOrder)) continue;
    const auto ordered = ordered_lists.emplace(list).first;
    absl::Status merged = MergeOrderedList(&original, patch, *ordered, member.value(), schema);
    if (!merged.ok()) return merged;
  }
  for (const json::key_value_pair& member : patch) {
    std::string_view key = JsonView(member.key());
    absl::Status merged;
    if (ConsumePrefix(&key, kDeletePrimitives)) {
      merged = DeletePrimitives(&original, std::string(key), member.value());
    } else if (!IsDirective(key) && (!ordered_lists.contains(key) || !member.value().is_array())) {
      merged = MergeMember(&original, key, member.value(), schema.Member(key));
    }
    if (!merged.ok()) return merged;
  }
  return original;
}

}  // namespace

absl::StatusOr<json::value> StrategicMerge(const json::value& original, const json::value& patch,
                                           const google::protobuf::Descriptor& type) {
  if (!original.is_object() || !patch.is_object()) {
    return absl::InvalidArgumentError("a strategic merge patch and its object must be objects");
  }
  absl::StatusOr<json::object> merged =
      MergeObjects(original.get_object(), patch.get_object(), StrategicSchema(&type));
  if (!merged.ok()) return merged.status();
  return json::value(*std::move(merged));
}

}  // namespace kubemu
