#include "messages/api/kube_protobuf.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>

#include <map>

#include "boost/json.hpp"
#include "messages/api/json.h"
#include "messages/api/json_forms.h"
#include "messages/api/json_values.h"
#include "messages/api/kinds.h"
#include "messages/api/quantity.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/intstr.pb.h"
#include "messages/proto/k8s/quantity.pb.h"
#include "messages/proto/k8s/runtime.pb.h"

namespace kubemu {
namespace {

using ProtoMessage = google::protobuf::Message;
using google::protobuf::Reflection;
namespace io = google::protobuf::io;

bool ParseBytes(std::string_view bytes, ProtoMessage* message) {
  io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                              static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(kProtobufDepthMax);
  return message->ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage();
}

void AppendBytes(const ProtoMessage& message, std::string* out) {
  io::StringOutputStream stream(out);
  io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
}

// Walks a message and clears or checks what the header says. False: status() says why.
class Normalizer {
 public:
  const absl::Status& status() const { return status_; }

  bool NormalizeMessage(ProtoMessage* message, const MessageForm& form) {
    switch (form.form) {
      case JsonForm::kObject:
        return Fields(message, form);
      case JsonForm::kQuantity:
        return NormalizeQuantity(static_cast<k8s::resource::Quantity*>(message));
      case JsonForm::kIntOrString:
        return NormalizeIntOrString(static_cast<k8s::intstr::IntOrString*>(message));
      case JsonForm::kRaw:
        return Raw(message, form);
      case JsonForm::kStringList:
        return List(message, form.fields[0]);
      default:
        return true;
    }
  }

 private:
  bool Fields(ProtoMessage* message, const MessageForm& form) {
    const Reflection& reflection = *message->GetReflection();
    for (const FieldForm& field : form.fields) {
      const size_t length = path_.size();
      if (!field.inlined) {
        if (!path_.empty()) path_ += '.';
        path_ += field.name;
      }
      bool ok = true;
      if (field.repeated) {
        ok = List(message, field);
        if (ok && field.map) SortEntries(message, field);
      } else if (reflection.HasField(*message, field.field)) {
        ok = field.message != nullptr ? Member(message, field) : Scalar(message, field);
      }
      if (!ok) return false;
      path_.resize(length);
    }
    return true;
  }

  bool Member(ProtoMessage* message, const FieldForm& field) {
    const Reflection& reflection = *message->GetReflection();
    ProtoMessage* member = reflection.MutableMessage(message, field.field);
    if (!NormalizeMessage(member, *field.message)) return false;
    if (MeansUnset(*member, field)) reflection.ClearField(message, field.field);
    return true;
  }

  static bool MeansUnset(const ProtoMessage& member, const FieldForm& field) {
    switch (field.form) {
      case JsonForm::kTime:
      case JsonForm::kMicroTime:
        return member.ByteSizeLong() == 0;  // Go's zero time is written as no bytes
      case JsonForm::kIntOrString: {
        const auto& value = static_cast<const k8s::intstr::IntOrString&>(member);
        return !field.pointer && value.type() == 0 && value.int_val() == 0;
      }
      default:
        return field.by_value && member.ByteSizeLong() == 0;
    }
  }

  bool Scalar(ProtoMessage* message, const FieldForm& field) {
    const Reflection& reflection = *message->GetReflection();
    bool zero = false;
    switch (field.form) {
      case JsonForm::kBool:
        zero = !reflection.GetBool(*message, field.field);
        break;
      case JsonForm::kInt32:
        zero = reflection.GetInt32(*message, field.field) == 0;
        break;
      case JsonForm::kInt64:
        zero = reflection.GetInt64(*message, field.field) == 0;
        break;
      default: {
        std::string scratch;
        const std::string& text = reflection.GetStringReference(*message, field.field, &scratch);
        if (!Text(text, field)) return false;
        zero = text.empty();
      }
    }
    if (zero && !field.pointer) reflection.ClearField(message, field.field);
    return true;
  }

  bool List(ProtoMessage* message, const FieldForm& field) {
    const Reflection& reflection = *message->GetReflection();
    const int size = reflection.FieldSize(*message, field.field);
    const size_t length = path_.size();
    for (int i = 0; i < size; ++i) {
      StrAppend(&path_, "[", i, "]");
      bool ok = true;
      if (field.map) {
        ok = Entry(reflection.MutableRepeatedMessage(message, field.field, i), *field.message);
      } else if (field.message != nullptr) {
        ok = NormalizeMessage(reflection.MutableRepeatedMessage(message, field.field, i),
                              *field.message);
      } else if (field.form == JsonForm::kString) {
        std::string scratch;
        ok = Text(reflection.GetRepeatedStringReference(*message, field.field, i, &scratch), field);
      }
      if (!ok) return false;
      path_.resize(length);
    }
    return true;
  }

  // Both fields of an entry are always there, as in the JSON that they become.
  bool Entry(ProtoMessage* entry, const MessageForm& form) {
    const Reflection& reflection = *entry->GetReflection();
    for (const FieldForm& field : form.fields) {
      if (field.message != nullptr) {
        if (!NormalizeMessage(reflection.MutableMessage(entry, field.field), *field.message))
          return false;
        continue;
      }
      std::string text = reflection.GetString(*entry, field.field);
      if (!Text(text, field)) return false;
      reflection.SetString(entry, field.field, std::move(text));
    }
    return true;
  }

  static void SortEntries(ProtoMessage* message, const FieldForm& field) {
    const Reflection& reflection = *message->GetReflection();
    const auto* key = field.message->fields[0].field;
    std::map<std::string, std::unique_ptr<ProtoMessage>> entries;
    while (reflection.FieldSize(*message, field.field) > 0) {
      std::unique_ptr<ProtoMessage> entry(reflection.ReleaseLast(message, field.field));
      std::string name = entry->GetReflection()->GetString(*entry, key);
      entries.try_emplace(std::move(name), std::move(entry));  // the last one came first
    }
    for (auto& [name, entry] : entries) {
      reflection.AddAllocatedMessage(message, field.field, entry.release());
    }
  }

  bool NormalizeQuantity(k8s::resource::Quantity* quantity) {
    absl::StatusOr<std::string> text =
        CanonicalQuantity(quantity->string().empty() ? "0" : quantity->string());
    if (!text.ok()) return Fail(text.status().message());
    quantity->set_string(*std::move(text));
    return true;
  }

  // Only what `type` says counts; Go writes all three fields.
  bool NormalizeIntOrString(k8s::intstr::IntOrString* value) {
    if (value->type() == 1) {
      value->clear_int_val();
      return IsUtf8(value->str_val()) || Fail("the text is not UTF-8");
    }
    if (value->type() != 0) return Fail("the type of an IntOrString is 0 or 1");
    value->clear_type();
    value->clear_str_val();
    return true;
  }

  bool Raw(ProtoMessage* message, const MessageForm& form) {
    const std::string raw = message->GetReflection()->GetString(*message, form.fields[0].field);
    if (raw.empty()) return true;
    const absl::Status parsed = ParseJson(raw).status();
    return parsed.ok() || Fail(parsed.message());
  }

  bool Text(const std::string& text, const FieldForm& field) {
    return field.form != JsonForm::kString || IsUtf8(text) || Fail("the text is not UTF-8");
  }

  template <class View>
  bool Fail(const View& why) {
    status_ = absl::InvalidArgumentError(StrCat(path_, ": ", std::string(why)));
    return false;
  }

  std::string path_;
  absl::Status status_;
};

}  // namespace

absl::Status NormalizeKubeProtobuf(ProtoMessage* object) {
  object->DiscardUnknownFields();
  Normalizer normalizer;
  normalizer.NormalizeMessage(object, FormOf(object->GetDescriptor()));
  return normalizer.status();
}

absl::StatusOr<KubeProtobufBody> DecodeKubeProtobuf(std::string_view body) {
  if (!body.starts_with(kKubeProtobufMagic)) {
    return absl::InvalidArgumentError(
        "the body is not Kubernetes Protobuf: it does not begin with the bytes 6b 38 73 00");
  }
  k8s::runtime::Unknown unknown;
  if (!ParseBytes(body.substr(kKubeProtobufMagic.size()), &unknown)) {
    return absl::InvalidArgumentError("the body's runtime.Unknown is not valid Protobuf");
  }
  const std::string& api_version = unknown.type_meta().api_version();
  const std::string& name = unknown.type_meta().kind();
  const Kind* kind = FindKind(api_version, name);
  if (kind == nullptr) {
    return absl::InvalidArgumentError(
        StrCat("no kind \"", name, "\" is registered for version \"", api_version, "\""));
  }
  if (!unknown.content_encoding().empty()) {
    return absl::InvalidArgumentError(
        StrCat("the content encoding \"", unknown.content_encoding(), "\" is not supported"));
  }
  KubeProtobufBody result{kind, std::unique_ptr<ProtoMessage>(kind->prototype->New())};
  if (!ParseBytes(unknown.raw(), result.object.get())) {
    return absl::InvalidArgumentError(StrCat("the ", name, " in the body is not valid Protobuf"));
  }
  const absl::Status normal = NormalizeKubeProtobuf(result.object.get());
  if (!normal.ok()) return normal;
  return result;
}

void EncodeKubeProtobuf(const ProtoMessage& object, const Kind& kind, std::string* out) {
  k8s::runtime::Unknown unknown;
  unknown.mutable_type_meta()->set_api_version(kind.api_version());
  unknown.mutable_type_meta()->set_kind(std::string(kind.kind));
  AppendBytes(object, unknown.mutable_raw());
  out->append(kKubeProtobufMagic);
  AppendBytes(unknown, out);
}

}  // namespace kubemu
