#include "master/controllers/canonical.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>

#include <memory>
#include <vector>

#include "messages/proto/k8s/options.pb.h"

namespace kubemu {
namespace {

using google::protobuf::FieldDescriptor;
using ProtoMessage = google::protobuf::Message;
using google::protobuf::Reflection;

bool IsZero(const ProtoMessage& message, const FieldDescriptor& field) {
  const Reflection& values = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return values.GetString(message, &field).empty();
    case FieldDescriptor::CPPTYPE_INT32:
      return values.GetInt32(message, &field) == 0;
    case FieldDescriptor::CPPTYPE_INT64:
      return values.GetInt64(message, &field) == 0;
    case FieldDescriptor::CPPTYPE_BOOL:
      return !values.GetBool(message, &field);
    default:
      return false;
  }
}

void Normalize(ProtoMessage* message) {
  const Reflection& values = *message->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  values.ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (field->is_repeated()) {
      for (int i = 0; is_message && i < values.FieldSize(*message, field); ++i) {
        Normalize(values.MutableRepeatedMessage(message, field, i));
      }
    } else if (is_message) {
      ProtoMessage* part = values.MutableMessage(message, field);
      Normalize(part);
      if (field->options().GetExtension(::k8s::by_value) && part->ByteSizeLong() == 0) {
        values.ClearField(message, field);
      }
    } else if (!field->options().GetExtension(::k8s::pointer) && IsZero(*message, *field)) {
      values.ClearField(message, field);
    }
  }
}

}  // namespace

std::string CanonicalBytes(const ProtoMessage& message) {
  const std::unique_ptr<ProtoMessage> copy(message.New());
  copy->CopyFrom(message);
  Normalize(copy.get());
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    copy->SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace kubemu
