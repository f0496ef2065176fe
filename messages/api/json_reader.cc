#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "boost/json.hpp"
#include "messages/api/json.h"
#include "messages/api/json_forms.h"
#include "messages/api/json_values.h"
#include "messages/api/quantity.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/intstr.pb.h"
#include "messages/proto/k8s/meta.pb.h"
#include "messages/proto/k8s/quantity.pb.h"

namespace kubemu {
namespace {

namespace json = boost::json;
using ProtoMessage = google::protobuf::Message;
using google::protobuf::Reflection;

// Where the reader is, as a list on the stack from the innermost place outwards; made into text
// only for an error.
struct Place {
  const Place* parent = nullptr;
  std::string_view name;  // of a member, or
  int index = -1;         // of an element
};

// "spec.containers[0].image"; Go's own errors leave the indices out.
std::string PathText(const Place* place, bool with_indices) {
  if (place == nullptr) return "";
  std::string path = PathText(place->parent, with_indices);
  if (place->index >= 0) return with_indices ? StrCat(path, "[", place->index, "]") : path;
  if (!path.empty()) path += '.';
  return path.append(place->name);
}

std::string_view AsView(const json::string& text) {
  return {text.data(), text.size()};
}
std::string_view AsView(json::string_view text) {
  return {text.data(), text.size()};
}

// The shortest text; Boost's own would write 0.5 as "5E-1".
std::string NumberText(const json::value& value) {
  if (!value.is_double()) return json::serialize(value);
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value.get_double()).ptr;
  return std::string(text, end);
}

// The value as Go's UnmarshalTypeError names it.
std::string NameOfValue(const json::value& value) {
  switch (value.kind()) {
    case json::kind::object:
      return "object";
    case json::kind::array:
      return "array";
    case json::kind::string:
      return "string";
    case json::kind::bool_:
      return "bool";
    default:
      return StrCat("number ", NumberText(value));
  }
}

std::string NameOfElement(const FieldForm& field) {
  switch (field.form) {
    case JsonForm::kString:
    case JsonForm::kBytes:
      return field.form == JsonForm::kBytes ? "[]uint8" : "string";
    case JsonForm::kBool:
      return "bool";
    case JsonForm::kInt32:
      return "int32";
    case JsonForm::kInt64:
      return "int64";
    default:
      return StrCat("v1.", field.message->descriptor->name());
  }
}

std::string NameOfField(const FieldForm& field) {
  if (field.map) return StrCat("map[string]", NameOfElement(field.message->fields[1]));
  return field.repeated ? StrCat("[]", NameOfElement(field)) : NameOfElement(field);
}

// A number without a fraction; false for anything else and what int64_t cannot hold.
bool AsInteger(const json::value& value, int64_t* number) {
  if (const int64_t* integer = value.if_int64()) {
    *number = *integer;
    return true;
  }
  return false;
}

class Reader {
 public:
  explicit Reader(FieldErrors* errors) : errors_(errors) {}

  const absl::Status& status() const { return status_; }

  // False: status() says why.
  bool ReadTop(const json::value& value, const MessageForm& form, ProtoMessage* message) {
    if (form.form == JsonForm::kObject && !value.is_object()) {
      return Fail(StrCat("json: cannot unmarshal ", NameOfValue(value),
                         " into Go value of type v1.", form.descriptor->name()));
    }
    struct_ = form.descriptor->name();
    return ReadMessage(value, form, message, nullptr);
  }

 private:
  bool ReadObject(const json::object& object, const MessageForm& form, ProtoMessage* message,
                  const Place* place) {
    for (const json::key_value_pair& member : object) {
      const std::string_view name = AsView(member.key());
      const NamedField* path = form.Find(name);
      if (path == nullptr) {
        const bool type = place == nullptr && (name == "apiVersion" || name == "kind");
        if (!type) UnknownField(Place{place, name});
        continue;
      }
      if (member.value().is_null()) continue;
      ProtoMessage* target = message;
      for (const FieldForm* inlined : path->inlined) {
        target = inlined->reflection->MutableMessage(target, inlined->field);
      }
      const Place here{place, name};
      struct_ = form.descriptor->name();
      if (!ReadField(member.value(), *path->field, target, &here)) return false;
    }
    return true;
  }

  void UnknownField(const Place& place) {
    if (errors_ == nullptr || errors_->unknown.size() >= kFieldErrorsMax) return;
    errors_->unknown.push_back(PathText(&place, true));
  }

  bool ReadField(const json::value& value, const FieldForm& field, ProtoMessage* message,
                 const Place* place) {
    if (field.map) return ReadMap(value, field, message, place);
    if (field.repeated) return ReadList(value, field, message, place);
    if (field.message == nullptr) return ReadScalar(value, field, message, place);
    return ReadMessage(value, *field.message,
                       field.reflection->MutableMessage(message, field.field), place);
  }

  bool ReadMessage(const json::value& value, const MessageForm& form, ProtoMessage* message,
                   const Place* place) {
    switch (form.form) {
      case JsonForm::kObject:
        if (!value.is_object())
          return WrongType(value, StrCat("v1.", form.descriptor->name()), place);
        return ReadObject(value.get_object(), form, message, place);
      case JsonForm::kTime:
      case JsonForm::kMicroTime:
        return ReadTime(value, form, message, place);
      case JsonForm::kQuantity:
        return ReadQuantity(value, static_cast<k8s::resource::Quantity*>(message), place);
      case JsonForm::kIntOrString:
        return ReadIntOrString(value, static_cast<k8s::intstr::IntOrString*>(message), place);
      case JsonForm::kRaw:
        form.fields[0].reflection->SetString(message, form.fields[0].field, json::serialize(value));
        return true;
      default:
        return ReadList(value, form.fields[0], message, place);
    }
  }

  bool ReadList(const json::value& value, const FieldForm& field, ProtoMessage* message,
                const Place* place) {
    if (!value.is_array()) return WrongType(value, NameOfField(field), place);
    const std::string_view owner = struct_;
    int index = 0;
    for (const json::value& element : value.get_array()) {
      const Place here{place, {}, index++};
      struct_ = owner;
      // A null element is Go's zero value.
      if (field.message != nullptr) {
        ProtoMessage* added = AddElement(field, message);
        if (element.is_null()) continue;
        if (!ReadMessage(element, *field.message, added, &here)) return false;
      } else if (!ReadElement(element, field, message, &here)) {
        return false;
      }
    }
    return true;
  }

  // Reflection's own AddMessage looks the type up under a lock.
  static ProtoMessage* AddElement(const FieldForm& field, ProtoMessage* message) {
    ProtoMessage* const added = field.message->prototype->New();
    field.reflection->AddAllocatedMessage(message, field.field, added);
    return added;
  }

  bool ReadElement(const json::value& element, const FieldForm& field, ProtoMessage* message,
                   const Place* place) {
    const Reflection& reflection = *field.reflection;
    int64_t number = 0;
    if (field.form == JsonForm::kInt32 || field.form == JsonForm::kInt64) {
      if (!element.is_null() && !ReadInteger(element, field, &number, place)) return false;
      if (field.form == JsonForm::kInt32) {
        reflection.AddInt32(message, field.field, static_cast<int32_t>(number));
      } else {
        reflection.AddInt64(message, field.field, number);
      }
      return true;
    }
    std::string text;
    if (!element.is_null() && !ReadText(element, field, &text, place)) return false;
    reflection.AddString(message, field.field, std::move(text));
    return true;
  }

  bool ReadMap(const json::value& value, const FieldForm& field, ProtoMessage* message,
               const Place* place) {
    if (!value.is_object()) return WrongType(value, NameOfField(field), place);
    std::vector<const json::key_value_pair*> members;
    members.reserve(value.get_object().size());
    for (const json::key_value_pair& member : value.get_object()) members.push_back(&member);
    std::sort(members.begin(), members.end(),
              [](const auto* a, const auto* b) { return a->key() < b->key(); });
    const FieldForm& key_field = field.message->fields[0];
    const FieldForm& value_field = field.message->fields[1];
    for (const json::key_value_pair* member : members) {
      ProtoMessage* entry = AddElement(field, message);
      const Reflection& reflection = *key_field.reflection;
      reflection.SetString(entry, key_field.field, std::string(AsView(member->key())));
      if (value_field.message != nullptr) {
        ProtoMessage* target = reflection.MutableMessage(entry, value_field.field);
        if (member->value().is_null()) continue;
        if (!ReadMessage(member->value(), *value_field.message, target, place)) return false;
        continue;
      }
      std::string text;
      const bool null = member->value().is_null();
      if (!null && !ReadText(member->value(), value_field, &text, place)) return false;
      reflection.SetString(entry, value_field.field, std::move(text));
    }
    return true;
  }

  bool ReadScalar(const json::value& value, const FieldForm& field, ProtoMessage* message,
                  const Place* place) {
    const Reflection& reflection = *field.reflection;
    switch (field.form) {
      case JsonForm::kBool:
        if (!value.is_bool()) return WrongType(value, "bool", place);
        if (value.get_bool() || field.pointer) {
          reflection.SetBool(message, field.field, value.get_bool());
        }
        return true;
      case JsonForm::kInt32:
      case JsonForm::kInt64: {
        int64_t number = 0;
        if (!ReadInteger(value, field, &number, place)) return false;
        if (number == 0 && !field.pointer) return true;
        if (field.form == JsonForm::kInt32) {
          reflection.SetInt32(message, field.field, static_cast<int32_t>(number));
        } else {
          reflection.SetInt64(message, field.field, number);
        }
        return true;
      }
      default: {
        std::string text;
        if (!ReadText(value, field, &text, place)) return false;
        if (!text.empty() || field.pointer) {
          reflection.SetString(message, field.field, std::move(text));
        }
        return true;
      }
    }
  }

  bool ReadInteger(const json::value& value, const FieldForm& field, int64_t* number,
                   const Place* place) {
    const bool ok = AsInteger(value, number) && (field.form == JsonForm::kInt64 ||
                                                 (*number >= std::numeric_limits<int32_t>::min() &&
                                                  *number <= std::numeric_limits<int32_t>::max()));
    return ok || WrongType(value, NameOfElement(field), place);
  }

  bool ReadText(const json::value& value, const FieldForm& field, std::string* text,
                const Place* place) {
    if (!value.is_string()) return WrongType(value, NameOfElement(field), place);
    const std::string_view view = AsView(value.get_string());
    if (field.form == JsonForm::kString) {
      text->assign(view);
      return true;
    }
    const absl::Status decoded = DecodeBase64(view, text);
    return decoded.ok() || FailAt(place, decoded);
  }

  bool ReadTime(const json::value& value, const MessageForm& form, ProtoMessage* message,
                const Place* place) {
    if (!value.is_string()) return WrongType(value, "string", place);
    Timestamp time;
    const absl::Status parsed = ParseRfc3339(AsView(value.get_string()), &time);
    if (!parsed.ok()) return FailAt(place, parsed);
    if (form.form == JsonForm::kMicroTime) {
      auto* micro = static_cast<k8s::meta::v1::MicroTime*>(message);
      micro->set_seconds(time.seconds);
      if (time.nanos >= 1000) micro->set_nanos(time.nanos / 1000 * 1000);
      return true;
    }
    // Go's Time is written without a fraction, so what is read back has none.
    static_cast<k8s::meta::v1::Time*>(message)->set_seconds(time.seconds);
    return true;
  }

  bool ReadQuantity(const json::value& value, k8s::resource::Quantity* quantity,
                    const Place* place) {
    if (!value.is_string() && !value.is_number()) return WrongType(value, "string", place);
    absl::StatusOr<std::string> text = value.is_string()
                                           ? CanonicalQuantity(AsView(value.get_string()))
                                           : CanonicalQuantity(NumberText(value));
    if (!text.ok()) return FailAt(place, text.status());
    quantity->set_string(*std::move(text));
    return true;
  }

  bool ReadIntOrString(const json::value& value, k8s::intstr::IntOrString* target,
                       const Place* place) {
    if (value.is_string()) {
      target->set_type(1);
      target->set_str_val(std::string(AsView(value.get_string())));
      return true;
    }
    int64_t number = 0;
    if (!AsInteger(value, &number) || number < std::numeric_limits<int32_t>::min() ||
        number > std::numeric_limits<int32_t>::max()) {
      return WrongType(value, "int32", place);
    }
    target->set_int_val(static_cast<int32_t>(number));
    return true;
  }

  bool WrongType(const json::value& value, std::string_view type, const Place* place) {
    return Fail(StrCat("json: cannot unmarshal ", NameOfValue(value), " into Go struct field ",
                       struct_, ".", PathText(place, false), " of type ", type));
  }

  bool FailAt(const Place* place, const absl::Status& status) {
    return Fail(StrCat(PathText(place, true), ": ", std::string(status.message())));
  }

  bool Fail(std::string text) {
    status_ = absl::InvalidArgumentError(text);
    return false;
  }

  FieldErrors* errors_;
  absl::Status status_;
  std::string_view struct_;  // the innermost Go struct, for error texts
};

}  // namespace

absl::Status FromJson(const json::value& value, ProtoMessage* object, FieldErrors* errors) {
  object->Clear();
  Reader reader(errors);
  reader.ReadTop(value, FormOf(object->GetDescriptor()), object);
  return reader.status();
}

}  // namespace kubemu
