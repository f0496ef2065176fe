#include "messages/api/openapi.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "boost/json.hpp"
#include "messages/api/json_forms.h"
#include "messages/api/kinds.h"
#include "messages/api/openapi_v2.h"
#include "messages/api/proto_comments.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/options.pb.h"

namespace kubemu {
namespace {

namespace json = boost::json;
using google::protobuf::Descriptor;

// "k8s.core.v1.Pod" is "io.k8s.api.core.v1.Pod" there, the types of apimachinery have longer names.
std::string SchemaName(const Descriptor& type) {
  static const std::pair<std::string_view, std::string_view> kPackages[] = {
      {"k8s.meta.v1", "io.k8s.apimachinery.pkg.apis.meta.v1"},
      {"k8s.resource", "io.k8s.apimachinery.pkg.api.resource"},
      {"k8s.intstr", "io.k8s.apimachinery.pkg.util.intstr"},
      {"k8s.runtime", "io.k8s.apimachinery.pkg.runtime"},
  };
  const std::string& package = type.file()->package();
  for (const auto& [ours, theirs] : kPackages) {
    if (package == ours) return StrCat(theirs, ".", type.name());
  }
  return StrCat("io.k8s.api", std::string_view(package).substr(3), ".", type.name());
}

json::object GroupVersionKind(const Kind& kind) {
  return {{"group", json::string_view(kind.group.data(), kind.group.size())},
          {"kind", json::string_view(kind.kind.data(), kind.kind.size())},
          {"version", json::string_view(kind.version.data(), kind.version.size())}};
}

json::object Reference(const std::string& schema) {
  return {{"$ref", StrCat("#/components/schemas/", schema)}};
}

// components/schemas of one document: what its kinds are made of.
class Schemas {
 public:
  explicit Schemas(const ProtoComments& comments) : comments_(comments) {}

  void AddKind(const Kind& kind) {
    const Descriptor& type = *kind.prototype->GetDescriptor();
    Add(FormOf(&type));
    json::object& schema = schemas_[SchemaName(type)].as_object();
    json::object& properties = schema["properties"].as_object();
    properties["apiVersion"] = {{"type", "string"},
                                {"description", "The group and version of this form."}};
    properties["kind"] = {{"type", "string"}, {"description", "The kind of this object."}};
    schema["x-kubernetes-group-version-kind"] = json::array{GroupVersionKind(kind)};
  }

  json::object Take() { return std::move(schemas_); }

 private:
  void Add(const MessageForm& form) {
    const std::string name = SchemaName(*form.descriptor);
    if (!done_.insert(name).second) return;
    json::object schema = Special(form);
    const std::string& comment = comments_.Of(form.descriptor->full_name());
    if (!comment.empty()) schema["description"] = comment;
    if (form.form == JsonForm::kObject) AddProperties(form, &schema);
    schemas_[name] = std::move(schema);
  }

  static json::object Special(const MessageForm& form) {
    const json::object text = {{"type", "string"}};
    switch (form.form) {
      case JsonForm::kTime:
      case JsonForm::kMicroTime:
        return {{"type", "string"}, {"format", "date-time"}};
      case JsonForm::kQuantity:
        return {{"oneOf", json::array{text, json::object{{"type", "number"}}}}};
      case JsonForm::kIntOrString:
        return {{"format", "int-or-string"},
                {"oneOf", json::array{json::object{{"type", "integer"}}, text}}};
      case JsonForm::kStringList:
        return {{"type", "array"}, {"items", text}};
      default:
        return {{"type", "object"}};
    }
  }

  // Inlined messages' fields too, through the paths by which the reader finds them.
  void AddProperties(const MessageForm& form, json::object* schema) {
    json::object properties;
    json::array required;
    for (const NamedField& path : form.paths) {
      const json::string_view name(path.name.data(), path.name.size());
      properties[name] = FieldSchema(*path.field);
      if (path.field->required) required.emplace_back(name);
    }
    (*schema)["properties"] = std::move(properties);
    if (!required.empty()) (*schema)["required"] = std::move(required);
  }

  json::object FieldSchema(const FieldForm& field) {
    json::object schema;
    if (field.map) {
      schema = {{"type", "object"},
                {"additionalProperties", ElementSchema(field.message->fields[1])}};
    } else if (field.repeated) {
      schema = {{"type", "array"}, {"items", ElementSchema(field)}};
    } else {
      schema = ElementSchema(field);
    }
    const std::string& comment = comments_.Of(field.field->full_name());
    if (!comment.empty()) schema["description"] = comment;
    const auto& options = field.field->options();
    if (options.HasExtension(k8s::merge_key)) {
      schema["x-kubernetes-patch-merge-key"] = options.GetExtension(k8s::merge_key);
    }
    if (options.HasExtension(k8s::patch_strategy)) {
      schema["x-kubernetes-patch-strategy"] = options.GetExtension(k8s::patch_strategy);
    }
    return schema;
  }

  // allOf, because a description may not stand beside a $ref.
  json::object ElementSchema(const FieldForm& field) {
    if (field.message != nullptr) {
      Add(*field.message);
      return {{"allOf", json::array{Reference(SchemaName(*field.message->descriptor))}}};
    }
    switch (field.form) {
      case JsonForm::kBytes:
        return {{"type", "string"}, {"format", "byte"}};
      case JsonForm::kBool:
        return {{"type", "boolean"}};
      case JsonForm::kInt32:
        return {{"type", "integer"}, {"format", "int32"}};
      case JsonForm::kInt64:
        return {{"type", "integer"}, {"format", "int64"}};
      default:
        return {{"type", "string"}};
    }
  }

  const ProtoComments& comments_;
  std::set<std::string> done_;
  json::object schemas_;
};

json::object Parameter(std::string_view name, std::string_view description) {
  return {{"name", json::string_view(name.data(), name.size())},
          {"in", "query"},
          {"description", json::string_view(description.data(), description.size())},
          {"schema", json::object{{"type", "string"}, {"uniqueItems", true}}}};
}

json::object Operation(const Kind& kind, std::string_view verb) {
  json::object operation = {
      {"x-kubernetes-action", json::string_view(verb.data(), verb.size())},
      {"x-kubernetes-group-version-kind", GroupVersionKind(kind)},
      {"responses", json::object{{"200", json::object{{"description", "OK"}}}}}};
  if (verb != "get" && verb != "list") {
    operation["parameters"] = json::array{
        Parameter("dryRun", "\"All\": do everything but store the result."),
        Parameter("fieldManager", "The name of who makes this change."),
        Parameter("fieldValidation",
                  "What to do about unknown and doubled fields: Ignore, Warn, Strict.")};
  }
  return operation;
}

void AddPaths(const Kind& kind, const std::string& prefix, json::object* paths) {
  const std::string all = StrCat("/", prefix, "/", kind.plural);
  const std::string some =
      kind.namespaced ? StrCat("/", prefix, "/namespaces/{namespace}/", kind.plural) : all;
  const std::string one = StrCat(some, "/{name}");
  (*paths)[all] = json::object{{"get", Operation(kind, "list")}};
  (*paths)[some] =
      json::object{{"get", Operation(kind, "list")}, {"post", Operation(kind, "post")}};
  const json::object item = {{"get", Operation(kind, "get")},
                             {"put", Operation(kind, "put")},
                             {"patch", Operation(kind, "patch")},
                             {"delete", Operation(kind, "delete")}};
  (*paths)[one] = item;
  if (kind.has_status) {
    json::object status = item;
    status.erase("delete");
    (*paths)[StrCat(one, "/status")] = std::move(status);
  }
}

std::string Hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  std::string hex(16, '0');
  for (int i = 15; i >= 0; --i, hash >>= 4) hex[i] = "0123456789ABCDEF"[hash & 15];
  return hex;
}

json::object Document(const std::vector<const Kind*>& kinds, const std::string& prefix,
                      const ProtoComments& comments) {
  Schemas schemas(comments);
  json::object paths;
  for (const Kind* kind : kinds) {
    schemas.AddKind(*kind);
    AddPaths(*kind, prefix, &paths);
  }
  return {{"openapi", "3.0.0"},
          {"info", json::object{{"title", "Kubernetes"}, {"version", "v1.33.0"}}},
          {"paths", std::move(paths)},
          {"components", json::object{{"schemas", schemas.Take()}}}};
}

}  // namespace

OpenApi::OpenApi() {
  const ProtoComments comments;
  std::map<std::string, std::vector<const Kind*>> by_path;
  for (const Kind* kind : AllKinds()) {
    by_path[StrCat(kind->group.empty() ? "api/" : "apis/", kind->api_version())].push_back(kind);
  }
  json::object paths;
  std::vector<json::object> parts;
  for (const auto& [path, kinds] : by_path) {
    parts.push_back(Document(kinds, path, comments));
    const std::string& document = documents_[path] = json::serialize(parts.back());
    paths[path] =
        json::object{{"serverRelativeURL", StrCat("/openapi/v3/", path, "?hash=", Hash(document))}};
  }
  index_ = json::serialize(json::object{{"paths", std::move(paths)}});
  v2_ = OpenApiV2Document(parts);
}

const std::string* OpenApi::Find(std::string_view path) const {
  const auto found = documents_.find(path);
  return found == documents_.end() ? nullptr : &found->second;
}

}  // namespace kubemu
