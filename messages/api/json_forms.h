#ifndef KUBEMU_MESSAGES_API_JSON_FORMS_H_
#define KUBEMU_MESSAGES_API_JSON_FORMS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
class Message;
class Reflection;
}  // namespace google::protobuf

// How each message and field of messages/proto/k8s looks in JSON: the options of the descriptors,
// read once into tables that the reader and the writer walk.
namespace kubemu {

enum class JsonForm : uint8_t {
  kString,
  kBytes,
  kBool,
  kInt32,
  kInt64,
  // Messages from here on.
  kObject,
  kTime,
  kMicroTime,
  kQuantity,
  kIntOrString,
  kRaw,         // RawExtension, FieldsV1: the JSON text itself
  kStringList,  // an array of strings
};

struct MessageForm;

struct FieldForm {
  const google::protobuf::FieldDescriptor* field = nullptr;
  const google::protobuf::Reflection* reflection = nullptr;  // of the message that has the field
  std::string_view name;                                     // in JSON
  std::string key;                                           // "\"name\":"
  JsonForm form = JsonForm::kString;
  const MessageForm* message = nullptr;  // of a message field, else null
  bool repeated = false;
  bool map = false;       // a repeated entry that is a member of a JSON object
  bool inlined = false;   // its fields stand in the parent's object
  bool pointer = false;   // zero is a value
  bool required = false;  // written even when zero
  bool by_value = false;  // an empty message means "not set"
};

// A field as the reader finds it by name: through inlined messages, outermost first.
struct NamedField {
  std::string_view name;
  std::vector<const FieldForm*> inlined;
  const FieldForm* field = nullptr;
};

struct MessageForm {
  const google::protobuf::Descriptor* descriptor = nullptr;
  const google::protobuf::Message* prototype = nullptr;
  JsonForm form = JsonForm::kObject;
  std::vector<FieldForm> fields;  // in the order of the descriptor
  std::vector<NamedField> paths;  // of every field that JSON shows, in the same order
  std::vector<int16_t> buckets;   // an open hash table of indices into paths; -1 is free

  // Null if there is none.
  const NamedField* Find(std::string_view name) const;
};

// Of any message in the files of the kinds or in those they import: checked.
const MessageForm& FormOf(const google::protobuf::Descriptor* descriptor);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_JSON_FORMS_H_
