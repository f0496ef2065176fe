#include "master/apiserver/apply_schema.h"

#include <string_view>
#include <vector>

#include "boost/json.hpp"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "messages/api/json.h"
#include "messages/api/json_forms.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/options.pb.h"

namespace kubemu {
namespace {

namespace json = boost::json;

std::string_view TextOf(json::string_view text) {
  return {text.data(), text.size()};
}

// Walks a configuration beside the forms of its type.
class SchemaWalk {
 public:
  std::vector<std::string> TakeErrors() { return std::move(errors_); }

  // `path`: of the object.
  void Object(const json::object& object, const MessageForm& form, const std::string& path,
              bool top) {
    for (const json::key_value_pair& member : object) {
      const std::string_view name = TextOf(member.key());
      if (top && (name == "apiVersion" || name == "kind")) continue;
      const NamedField* field = form.Find(name);
      const std::string place = StrCat(path, ".", name);
      if (field == nullptr) {
        if (errors_.size() < kFieldErrorsMax) {
          errors_.push_back(StrCat(place, ": field not declared in schema"));
        }
        return;  // upstream looks no further in this object
      }
      Field(member.value(), *field->field, place);
    }
  }

 private:
  void Field(const json::value& value, const FieldForm& field, const std::string& path) {
    if (field.message == nullptr) return;
    if (field.map) {
      const FieldForm& entry = field.message->fields[1];
      if (!value.is_object() || entry.message == nullptr) return;
      for (const json::key_value_pair& member : value.get_object()) {
        Value(member.value(), *entry.message, StrCat(path, ".", TextOf(member.key())));
      }
    } else if (!field.repeated) {
      Value(value, *field.message, path);
    } else if (const json::array* list = value.if_array()) {
      for (size_t i = 0; i < list->size(); ++i) {
        Value((*list)[i], *field.message, StrCat(path, "[", ElementName(field, *list, i), "]"));
      }
    }
  }

  void Value(const json::value& value, const MessageForm& form, const std::string& path) {
    if (form.form == JsonForm::kObject && value.is_object()) {
      Object(value.get_object(), form, path, false);
    }
  }

  // `name="c"` in a list whose elements have a key, else the position.
  static std::string ElementName(const FieldForm& field, const json::array& list, size_t position) {
    const std::string& key = field.field->options().GetExtension(k8s::merge_key);
    const json::object* element = list[position].if_object();
    const json::value* value =
        key.empty() || element == nullptr ? nullptr : element->if_contains(key);
    if (value == nullptr) return StrCat(position);
    const auto text = json::serialize(*value);
    return StrCat(key, "=", TextOf(text));
  }

  std::vector<std::string> errors_;
};

// metadata's `name` as text.
std::string MetadataText(const json::value& config, const char* name) {
  const json::value* metadata = config.get_object().if_contains("metadata");
  if (metadata == nullptr || !metadata->is_object()) return "";
  const json::value* value = metadata->get_object().if_contains(name);
  return value == nullptr || !value->is_string() ? "" : std::string(TextOf(value->get_string()));
}

}  // namespace

std::string UndeclaredFields(const Kind& kind, const json::value& config) {
  if (!config.is_object()) return "";
  SchemaWalk walk;
  walk.Object(config.get_object(), FormOf(kind.prototype->GetDescriptor()), "", true);
  const std::vector<std::string> errors = walk.TakeErrors();
  if (errors.empty()) return "";
  const std::string all =
      errors.size() == 1 ? errors[0] : StrCat("errors:\n  ", StrJoin(errors, "\n  "));
  return StrCat("failed to create typed patch object (", MetadataText(config, "namespace"), "/",
                MetadataText(config, "name"), "; ", kind.group, "/", kind.version,
                ", Kind=", kind.kind, "): ", all);
}

}  // namespace kubemu
