#include "master/apiserver/http/plain.h"

#include <utility>
#include <vector>

#include "google/protobuf/message.h"
#include "master/apiserver/http/discovery.h"
#include "master/apiserver/http/encode.h"
#include "master/apiserver/http/route.h"
#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/api/openapi.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/core/version.h"
#include "messages/proto/k8s/authentication.pb.h"
#include "messages/proto/k8s/authorization.pb.h"
#include "messages/proto/k8s/core_config.pb.h"

namespace kubemu {
namespace {

using k8s::authentication::v1::SelfSubjectReview;
using k8s::authentication::v1::TokenRequest;
using k8s::authorization::v1::SelfSubjectAccessReview;
using k8s::core::v1::ServiceAccount;

constexpr const char* kJsonType = "application/json";
constexpr const char* kText = "text/plain; charset=utf-8";

std::string VersionJson() {
  return StrCat(
      "{\n  \"major\": \"1\",\n  \"minor\": \"33\",\n  \"gitVersion\": \"", kKubernetesVersion,
      "\",\n  \"gitCommit\": \"\",\n  \"gitTreeState\": \"clean\",\n  \"buildDate\": "
      "\"2025-05-15T08:19:08Z\",\n  \"goVersion\": \"kubemu\",\n  \"compiler\": \"g++\",\n  "
      "\"platform\": \"linux/amd64\"\n}");
}

bus::HttpResponse Health(const bus::HttpRequest& request, const HttpTarget& target,
                         const ServerState& state) {
  const std::string& endpoint = target.segments[0];
  const std::vector<std::pair<std::string, bool>> checks = {{"ping", true},
                                                            {"etcd", state.cache.started()}};
  std::string report;
  bool good = true;
  for (const auto& [name, passed] : checks) {
    if (target.segments.size() > 1 && target.segments[1] != name) continue;
    if (target.Get("exclude") == name) {
      StrAppend(&report, "[+]", name, " excluded: ok\n");
      continue;
    }
    good &= passed;
    StrAppend(&report, passed ? "[+]" : "[-]", name,
              passed ? " ok\n" : " failed: reason withheld\n");
  }
  if (!good)
    return PlainResponse(request.request(), 500, kText,
                         StrCat(report, endpoint, " check failed\n"));
  if (target.Has("verbose"))
    return PlainResponse(request.request(), 200, kText,
                         StrCat(report, endpoint, " check passed\n"));
  return PlainResponse(request.request(), 200, kText, "ok");
}

// Prometheus' text format.
std::string Metrics(const ServerState& state) {
  std::string out =
      "# HELP apiserver_storage_objects Number of stored objects.\n"
      "# TYPE apiserver_storage_objects gauge\n";
  for (const Kind* kind : AllKinds()) {
    StrAppend(&out, "apiserver_storage_objects{resource=\"", kind->group_resource(), "\"} ",
              state.cache.All(*kind).size(), "\n");
  }
  StrAppend(&out,
            "# HELP apiserver_longrunning_requests Number of watches.\n"
            "# TYPE apiserver_longrunning_requests gauge\n"
            "apiserver_longrunning_requests{verb=\"WATCH\"} ",
            state.watches, "\n",
            "# HELP apiserver_current_inflight_requests Number of writes in flight.\n"
            "# TYPE apiserver_current_inflight_requests gauge\n"
            "apiserver_current_inflight_requests{request_kind=\"mutating\"} ",
            state.writes_in_flight, "\n",
            "# HELP kubemu_store_revision Newest revision that the API server has seen.\n"
            "# TYPE kubemu_store_revision counter\n"
            "kubemu_store_revision ",
            state.cache.revision(), "\n");
  return out;
}

std::optional<bus::HttpResponse> OpenApiDocument(uint64_t id, const HttpTarget& target,
                                                 const OpenApi& open_api) {
  constexpr std::string_view kV3 = "/openapi/v3";
  if (target.path == "/openapi/v2") return PlainResponse(id, 200, kOpenApiV2Type, open_api.v2());
  if (!target.path.starts_with(kV3)) return std::nullopt;
  std::string_view rest = std::string_view(target.path).substr(kV3.size());
  if (rest.empty() || rest == "/") return PlainResponse(id, 200, kJsonType, open_api.index());
  const std::string* document = open_api.Find(rest.substr(1));
  if (document == nullptr) return std::nullopt;
  return PlainResponse(id, 200, kJsonType, *document);
}

template <class T>
bus::HttpResponse CreatedJson(uint64_t request, const T& object) {
  std::string body;
  AppendJson(object, &KindOf<T>(), &body);
  return PlainResponse(request, 201, kJsonType, std::move(body));
}

// Reviews: there are no users and no rules, so everybody is the admin and may do everything.
std::optional<bus::HttpResponse> AnswerReview(const bus::HttpRequest& request,
                                              const HttpTarget& target) {
  std::vector<std::string> warnings;
  if (target.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") {
    OrStatus<MutableObject> body =
        DecodeBody(request, target, KindOf<SelfSubjectAccessReview>(), &warnings);
    if (!body.ok()) return EncodeStatus(request.request(), body.status());
    auto& review = static_cast<SelfSubjectAccessReview&>(**body);
    review.mutable_status()->set_allowed(true);
    return CreatedJson(request.request(), review);
  }
  // kubectl 1.27 knows the older versions only; they look the same.
  for (const char* version : {"v1", "v1beta1", "v1alpha1"}) {
    if (target.path != StrCat("/apis/authentication.k8s.io/", version, "/selfsubjectreviews"))
      continue;
    SelfSubjectReview review;
    auto* user = review.mutable_status()->mutable_user_info();
    user->set_username("kubernetes-admin");
    user->add_groups("system:masters");
    user->add_groups("system:authenticated");
    std::string status;
    AppendJson(review.status(), nullptr, &status);
    return PlainResponse(request.request(), 201, kJsonType,
                         StrCat("{\"kind\":\"SelfSubjectReview\",\"apiVersion\":"
                                "\"authentication.k8s.io/",
                                version,
                                "\",\"metadata\":{\"creationTimestamp\":null},"
                                "\"status\":",
                                status, "}"));
  }
  return std::nullopt;
}

constexpr int64_t kTokenSeconds = 3600;

// A token that names its account; nothing checks tokens.
std::optional<bus::HttpResponse> Token(const bus::HttpRequest& request, const HttpTarget& target,
                                       ServerState& state) {
  const std::optional<ResourcePath> path = ResourcePath::Of(target);
  if (!path || path->kind != &KindOf<ServiceAccount>() || path->subresource != "token")
    return std::nullopt;
  if (!state.cache.Find(*path->kind, path->ns, path->name)) {
    return EncodeStatus(request.request(),
                        api_error::NotFound(GroupResource{"", "serviceaccounts"}, path->name));
  }
  std::vector<std::string> warnings;
  OrStatus<MutableObject> body = DecodeBody(request, target, KindOf<TokenRequest>(), &warnings);
  if (!body.ok()) return EncodeStatus(request.request(), body.status());
  auto& token = static_cast<TokenRequest&>(**body);
  if (!token.spec().has_expiration_seconds())
    token.mutable_spec()->set_expiration_seconds(kTokenSeconds);
  token.mutable_metadata()->set_name(path->name);
  token.mutable_metadata()->set_namespace_(path->ns);
  SetTime(state.wall, token.mutable_metadata()->mutable_creation_timestamp());
  token.mutable_status()->set_token(
      StrCat("kubemu.system:serviceaccount:", path->ns, ":", path->name, ".", state.random.Uuid()));
  SetTime(state.wall + std::chrono::seconds(token.spec().expiration_seconds()),
          token.mutable_status()->mutable_expiration_timestamp());
  return CreatedJson(request.request(), token);
}

}  // namespace

std::optional<bus::HttpResponse> AnswerPlain(const bus::HttpRequest& request,
                                             const HttpTarget& target, ServerState& state) {
  const uint64_t id = request.request();
  if (target.segments.empty())
    return PlainResponse(id, 200, kJsonType,
                         "{\"paths\":[\"/api\",\"/apis\",\"/healthz\",\"/livez\",\"/metrics\","
                         "\"/openapi/v2\",\"/openapi/v3\",\"/readyz\",\"/version\"]}");
  const std::string& first = target.segments[0];
  if (request.method() == "POST") {
    if (auto review = AnswerReview(request, target)) return review;
    return Token(request, target, state);
  }
  if (request.method() != "GET" && request.method() != "HEAD") return std::nullopt;
  if (first == "healthz" || first == "livez" || first == "readyz")
    return Health(request, target, state);
  if (target.path == "/version") return PlainResponse(id, 200, kJsonType, VersionJson());
  if (target.path == "/metrics")
    return PlainResponse(id, 200, "text/plain; version=0.0.4; charset=utf-8", Metrics(state));
  if (first == "openapi") return OpenApiDocument(id, target, state.open_api());
  if (auto document = Discover(target, HeaderOf(request, "accept"), state.address))
    return PlainResponse(id, 200, document->content_type, std::move(document->body));
  return std::nullopt;
}

}  // namespace kubemu
