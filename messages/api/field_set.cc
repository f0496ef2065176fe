#include "messages/api/field_set.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "boost/json.hpp"
#include "messages/api/patch.h"
#include "messages/api/strategic_schema.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

namespace json = boost::json;

constexpr const char* kSelf = ".";

std::string_view MemberView(json::string_view text) {
  return {text.data(), text.size()};
}
json::string_view AsKey(std::string_view text) {
  return {text.data(), text.size()};
}

std::string Serialized(const json::value& value) {
  const auto text = json::serialize(value);
  return std::string(text.data(), text.size());
}

FieldSet FieldsOfObject(const json::object& object, const StrategicSchema& schema);

FieldSet FieldsOfValue(const json::value& value, const StrategicSchema& schema) {
  FieldSet set;
  // What no type describes is a whole: it may be deeper than what can be stored.
  if (value.is_object() && schema.is_known()) return FieldsOfObject(value.get_object(), schema);
  if (!value.is_array() || !schema.merges_list()) return set;
  if (value.get_array().size() > kFieldElementsMax) return set;
  for (const json::value& item : value.get_array()) {
    const json::object* element = item.if_object();
    if (element == nullptr) {
      set[StrCat("v:", Serialized(item))] = FieldSet();
      continue;
    }
    const json::value* key = element->if_contains(AsKey(schema.merge_key()));
    if (key == nullptr) continue;  // the merge complains
    FieldSet fields = FieldsOfObject(*element, schema);
    fields[kSelf] = FieldSet();
    set[StrCat("k:", Serialized(json::object{{AsKey(schema.merge_key()), *key}}))] =
        std::move(fields);
  }
  return set;
}

FieldSet FieldsOfObject(const json::object& object, const StrategicSchema& schema) {
  FieldSet set;
  for (const json::key_value_pair& member : object) {
    if (member.value().is_null()) continue;
    set[StrCat("f:", MemberView(member.key()))] =
        FieldsOfValue(member.value(), schema.Member(MemberView(member.key())));
  }
  return set;
}

void Visit(const FieldSet& set, FieldSteps* steps,
           const std::function<void(const FieldSteps&)>& visit) {
  for (const json::key_value_pair& member : set) {
    if (member.key() == kSelf || !member.value().is_object()) continue;
    const FieldSet& below = member.value().get_object();
    steps->emplace_back(MemberView(member.key()));
    if (below.empty() || below.contains(kSelf)) visit(*steps);
    Visit(below, steps, visit);
    steps->pop_back();
  }
}

const FieldSet* NodeAt(const FieldSet& set, const FieldSteps& steps, size_t length) {
  const FieldSet* node = &set;
  for (size_t i = 0; i < length; ++i) {
    const json::value* next = node->if_contains(AsKey(steps[i]));
    if (next == nullptr || !next->is_object()) return nullptr;
    node = &next->get_object();
  }
  return node;
}

// True: nothing is left of `node`.
bool Drop(FieldSet* node, const FieldSteps& steps, size_t at) {
  json::value* next = node->if_contains(AsKey(steps[at]));
  if (next == nullptr || !next->is_object()) return false;
  FieldSet& below = next->get_object();
  bool gone = false;
  if (at + 1 < steps.size()) {
    gone = Drop(&below, steps, at + 1);
  } else {
    below.erase(kSelf);
    gone = below.empty();
  }
  if (gone) node->erase(AsKey(steps[at]));
  return gone && node->empty();
}

// The element of a list that a step means.
class ElementStep {
 public:
  explicit ElementStep(std::string_view step)
      : is_value_(step.starts_with("v:")), wanted_(json::parse(AsKey(step.substr(2)))) {}

  bool operator()(const json::value& item) const {
    if (is_value_) return JsonEqual(item, wanted_);
    const json::object* object = item.if_object();
    if (object == nullptr || !wanted_.is_object()) return false;
    return std::all_of(wanted_.get_object().begin(), wanted_.get_object().end(),
                       [object](const json::key_value_pair& key) {
                         const json::value* value = object->if_contains(key.key());
                         return value != nullptr && JsonEqual(*value, key.value());
                       });
  }

 private:
  const bool is_value_;
  const json::value wanted_;
};

json::value* StepDown(json::value* value, std::string_view step) {
  if (step.starts_with("f:")) {
    json::object* object = value->if_object();
    return object == nullptr ? nullptr : object->if_contains(AsKey(step.substr(2)));
  }
  json::array* array = value->if_array();
  if (array == nullptr) return nullptr;
  const auto found = std::find_if(array->begin(), array->end(), ElementStep(step));
  return found == array->end() ? nullptr : &*found;
}

void EraseStep(json::value* parent, std::string_view step) {
  if (step.starts_with("f:")) {
    if (json::object* object = parent->if_object()) object->erase(AsKey(step.substr(2)));
  } else if (json::array* array = parent->if_array()) {
    const ElementStep is_element(step);
    json::array kept;
    for (json::value& item : *array) {
      if (!is_element(item)) kept.push_back(std::move(item));
    }
    *array = std::move(kept);
  }
}

}  // namespace

FieldSet FieldsOf(const json::value& object, const google::protobuf::Descriptor& type) {
  if (!object.is_object()) return FieldSet();
  FieldSet set = FieldsOfObject(object.get_object(), StrategicSchema(&type));
  for (const char* top : {"f:apiVersion", "f:kind", "f:status"}) set.erase(top);
  json::value* metadata = set.if_contains("f:metadata");
  if (metadata == nullptr) return set;
  FieldSet& meta = metadata->get_object();
  for (const char* own : {"f:name", "f:namespace", "f:uid", "f:resourceVersion", "f:generation",
                          "f:selfLink", "f:creationTimestamp", "f:deletionTimestamp",
                          "f:deletionGracePeriodSeconds", "f:managedFields"})
    meta.erase(own);
  if (meta.empty()) set.erase("f:metadata");
  return set;
}

std::string FieldSetText(const FieldSet& set) {
  std::map<std::string_view, const json::value*> sorted;
  for (const json::key_value_pair& member : set)
    sorted.emplace(MemberView(member.key()), &member.value());
  std::vector<std::string> members;
  for (const auto& [key, value] : sorted) {
    members.push_back(StrCat(Serialized(json::string(AsKey(key))), ":",
                             value->is_object() ? FieldSetText(value->get_object()) : "{}"));
  }
  return StrCat("{", StrJoin(members, ","), "}");
}

void ForEachField(const FieldSet& set, const std::function<void(const FieldSteps&)>& visit) {
  FieldSteps steps;
  Visit(set, &steps, visit);
}

bool HasField(const FieldSet& set, const FieldSteps& steps) {
  const FieldSet* node = NodeAt(set, steps, steps.size());
  return node != nullptr && (node->empty() || node->contains(kSelf));
}

bool HasFieldsAt(const FieldSet& set, const FieldSteps& steps, size_t length) {
  return NodeAt(set, steps, length) != nullptr;
}

void AddField(FieldSet* set, const FieldSteps& steps) {
  FieldSet* node = set;
  bool made = true;
  for (const std::string& step : steps) {
    if (!made && node != set && node->empty()) (*node)[kSelf] = FieldSet();
    const json::value* known = node->if_contains(AsKey(step));
    made = known == nullptr || !known->is_object();
    json::value& next = (*node)[AsKey(step)];
    if (made) next = FieldSet();
    node = &next.get_object();
  }
  if (!made && !node->empty()) (*node)[kSelf] = FieldSet();
}

void DropField(FieldSet* set, const FieldSteps& steps) {
  Drop(set, steps, 0);
}

const json::value* ValueAt(const json::value& object, const FieldSteps& steps) {
  json::value* value = const_cast<json::value*>(&object);
  for (size_t i = 0; i < steps.size() && value != nullptr; ++i) value = StepDown(value, steps[i]);
  return value;
}

void EraseAt(json::value* object, const FieldSteps& steps, size_t length) {
  json::value* parent = object;
  for (size_t i = 0; i + 1 < length && parent != nullptr; ++i) parent = StepDown(parent, steps[i]);
  if (parent != nullptr) EraseStep(parent, steps[length - 1]);
}

bool IsMapAt(const google::protobuf::Descriptor& type, const FieldSteps& steps, size_t length) {
  StrategicSchema schema(&type);
  for (size_t i = 0; i < length; ++i) {
    if (steps[i].starts_with("f:")) schema = schema.Member(std::string_view(steps[i]).substr(2));
  }
  return schema.is_map();
}

std::string FieldStepsText(const FieldSteps& steps) {
  std::string text;
  for (const std::string& step : steps) {
    const std::string_view rest = std::string_view(step).substr(2);
    if (step.starts_with("f:")) {
      StrAppend(&text, ".", rest);
    } else if (step.starts_with("v:")) {
      StrAppend(&text, "[=", rest, "]");
    } else {
      std::vector<std::string> keys;
      const json::value key = json::parse(AsKey(rest));
      for (const json::key_value_pair& member : key.get_object())
        keys.push_back(StrCat(MemberView(member.key()), "=", Serialized(member.value())));
      StrAppend(&text, "[", StrJoin(keys, ","), "]");
    }
  }
  return text;
}

}  // namespace kubemu
