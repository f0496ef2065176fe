#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>

#include "boost/json.hpp"
#include "messages/api/json.h"
#include "messages/api/json_forms.h"
#include "messages/api/json_values.h"
#include "messages/api/kinds.h"
#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/intstr.pb.h"
#include "messages/proto/k8s/meta.pb.h"
#include "messages/proto/k8s/quantity.pb.h"

namespace kubemu {
namespace {

using google::protobuf::FieldDescriptor;
using ProtoMessage = google::protobuf::Message;
using google::protobuf::Reflection;

constexpr char kHexDigits[] = "0123456789abcdef";

// The bytes that a JSON string cannot hold as they are.
constexpr std::array<bool, 256> kEscaped = [] {
  std::array<bool, 256> escaped{};
  for (int c = 0; c < 0x20; ++c) escaped[c] = true;
  escaped['"'] = true;
  escaped['\\'] = true;
  return escaped;
}();

void AppendEscape(unsigned char c, std::string* out) {
  out->push_back('\\');
  switch (c) {
    case '\n':
      out->push_back('n');
      return;
    case '\r':
      out->push_back('r');
      return;
    case '\t':
      out->push_back('t');
      return;
    case '"':
    case '\\':
      out->push_back(static_cast<char>(c));
      return;
    default:
      out->append("u00");
      out->push_back(kHexDigits[c >> 4]);
      out->push_back(kHexDigits[c & 15]);
  }
}

// Writes one message and what it holds. A member is written after a comma unless it is the first.
class Writer {
 public:
  explicit Writer(std::string* out) : out_(out) {}

  void WriteObject(const ProtoMessage& message, const MessageForm& form, bool first) {
    first_ = first;
    WriteMembers(message, form);
    out_->push_back('}');
    first_ = false;
  }

  // A message in its own form, "{" and all.
  void WriteMessage(const ProtoMessage& message, const MessageForm& form) {
    switch (form.form) {
      case JsonForm::kObject:
        out_->push_back('{');
        WriteObject(message, form, true);
        return;
      case JsonForm::kTime:
      case JsonForm::kMicroTime:
        WriteTime(message, form);
        return;
      case JsonForm::kQuantity: {
        const auto& quantity = static_cast<const k8s::resource::Quantity&>(message);
        AppendJsonString(quantity.string().empty() ? "0" : quantity.string(), out_);
        return;
      }
      case JsonForm::kIntOrString:
        WriteIntOrString(static_cast<const k8s::intstr::IntOrString&>(message));
        return;
      case JsonForm::kRaw:
        WriteRaw(message, form);
        return;
      default:
        KUBEMU_CHECK(form.form == JsonForm::kStringList);
        WriteList(message, form.fields[0]);
    }
  }

 private:
  void WriteMembers(const ProtoMessage& message, const MessageForm& form) {
    for (const FieldForm& field : form.fields) {
      const Reflection& reflection = *field.reflection;
      if (field.repeated) {
        if (reflection.FieldSize(message, field.field) == 0) continue;
        Key(field);
        field.map ? WriteMap(message, field) : WriteList(message, field);
      } else if (field.message != nullptr) {
        WriteMessageMember(message, reflection, field);
      } else {
        WriteScalarMember(message, reflection, field);
      }
    }
  }

  void WriteMessageMember(const ProtoMessage& message, const Reflection& reflection,
                          const FieldForm& field) {
    if (!reflection.HasField(message, field.field)) return;
    const ProtoMessage& member = reflection.GetMessage(message, field.field);
    if (field.inlined) return WriteMembers(member, *field.message);
    const bool time = field.form == JsonForm::kTime || field.form == JsonForm::kMicroTime;
    if (time && !HasSeconds(member)) return;
    Key(field);
    WriteMessage(member, *field.message);
    first_ = false;
  }

  static bool HasSeconds(const ProtoMessage& time) {
    // Time and MicroTime have the same fields; an empty one is Go's zero time, written as null.
    return time.ByteSizeLong() != 0;
  }

  void WriteScalarMember(const ProtoMessage& message, const Reflection& reflection,
                         const FieldForm& field) {
    const bool set = reflection.HasField(message, field.field);
    if (!set && !field.required) return;
    const bool always = field.required || field.pointer;
    switch (field.form) {
      case JsonForm::kBool: {
        const bool value = reflection.GetBool(message, field.field);
        if (!always && !value) return;
        Key(field);
        out_->append(value ? "true" : "false");
        return;
      }
      case JsonForm::kInt32:
      case JsonForm::kInt64: {
        const int64_t value = field.form == JsonForm::kInt32
                                  ? reflection.GetInt32(message, field.field)
                                  : reflection.GetInt64(message, field.field);
        if (!always && value == 0) return;
        Key(field);
        StrAppend(out_, value);
        return;
      }
      default: {
        const std::string& value = reflection.GetStringReference(message, field.field, &scratch_);
        if (!always && value.empty()) return;
        Key(field);
        WriteText(field, value);
      }
    }
  }

  void WriteList(const ProtoMessage& message, const FieldForm& field) {
    const Reflection& reflection = *field.reflection;
    const int size = reflection.FieldSize(message, field.field);
    out_->push_back('[');
    for (int i = 0; i < size; ++i) {
      if (i > 0) out_->push_back(',');
      if (field.message != nullptr) {
        WriteMessage(reflection.GetRepeatedMessage(message, field.field, i), *field.message);
      } else if (field.form == JsonForm::kInt32) {
        StrAppend(out_, reflection.GetRepeatedInt32(message, field.field, i));
      } else if (field.form == JsonForm::kInt64) {
        StrAppend(out_, reflection.GetRepeatedInt64(message, field.field, i));
      } else {
        WriteText(field, reflection.GetRepeatedStringReference(message, field.field, i, &scratch_));
      }
    }
    out_->push_back(']');
    first_ = false;
  }

  // Entries as they stand: sorted already (messages/api/labels.h).
  void WriteMap(const ProtoMessage& message, const FieldForm& field) {
    const Reflection& reflection = *field.reflection;
    const int size = reflection.FieldSize(message, field.field);
    const FieldForm& key = field.message->fields[0];
    const FieldForm& value = field.message->fields[1];
    out_->push_back('{');
    for (int i = 0; i < size; ++i) {
      const ProtoMessage& entry = reflection.GetRepeatedMessage(message, field.field, i);
      const Reflection& entry_reflection = *key.reflection;
      if (i > 0) out_->push_back(',');
      AppendJsonString(entry_reflection.GetStringReference(entry, key.field, &scratch_), out_);
      out_->push_back(':');
      if (value.message != nullptr) {
        WriteMessage(entry_reflection.GetMessage(entry, value.field), *value.message);
      } else {
        WriteText(value, entry_reflection.GetStringReference(entry, value.field, &scratch_));
      }
    }
    out_->push_back('}');
    first_ = false;
  }

  void WriteTime(const ProtoMessage& message, const MessageForm& form) {
    out_->push_back('"');
    if (form.form == JsonForm::kMicroTime) {
      const auto& time = static_cast<const k8s::meta::v1::MicroTime&>(message);
      AppendRfc3339({time.seconds(), time.nanos()}, 6, out_);
    } else {
      const auto& time = static_cast<const k8s::meta::v1::Time&>(message);
      AppendRfc3339({time.seconds(), time.nanos()}, 0, out_);
    }
    out_->push_back('"');
  }

  void WriteIntOrString(const k8s::intstr::IntOrString& value) {
    if (value.type() == 0) {
      StrAppend(out_, value.int_val());
    } else {
      AppendJsonString(value.str_val(), out_);
    }
  }

  void WriteRaw(const ProtoMessage& message, const MessageForm& form) {
    const std::string& raw =
        form.fields[0].reflection->GetStringReference(message, form.fields[0].field, &scratch_);
    out_->append(raw.empty() ? "null" : raw);
  }

  void WriteText(const FieldForm& field, const std::string& value) {
    if (field.form == JsonForm::kString) return AppendJsonString(value, out_);
    out_->push_back('"');
    AppendBase64(value, out_);
    out_->push_back('"');
  }

  void Key(const FieldForm& field) {
    if (!first_) out_->push_back(',');
    first_ = false;
    out_->append(field.key);
  }

  std::string* out_;
  bool first_ = true;
  std::string scratch_;  // for strings that reflection has to build; it never does so here
};

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  size_t done = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (!kEscaped[c]) continue;
    out->append(text, done, i - done);
    AppendEscape(c, out);
    done = i + 1;
  }
  out->append(text, done, text.size() - done);
  out->push_back('"');
}

void AppendJson(const ProtoMessage& object, const Kind* kind, std::string* out) {
  const MessageForm& form = FormOf(object.GetDescriptor());
  Writer writer(out);
  if (kind == nullptr || form.form != JsonForm::kObject) return writer.WriteMessage(object, form);
  AppendJsonTypeOf(*kind, out);
  writer.WriteObject(object, form, false);
}

void AppendJsonTypeOf(const Kind& kind, std::string* out) {
  StrAppend(out, "{\"apiVersion\":\"", kind.api_version(), "\",\"kind\":\"", kind.kind, "\"");
}

boost::json::value ToJson(const ProtoMessage& object) {
  std::string text;
  AppendJson(object, nullptr, &text);
  absl::StatusOr<boost::json::value> value = ParseJson(text);
  KUBEMU_CHECK(value.ok());
  return *std::move(value);
}

}  // namespace kubemu
