#include <utility>

#include "boost/json/monotonic_resource.hpp"
#include "boost/json/value.hpp"
#include "google/protobuf/message.h"
#include "master/apiserver/http/route.h"
#include "master/apiserver/http/yaml.h"
#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/api/kube_protobuf.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr const char* kBodyTypes =
    "application/json, application/yaml, application/vnd.kubernetes.protobuf";

std::string Text(const absl::Status& status) {
  return std::string(status.message());
}

ApiStatus CannotHandle(const Kind& kind, const std::string& why) {
  return api_error::BadRequest(StrCat(kind.kind, " in version \"", kind.version,
                                      "\" cannot be handled as a ", kind.kind, ": ", why));
}

std::string MemberText(const boost::json::value& json, const char* name) {
  const boost::json::value* value =
      json.is_object() ? json.get_object().if_contains(name) : nullptr;
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

// The body must be of the kind that the URL wants; one that does not say is taken to be.
std::optional<ApiStatus> CheckKind(const std::string& api_version, const std::string& kind_name,
                                   const Kind& expected) {
  if (!kind_name.empty() && kind_name != expected.kind) {
    return api_error::BadRequest(StrCat(kind_name, " in version \"", api_version,
                                        "\" cannot be handled as a ", expected.kind,
                                        ": the URL is for objects of kind ", expected.kind));
  }
  // Options come in the version of every group, evictions in that of an older one.
  if (api_version.empty() || expected.plural.empty() || api_version == expected.api_version())
    return std::nullopt;
  return api_error::BadRequest(StrCat("the API version in the data (", api_version,
                                      ") does not match the expected API version (",
                                      expected.api_version(), ")"));
}

OrStatus<MutableObject> DecodeJson(const std::string& text, const HttpTarget& target,
                                   const Kind& expected, std::vector<std::string>* warnings) {
  unsigned char first[kJsonMemoryOnStack];
  boost::json::monotonic_resource memory(first, sizeof first);
  const absl::StatusOr<boost::json::value> json = ParseJson(text, &memory);
  if (!json.ok()) {
    return api_error::BadRequest(StrCat("the object provided is unrecognized (must be of type ",
                                        expected.kind,
                                        "): couldn't get version/kind; json parse "
                                        "error: ",
                                        Text(json.status())));
  }
  if (!json->is_object()) {
    return api_error::BadRequest(StrCat("the object provided is unrecognized (must be of type ",
                                        expected.kind, "): it is no JSON object"));
  }
  if (auto error = CheckKind(MemberText(*json, "apiVersion"), MemberText(*json, "kind"), expected))
    return *std::move(error);
  MutableObject object(expected.prototype->New());
  FieldErrors fields;
  const absl::Status decoded = FromJson(*json, object.get(), &fields);
  if (!decoded.ok()) return CannotHandle(expected, Text(decoded));
  FindDuplicateFields(text, &fields);
  const std::string refusal = JudgeFields(fields, FieldValidationOf(target), warnings);
  if (!refusal.empty()) return CannotHandle(expected, refusal);
  return object;
}

OrStatus<MutableObject> DecodeProtobuf(const std::string& body, const Kind& expected) {
  absl::StatusOr<KubeProtobufBody> decoded = DecodeKubeProtobuf(body);
  if (!decoded.ok()) return api_error::BadRequest(Text(decoded.status()));
  if (decoded->kind != &expected) {
    return api_error::BadRequest(StrCat(decoded->kind->kind, " in version \"",
                                        decoded->kind->api_version(), "\" cannot be handled as a ",
                                        expected.kind, ": the URL is for objects of kind ",
                                        expected.kind));
  }
  return std::move(decoded->object);
}

}  // namespace

FieldValidation FieldValidationOf(const HttpTarget& target) {
  const std::string_view mode = target.Get("fieldValidation");
  if (mode == "Ignore") return FieldValidation::kIgnore;
  return mode == "Strict" ? FieldValidation::kStrict : FieldValidation::kWarn;
}

OrStatus<MutableObject> DecodeBody(const bus::HttpRequest& request, const HttpTarget& target,
                                   const Kind& expected, std::vector<std::string>* warnings) {
  const MediaType type = MediaType::Parse(HeaderOf(request, "content-type"));
  if (type.type == "application/vnd.kubernetes.protobuf")
    return DecodeProtobuf(request.body(), expected);
  if (type.type == "application/yaml") {
    const absl::StatusOr<std::string> json = YamlToJson(request.body());
    if (!json.ok())
      return api_error::BadRequest(StrCat("error decoding YAML: ", Text(json.status())));
    return DecodeJson(*json, target, expected, warnings);
  }
  if (type.type.empty() || type.type == "application/json" || type.type == "*/*")
    return DecodeJson(request.body(), target, expected, warnings);
  return api_error::UnsupportedMediaType(
      StrCat("the body of the request was in an unknown format - accepted media types include: ",
             kBodyTypes));
}

}  // namespace kubemu
