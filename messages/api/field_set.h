#ifndef KUBEMU_MESSAGES_API_FIELD_SET_H_
#define KUBEMU_MESSAGES_API_FIELD_SET_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "boost/json/object.hpp"

namespace google::protobuf {
class Descriptor;
}

namespace kubemu {

// A set of fields of an object in the form of metadata.managedFields (FieldsV1): members are steps,
// "f:<field>", "k:{<key>}" (an element of a keyed list) or "v:<value>" (of a set); a member without
// members is in the set, one with members only if "." is among them.
// Form: structured-merge-diff/fieldpath; which fields are lists with keys is taken from the options
// of a strategic merge, so that other structs and lists are wholes.
using FieldSet = boost::json::object;
using FieldSteps = std::vector<std::string>;

// A list with more elements is owned as a whole.
inline constexpr size_t kFieldElementsMax = 500;

// The fields that the object's JSON sets. Without apiVersion, kind, status and what of the metadata
// only the server writes or names the object.
FieldSet FieldsOf(const boost::json::value& object, const google::protobuf::Descriptor& type);

// The canonical text: members sorted.
std::string FieldSetText(const FieldSet& set);

// Calls `visit` for each field in the set.
void ForEachField(const FieldSet& set, const std::function<void(const FieldSteps&)>& visit);
// The field itself is in the set.
bool HasField(const FieldSet& set, const FieldSteps& steps);
// The field at the first `length` steps, or one below it, is in the set.
bool HasFieldsAt(const FieldSet& set, const FieldSteps& steps, size_t length);
void AddField(FieldSet* set, const FieldSteps& steps);
void DropField(FieldSet* set, const FieldSteps& steps);

// The value at the steps; nullptr: there is none.
const boost::json::value* ValueAt(const boost::json::value& object, const FieldSteps& steps);
// Takes out what is at the first `length` steps.
void EraseAt(boost::json::value* object, const FieldSteps& steps, size_t length);
// What is at the first `length` steps is a map: its entries are fields, it is none itself.
bool IsMapAt(const google::protobuf::Descriptor& type, const FieldSteps& steps, size_t length);

// ".spec.containers[name=\"c\"].image", as messages name a field.
std::string FieldStepsText(const FieldSteps& steps);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_FIELD_SET_H_
