#include "messages/api/strategic_schema.h"

#include "google/protobuf/descriptor.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/options.pb.h"

namespace kubemu {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// The field with this JSON name, also among those of inlined messages.
const FieldDescriptor* FindField(const Descriptor& type, std::string_view json_name) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (field->options().GetExtension(k8s::inlined)) {
      const FieldDescriptor* found = FindField(*field->message_type(), json_name);
      if (found != nullptr) return found;
    } else if (field->json_name() == json_name) {
      return field;
    }
  }
  return nullptr;
}

bool HasSpecialForm(const Descriptor& type) {
  return type.options().HasExtension(k8s::json_form);
}

}  // namespace

StrategicSchema StrategicSchema::Member(std::string_view json_name) const {
  if (type_ == nullptr) return StrategicSchema();
  if (is_map_) {
    const FieldDescriptor* value = type_->FindFieldByNumber(2);
    return StrategicSchema(value == nullptr ? nullptr : value->message_type());
  }
  const FieldDescriptor* field = FindField(*type_, json_name);
  if (field == nullptr) return StrategicSchema();

  StrategicSchema member(field->message_type());
  if (member.type_ != nullptr && HasSpecialForm(*member.type_)) member.type_ = nullptr;
  member.is_map_ = field->is_repeated() && member.type_ != nullptr &&
                   member.type_->options().GetExtension(k8s::map_entry_of_json_object);
  member.merge_key_ = field->options().GetExtension(k8s::merge_key);
  for (const std::string_view strategy :
       StrSplit(field->options().GetExtension(k8s::patch_strategy), ',')) {
    if (strategy == "merge") member.merges_list_ = true;
    if (strategy == "replace") member.replaces_ = true;
  }
  return member;
}

}  // namespace kubemu
