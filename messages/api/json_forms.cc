#include "messages/api/json_forms.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <bit>
#include <map>
#include <set>
#include <unordered_map>

#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/core/check.h"
#include "messages/proto/k8s/options.pb.h"

namespace kubemu {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldOptions;
using google::protobuf::FileDescriptor;

// Of a field's name. Spreads the names of one message well enough, and costs no loop.
size_t BucketOf(std::string_view name, size_t buckets) {
  const auto byte = [name](size_t i) { return static_cast<unsigned char>(name[i]); };
  if (name.empty()) return 0;
  const size_t hash =
      name.size() + 37 * byte(0) + 101 * byte(name.size() / 2) + 257 * byte(name.size() - 1);
  return (hash ^ hash >> 5) & (buckets - 1);
}

// At most a quarter of the buckets is used.
void FillBuckets(MessageForm* form) {
  form->buckets.assign(std::bit_ceil(4 * form->paths.size() + 1), -1);
  for (size_t i = 0; i < form->paths.size(); ++i) {
    size_t at = BucketOf(form->paths[i].name, form->buckets.size());
    while (form->buckets[at] >= 0) at = (at + 1) & (form->buckets.size() - 1);
    form->buckets[at] = static_cast<int16_t>(i);
  }
}

JsonForm FormOfMessage(const Descriptor& type) {
  static const std::map<std::string, JsonForm> kForms = {
      {"", JsonForm::kObject},
      {"Time", JsonForm::kTime},
      {"MicroTime", JsonForm::kMicroTime},
      {"Quantity", JsonForm::kQuantity},
      {"IntOrString", JsonForm::kIntOrString},
      {"RawExtension", JsonForm::kRaw},
      {"FieldsV1", JsonForm::kRaw},
      {"StringList", JsonForm::kStringList},
  };
  const auto found = kForms.find(type.options().GetExtension(k8s::json_form));
  KUBEMU_CHECK(found != kForms.end());
  return found->second;
}

JsonForm FormOfScalar(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_STRING:
      return JsonForm::kString;
    case FieldDescriptor::TYPE_BYTES:
      return JsonForm::kBytes;
    case FieldDescriptor::TYPE_BOOL:
      return JsonForm::kBool;
    case FieldDescriptor::TYPE_INT32:
      return JsonForm::kInt32;
    default:
      KUBEMU_CHECK(field.type() == FieldDescriptor::TYPE_INT64);
      return JsonForm::kInt64;
  }
}

// The forms of every message of the kinds' files. Built once, never changed.
class Forms {
 public:
  Forms() {
    std::set<const FileDescriptor*> files;
    for (const auto* kinds : {&AllKinds(), &RequestKinds()}) {
      for (const Kind* kind : *kinds) AddFile(kind->prototype->GetDescriptor()->file(), &files);
    }
    for (auto& [descriptor, form] : forms_) AddFields(&form);
    for (auto& [descriptor, form] : forms_) AddPaths(form, {}, &form.paths);
    for (auto& [descriptor, form] : forms_) FillBuckets(&form);
  }

  const MessageForm* Find(const Descriptor* descriptor) const {
    const auto found = forms_.find(descriptor);
    return found == forms_.end() ? nullptr : &found->second;
  }

 private:
  void AddFile(const FileDescriptor* file, std::set<const FileDescriptor*>* done) {
    if (!file->package().starts_with("k8s") || !done->insert(file).second) return;
    for (int i = 0; i < file->message_type_count(); ++i) {
      const Descriptor* type = file->message_type(i);
      forms_[type].descriptor = type;
      forms_[type].form = FormOfMessage(*type);
    }
    for (int i = 0; i < file->dependency_count(); ++i) AddFile(file->dependency(i), done);
  }

  void AddFields(MessageForm* form) {
    form->prototype =
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(form->descriptor);
    const auto* reflection = form->prototype->GetReflection();
    for (int i = 0; i < form->descriptor->field_count(); ++i) {
      const FieldDescriptor* field = form->descriptor->field(i);
      const FieldOptions& options = field->options();
      FieldForm row;
      row.field = field;
      row.reflection = reflection;
      row.name = field->json_name();
      AppendJsonString(row.name, &row.key);
      row.key += ':';
      row.repeated = field->is_repeated();
      row.inlined = options.GetExtension(k8s::inlined);
      row.pointer = options.GetExtension(k8s::pointer);
      row.required = options.GetExtension(k8s::required);
      row.by_value = row.inlined || options.GetExtension(k8s::by_value);
      if (field->message_type() == nullptr) {
        row.form = FormOfScalar(*field);
      } else {
        row.message = Find(field->message_type());
        row.form = row.message->form;
        row.map = field->message_type()->options().GetExtension(k8s::map_entry_of_json_object);
      }
      form->fields.push_back(std::move(row));
    }
  }

  void AddPaths(const MessageForm& form, std::vector<const FieldForm*> inlined,
                std::vector<NamedField>* paths) {
    for (const FieldForm& field : form.fields) {
      if (!field.inlined) {
        paths->push_back({field.name, inlined, &field});
        continue;
      }
      inlined.push_back(&field);
      AddPaths(*field.message, inlined, paths);
      inlined.pop_back();
    }
  }

  std::unordered_map<const Descriptor*, MessageForm> forms_;
};

}  // namespace

const NamedField* MessageForm::Find(std::string_view name) const {
  for (size_t at = BucketOf(name, buckets.size());; at = (at + 1) & (buckets.size() - 1)) {
    if (buckets[at] < 0) return nullptr;
    const NamedField& path = paths[buckets[at]];
    if (path.name == name) return &path;
  }
}

const MessageForm& FormOf(const Descriptor* descriptor) {
  static const Forms forms;
  const MessageForm* form = forms.Find(descriptor);
  KUBEMU_CHECK(form != nullptr);
  return *form;
}

}  // namespace kubemu
