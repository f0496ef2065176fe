#include "master/apiserver/http/route.h"

#include <utility>

#include "google/protobuf/message.h"
#include "master/apiserver/http/yaml.h"
#include "master/apiserver/write_plan.h"
#include "messages/api/kinds.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/autoscaling.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/k8s/meta_request.pb.h"
#include "messages/proto/k8s/policy.pb.h"

namespace kubemu {
namespace {

using k8s::meta::v1::DeleteOptions;

// What PATCH accepts, in upstream's order.
constexpr const char* kPatchTypes =
    "application/json-patch+json, application/merge-patch+json, "
    "application/strategic-merge-patch+json, application/apply-patch+yaml";

std::string Segment(const HttpTarget& target, size_t index) {
  return index < target.segments.size() ? target.segments[index] : "";
}

OrStatus<Action> ActionOf(const bus::HttpRequest& request, const HttpTarget& target,
                          const ResourcePath& path) {
  const std::string& method = request.method();
  const bool named = !path.name.empty();
  if (method == "GET" || method == "HEAD") {
    if (named) return Action::kGet;
    return target.Flag("watch") ? Action::kWatch : Action::kList;
  }
  if (method == "POST" && (!named || !path.subresource.empty()) &&
      (!path.kind->namespaced || !path.ns.empty()))
    return Action::kCreate;
  if (method == "PUT" && named) return Action::kUpdate;
  if (method == "PATCH" && named) return Action::kPatch;
  if (method == "DELETE" && path.subresource.empty()) {
    if (named) return Action::kDelete;
    // Collections go namespace by namespace; namespaces only one by one.
    const bool whole =
        path.kind->namespaced ? !path.ns.empty() : path.kind != &KindOf<k8s::core::v1::Namespace>();
    if (whole) return Action::kDeleteCollection;
  }
  return api_error::MethodNotAllowed(ResourceOf(*path.kind), AsciiLower(method));
}

// The kind of the body of a subresource that has one of its own.
const Kind& BodyKind(const ResourcePath& path) {
  if (path.subresource == "scale") return KindOf<k8s::autoscaling::v1::Scale>();
  if (path.subresource == "binding") return KindOf<k8s::core::v1::Binding>();
  if (path.subresource == "eviction") return KindOf<k8s::policy::v1::Eviction>();
  return *path.kind;
}

std::optional<ApiStatus> ReadDryRun(std::string_view value, ApiCall* call) {
  if (value.empty()) return std::nullopt;
  if (value == "All") {
    call->dry_run = true;
    return std::nullopt;
  }
  FieldErrorList errors;
  errors.NotSupported(FieldPath("dryRun"), value, {"All"});
  return api_error::Invalid("meta.k8s.io", "PatchOptions", "", errors);
}

bool IsPropagationPolicy(const std::string& policy) {
  return policy.empty() || policy == "Background" || policy == "Foreground" || policy == "Orphan";
}

ApiStatus InvalidPropagationPolicy(const std::string& policy) {
  FieldErrorList errors;
  errors.NotSupported(FieldPath("propagationPolicy"), policy,
                      {"Background", "Foreground", "Orphan"});
  return api_error::Invalid("meta.k8s.io", "DeleteOptions", "", errors);
}

// People get JSON with indentation: those who ask, and those who look with curl or a browser.
bool WantsPretty(const bus::HttpRequest& request, const HttpTarget& target) {
  if (target.Has("pretty")) return target.Flag("pretty");
  const std::string_view agent = HeaderOf(request, "user-agent");
  return agent.starts_with("curl/") || agent.starts_with("Mozilla/");
}

// Values that cannot be: numbers that are none (in the words of Go's strconv), unknown choices.
std::optional<ApiStatus> CheckQuery(const HttpTarget& target) {
  for (const char* name : {"limit", "timeoutSeconds", "gracePeriodSeconds"}) {
    int64_t number = 0;
    if (!target.Has(name) || ParseInteger(target.Get(name), &number)) continue;
    return api_error::BadRequest(
        StrCat("strconv.ParseInt: parsing ", Quoted(target.Get(name)), ": invalid syntax"));
  }
  const std::string_view mode = target.Get("fieldValidation");
  if (mode.empty() || mode == "Ignore" || mode == "Warn" || mode == "Strict") return std::nullopt;
  FieldErrorList errors;
  errors.NotSupported(FieldPath("fieldValidation"), mode, {"", "Ignore", "Strict", "Warn"});
  return api_error::Invalid("meta.k8s.io", "CreateOptions", "", errors);
}

std::optional<ApiStatus> ReadQuery(const HttpTarget& target, HttpCall* result) {
  ApiCall& call = result->call;
  if (auto error = CheckQuery(target)) return error;
  call.label_selector = target.Get("labelSelector");
  call.field_selector = target.Get("fieldSelector");
  call.limit = target.Number("limit");
  call.continue_token = target.Get("continue");
  call.resource_version = target.Get("resourceVersion");
  call.resource_version_match = target.Get("resourceVersionMatch");
  call.watch_bookmarks = target.Flag("allowWatchBookmarks");
  call.send_initial_events = target.Flag("sendInitialEvents");
  call.timeout_seconds = target.Number("timeoutSeconds");
  call.field_manager = target.Get("fieldManager");
  call.field_validation = FieldValidationOf(target);
  call.force = target.Flag("force");
  call.propagation_policy = target.Get("propagationPolicy");
  if (target.Has("gracePeriodSeconds"))
    call.grace_period_seconds = target.Number("gracePeriodSeconds");
  if (target.Has("includeObject")) result->format.include_object = target.Get("includeObject");
  if (!IsPropagationPolicy(call.propagation_policy))
    return InvalidPropagationPolicy(call.propagation_policy);
  if (call.limit < 0) return api_error::BadRequest("limit: must not be negative");
  return ReadDryRun(target.Get("dryRun"), &call);
}

std::optional<ApiStatus> ReadPatch(const bus::HttpRequest& request, ApiCall* call) {
  const MediaType type = MediaType::Parse(HeaderOf(request, "content-type"));
  call->patch = request.body();
  if (type.type == "application/json-patch+json") {
    call->patch_type = bus::JSON;
  } else if (type.type == "application/merge-patch+json") {
    call->patch_type = bus::MERGE;
  } else if (type.type == "application/strategic-merge-patch+json") {
    call->patch_type = bus::STRATEGIC_MERGE;
  } else if (type.type == "application/apply-patch+yaml" ||
             type.type == "application/apply-patch+json") {
    call->patch_type = bus::APPLY;
    absl::StatusOr<std::string> json = YamlToJson(request.body());
    if (!json.ok())
      return api_error::BadRequest(
          StrCat("error decoding YAML: ", std::string(json.status().message())));
    call->patch = *std::move(json);
    if (call->field_manager.empty())
      return api_error::BadRequest(
          "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: "
          "Required value: is required for apply patch");
  } else {
    return api_error::UnsupportedMediaType(
        StrCat("the body of the request was in an unknown format - accepted media types include: ",
               kPatchTypes));
  }
  return std::nullopt;
}

std::optional<ApiStatus> ReadDeleteOptions(const bus::HttpRequest& request,
                                           const HttpTarget& target, HttpCall* result) {
  if (request.body().empty()) return std::nullopt;
  OrStatus<MutableObject> body =
      DecodeBody(request, target, KindOf<DeleteOptions>(), &result->warnings);
  if (!body.ok()) return body.status();
  const auto& options = static_cast<const DeleteOptions&>(**body);
  ApiCall& call = result->call;
  if (options.has_grace_period_seconds())
    call.grace_period_seconds = options.grace_period_seconds();
  if (options.has_propagation_policy()) call.propagation_policy = options.propagation_policy();
  if (options.has_orphan_dependents())
    call.propagation_policy = options.orphan_dependents() ? "Orphan" : "Background";
  if (!IsPropagationPolicy(call.propagation_policy))
    return InvalidPropagationPolicy(call.propagation_policy);
  call.precondition_uid = options.preconditions().uid();
  call.precondition_resource_version = options.preconditions().resource_version();
  for (const std::string& value : options.dry_run()) {
    if (auto error = ReadDryRun(value, &call)) return error;
  }
  return std::nullopt;
}

std::optional<ApiStatus> ReadBody(const bus::HttpRequest& request, const HttpTarget& target,
                                  const ResourcePath& path, HttpCall* result) {
  switch (result->call.action) {
    case Action::kPatch:
      return ReadPatch(request, &result->call);
    case Action::kDelete:
    case Action::kDeleteCollection:
      return ReadDeleteOptions(request, target, result);
    case Action::kCreate:
    case Action::kUpdate: {
      OrStatus<MutableObject> body = DecodeBody(request, target, BodyKind(path), &result->warnings);
      if (!body.ok()) return body.status();
      result->call.object = Object::Of(*std::move(body));
      return std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

// Who writes, when the request does not say: the program before the '/' of "kubectl/v1.33.0 (...)".
std::string ManagerOf(std::string_view agent) {
  constexpr size_t kLengthMax = 128;
  std::string manager;
  for (const char c : agent.substr(0, agent.find('/'))) {
    if (c >= 0x20 && c < 0x7f && manager.size() < kLengthMax) manager.push_back(c);
  }
  return manager;
}

}  // namespace

std::string_view HeaderOf(const bus::HttpRequest& request, std::string_view name) {
  for (const auto& header : request.headers()) {
    if (header.name() == name) return header.value();
  }
  return "";
}

std::optional<ResourcePath> ResourcePath::Of(const HttpTarget& target) {
  size_t next = 0;
  std::string group;
  if (Segment(target, 0) == "api") {
    next = 1;
  } else if (Segment(target, 0) == "apis") {
    group = Segment(target, 1);
    next = 2;
  } else {
    return std::nullopt;
  }
  const std::string version = Segment(target, next++);
  ResourcePath path;
  if (Segment(target, next) == "namespaces" && target.segments.size() > next + 2) {
    const std::string third = Segment(target, next + 2);
    // "/namespaces/x/status" is the namespace's own; everything else is inside it.
    if (!group.empty() || (third != "status" && third != "finalize")) {
      path.ns = Segment(target, next + 1);
      next += 2;
    }
  }
  path.kind = FindResource(group, version, Segment(target, next++));
  if (path.kind == nullptr || path.kind->namespaced != (path.kind->namespaced || !path.ns.empty()))
    return std::nullopt;
  path.name = Segment(target, next++);
  path.subresource = Segment(target, next++);
  if (target.segments.size() > next) return std::nullopt;
  if (path.kind->namespaced && path.ns.empty() && !path.name.empty()) return std::nullopt;
  return path;
}

OrStatus<HttpCall> ToCall(const bus::HttpRequest& request, const HttpTarget& target,
                          const ResourcePath& path) {
  HttpCall result;
  if (!HasSubresource(*path.kind, path.subresource)) return api_error::PathNotFound();
  OrStatus<Action> action = ActionOf(request, target, path);
  if (!action.ok()) return action.status();
  if (!Negotiate(HeaderOf(request, "accept"), &result.format)) {
    return api_error::NotAcceptable(
        "only the following media types are accepted: application/json, application/yaml");
  }
  ApiCall& call = result.call;
  call.action = *action;
  call.kind = path.kind;
  call.ns = path.ns;
  call.name = path.name;
  call.subresource = path.subresource;
  if (auto error = ReadQuery(target, &result)) return *std::move(error);
  if (call.field_manager.empty() &&
      HeaderOf(request, "content-type").find("apply-patch") == std::string_view::npos) {
    call.field_manager = ManagerOf(HeaderOf(request, "user-agent"));
  }
  result.format.pretty = WantsPretty(request, target);
  if (auto error = ReadBody(request, target, path, &result)) return *std::move(error);
  return result;
}

}  // namespace kubemu
