#include "messages/api/openapi_v2.h"

#include <map>
#include <string_view>

#include "boost/json.hpp"
#include "messages/core/strings.h"
#include "messages/proto/openapi_v2.pb.h"

namespace kubemu {
namespace {

namespace json = boost::json;

constexpr std::string_view kGroupVersionKind = "x-kubernetes-group-version-kind";

// The text of a member, "" if there is none.
std::string Text(const json::object& object, json::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return "";
  return json::value_to<std::string>(*value);
}

template <class T>
void AddExtensions(const json::object& from, T* to) {
  for (const auto& member : from) {
    if (!member.key().starts_with("x-")) continue;
    openapi_v2::NamedAny& extension = *to->add_vendor_extension();
    extension.set_name(std::string(member.key()));
    extension.mutable_value()->set_yaml(json::serialize(member.value()));
  }
}

std::string Definition(const std::string& v3_reference) {
  return StrCat("#/definitions/", v3_reference.substr(v3_reference.rfind('/') + 1));
}

void Convert(const json::object& from, openapi_v2::Schema* to);

void AddMembers(const json::object& from, openapi_v2::Schema* to) {
  if (const json::value* properties = from.if_contains("properties")) {
    openapi_v2::Properties& all = *to->mutable_properties();
    for (const auto& property : properties->as_object()) {
      openapi_v2::NamedSchema& named = *all.add_additional_properties();
      named.set_name(std::string(property.key()));
      Convert(property.value().as_object(), named.mutable_value());
    }
  }
  if (const json::value* required = from.if_contains("required")) {
    for (const json::value& name : required->as_array()) {
      to->add_required(json::value_to<std::string>(name));
    }
  }
}

void Convert(const json::object& from, openapi_v2::Schema* to) {
  to->set_description(Text(from, "description"));
  AddExtensions(from, to);
  // v2 lets a description stand beside a reference, and a reference may have no type.
  if (const json::value* all_of = from.if_contains("allOf")) {
    to->set_ref(Definition(Text(all_of->as_array().front().as_object(), "$ref")));
    return;
  }
  to->set_format(Text(from, "format"));
  // v2 has no choice of types; kubectl takes numbers for strings.
  to->mutable_type()->add_value(from.contains("oneOf") ? "string" : Text(from, "type"));
  if (const json::value* items = from.if_contains("items")) {
    Convert(items->as_object(), to->mutable_items()->add_schema());
  }
  if (const json::value* values = from.if_contains("additionalProperties")) {
    Convert(values->as_object(), to->mutable_additional_properties()->mutable_schema());
  }
  AddMembers(from, to);
}

void AddPatch(std::string name, const json::object& patch, openapi_v2::Paths* paths) {
  openapi_v2::NamedPathItem& item = *paths->add_path();
  item.set_name(std::move(name));
  openapi_v2::Operation& operation = *item.mutable_value()->mutable_patch();
  AddExtensions(patch, &operation);
  for (const json::value& parameter : patch.at("parameters").as_array()) {
    openapi_v2::QueryParameter& query = *operation.add_parameters()
                                             ->mutable_parameter()
                                             ->mutable_non_body_parameter()
                                             ->mutable_query_parameter();
    query.set_in("query");
    query.set_name(Text(parameter.as_object(), "name"));
    query.set_description(Text(parameter.as_object(), "description"));
    query.set_type("string");
  }
}

// A type that several documents have is one definition, and it is the kind of all those that say
// so.
void Merge(const json::object& schemas, std::map<std::string, json::object>* all) {
  for (const auto& member : schemas) {
    const json::object& schema = member.value().as_object();
    const auto [known, is_new] = all->try_emplace(std::string(member.key()), schema);
    const json::value* kinds = schema.if_contains(kGroupVersionKind);
    if (is_new || kinds == nullptr) continue;
    json::object merged = schema;  // it has the properties apiVersion and kind
    if (const json::value* others = known->second.if_contains(kGroupVersionKind)) {
      json::array& list = merged[kGroupVersionKind].as_array();
      list.insert(list.begin(), others->as_array().begin(), others->as_array().end());
    }
    known->second = std::move(merged);
  }
}

}  // namespace

std::string OpenApiV2Document(const std::vector<json::object>& v3_documents) {
  openapi_v2::Document document;
  document.set_swagger("2.0");
  document.mutable_info()->set_title("Kubernetes");
  document.mutable_info()->set_version("v1.33.0");
  std::map<std::string, json::object> schemas;
  for (const json::object& v3 : v3_documents) {
    Merge(v3.at("components").at("schemas").as_object(), &schemas);
    for (const auto& path : v3.at("paths").as_object()) {
      const json::value* patch = path.value().as_object().if_contains("patch");
      if (patch == nullptr) continue;
      AddPatch(std::string(path.key()), patch->as_object(), document.mutable_paths());
    }
  }
  for (const auto& [name, schema] : schemas) {
    openapi_v2::NamedSchema& named = *document.mutable_definitions()->add_additional_properties();
    named.set_name(name);
    Convert(schema, named.mutable_value());
  }
  return document.SerializeAsString();
}

}  // namespace kubemu
