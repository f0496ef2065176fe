#ifndef KUBEMU_MASTER_APISERVER_OBJECT_FIELDS_H_
#define KUBEMU_MASTER_APISERVER_OBJECT_FIELDS_H_

#include <memory>
#include <string>
#include <string_view>

#include "google/protobuf/repeated_ptr_field.h"
#include "messages/core/time.h"
#include "messages/object.h"

namespace google::protobuf {
class Message;
}
namespace k8s::meta::v1 {
class ManagedFieldsEntry;
class Time;
}  // namespace k8s::meta::v1

namespace kubemu {

// metadata.managedFields.
using ManagedFields = google::protobuf::RepeatedPtrField<k8s::meta::v1::ManagedFieldsEntry>;

// What every kind of object has in common, by reflection on its top-level fields: "metadata",
// "spec", "status".

using MutableObject = std::unique_ptr<google::protobuf::Message>;

// A copy that may be changed.
MutableObject CopyOf(const Object& object);

// The field `name` of `to` becomes that of `from` (of the same kind); kinds without it: nothing.
void CopyField(const google::protobuf::Message& from, std::string_view name,
               google::protobuf::Message* to);
// The two objects of one kind exchange the field.
void SwapField(std::string_view name, google::protobuf::Message* a, google::protobuf::Message* b);
void ClearField(std::string_view name, google::protobuf::Message* object);

// Everything but `metadata` and `status` is the same.
bool SameSpec(const google::protobuf::Message& a, const google::protobuf::Message& b);
// Everything is the same. Costs little more than looking at the sizes when it is not.
bool SameObject(const google::protobuf::Message& a, const Object& b);

// Whole seconds, as metav1.Time is written.
void SetTime(WallTime wall, k8s::meta::v1::Time* time);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_OBJECT_FIELDS_H_
