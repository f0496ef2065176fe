#ifndef KUBEMU_MESSAGES_API_STRATEGIC_SCHEMA_H_
#define KUBEMU_MESSAGES_API_STRATEGIC_SCHEMA_H_

#include <string>
#include <string_view>

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace kubemu {

// What the options of one type say about its members under a strategic merge. A view on
// descriptors; internal to strategic_merge.cc and field_set.cc.
class StrategicSchema {
 public:
  // Of an object whose type is not known: nothing is merged by key.
  StrategicSchema() = default;
  explicit StrategicSchema(const google::protobuf::Descriptor* type) : type_(type) {}

  // The schema of the member `json_name` (of its elements, if it is a list).
  StrategicSchema Member(std::string_view json_name) const;

  // Of the field this schema was reached by:
  const std::string& merge_key() const { return merge_key_; }
  bool merges_list() const { return merges_list_; }
  bool replaces() const { return replaces_; }
  // An object or list whose members the type tells; false of scalars and of what it does not have.
  bool is_known() const { return type_ != nullptr; }
  // Its members are entries (a Go map): labels, data.
  bool is_map() const { return is_map_; }

 private:
  const google::protobuf::Descriptor* type_ = nullptr;
  // Set when this is the JSON object of a Go map: every member has this type.
  bool is_map_ = false;
  std::string merge_key_;
  bool merges_list_ = false;
  bool replaces_ = false;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_STRATEGIC_SCHEMA_H_
