#ifndef KUBEMU_MASTER_APISERVER_HTTP_ROUTE_H_
#define KUBEMU_MASTER_APISERVER_HTTP_ROUTE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "master/apiserver/call.h"
#include "master/apiserver/http/media_type.h"
#include "master/apiserver/http/target.h"
#include "master/apiserver/object_fields.h"
#include "messages/proto/http.pb.h"

namespace kubemu {

// "/apis/apps/v1/namespaces/default/deployments/web/scale", taken apart. Which kind it is about is
// found in the table of kinds.
struct ResourcePath {
  const Kind* kind = nullptr;
  std::string ns;
  std::string name;
  std::string subresource;

  // None: the path is about no resource of a known kind.
  static std::optional<ResourcePath> Of(const HttpTarget& target);
};

// A request about a resource.
struct HttpCall {
  ApiCall call;
  AnswerFormat format;
  std::vector<std::string> warnings;  // for Warning headers (fieldValidation=Warn)
};

// The value of a header (name in lower case); "" if it is not there.
std::string_view HeaderOf(const bus::HttpRequest& request, std::string_view name);

// What the request asks for, body decoded; or the Status that answers it. `path` is not a
// subresource that is answered elsewhere (log, token, exec, ...).
OrStatus<HttpCall> ToCall(const bus::HttpRequest& request, const HttpTarget& target,
                          const ResourcePath& path);

// ?fieldValidation=; without it, Warn.
FieldValidation FieldValidationOf(const HttpTarget& target);

// The message in a body, by its content type: JSON, application/vnd.kubernetes.protobuf or YAML.
// `expected` is the kind that the URL wants. What fieldValidation says of unknown fields is done:
// 400, a warning, or nothing.
OrStatus<MutableObject> DecodeBody(const bus::HttpRequest& request, const HttpTarget& target,
                                   const Kind& expected, std::vector<std::string>* warnings);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_HTTP_ROUTE_H_
