#include "master/apiserver/object_fields.h"

#include "google/protobuf/message.h"
#include "messages/api/kinds.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using ProtoMessage = google::protobuf::Message;
using google::protobuf::Reflection;

const FieldDescriptor* FieldOf(const ProtoMessage& object, std::string_view name) {
  return object.GetDescriptor()->FindFieldByName(std::string(name));
}

}  // namespace

MutableObject CopyOf(const Object& object) {
  MutableObject copy(object.message().New());
  copy->CopyFrom(object.message());
  return copy;
}

void CopyField(const ProtoMessage& from, std::string_view name, ProtoMessage* to) {
  const FieldDescriptor* field = FieldOf(from, name);
  if (field == nullptr) return;
  const Reflection* reflection = from.GetReflection();
  reflection->ClearField(to, field);
  if (field->is_repeated() || !reflection->HasField(from, field)) return;
  reflection->MutableMessage(to, field)->CopyFrom(reflection->GetMessage(from, field));
}

void SwapField(std::string_view name, ProtoMessage* a, ProtoMessage* b) {
  if (const FieldDescriptor* field = FieldOf(*a, name); field != nullptr)
    a->GetReflection()->SwapFields(a, b, {field});
}

void ClearField(std::string_view name, ProtoMessage* object) {
  if (const FieldDescriptor* field = FieldOf(*object, name); field != nullptr)
    object->GetReflection()->ClearField(object, field);
}

bool SameSpec(const ProtoMessage& a, const ProtoMessage& b) {
  const MutableObject left(a.New());
  const MutableObject right(b.New());
  left->CopyFrom(a);
  right->CopyFrom(b);
  for (ProtoMessage* object : {left.get(), right.get()}) {
    ClearField("metadata", object);
    ClearField("status", object);
  }
  return left->SerializeAsString() == right->SerializeAsString();
}

bool SameObject(const ProtoMessage& a, const Object& b) {
  return a.ByteSizeLong() == b.bytes().size() && a.SerializeAsString() == b.bytes();
}

void SetTime(WallTime wall, k8s::meta::v1::Time* time) {
  time->Clear();
  time->set_seconds(std::chrono::floor<std::chrono::seconds>(wall.time_since_epoch()).count());
}

}  // namespace kubemu
