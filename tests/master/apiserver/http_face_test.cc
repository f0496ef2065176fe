#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/master/apiserver/master_harness.h"

namespace kubemu {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kTable =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/"
    "json;as=Table;v=v1beta1;g=meta.k8s.io,"
    "application/json";
constexpr const char* kDiscovery =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

constexpr const char* kNode = R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node-1",
  "labels":{"node-role.kubernetes.io/worker":""}},
  "status":{"nodeInfo":{"kubeletVersion":"v1.33.1"},
  "conditions":[{"type":"Ready","status":"True"}],
  "addresses":[{"type":"InternalIP","address":"127.1.0.1"}]}})";

class HttpFace : public ::testing::Test {
 protected:
  MasterHarness master_;
};

TEST_F(HttpFace, ANewServerHasTheNamespacesAndItsOwnService) {
  EXPECT_EQ(master_.Get("/readyz").body, "ok");
  const auto list = master_.Get("/api/v1/namespaces");
  EXPECT_EQ(list.Text("/kind"), "NamespaceList");
  EXPECT_EQ(list.At("/items").get_array().size(), 4u);
  EXPECT_EQ(list.Text("/items/0/metadata/name"), "default");
  const auto service = master_.Get("/api/v1/namespaces/default/services/kubernetes");
  EXPECT_EQ(service.Text("/spec/clusterIP"), "10.96.0.1");
  const auto slice = master_.Get(
      "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector="
      "kubernetes.io%2Fservice-name%3Dkubernetes");
  EXPECT_EQ(slice.Text("/items/0/ports/0/port"), "6443");
}

TEST_F(HttpFace, AnObjectIsCreatedReadListedAndDeleted) {
  const auto created = master_.Post("/api/v1/nodes", kNode);
  ASSERT_EQ(created.status, 201u) << created.body;
  EXPECT_EQ(created.Text("/spec/taints/0/key"), "node.kubernetes.io/not-ready");
  EXPECT_NE(created.Text("/metadata/uid"), "null");
  const auto read = master_.Get("/api/v1/nodes/node-1");
  EXPECT_EQ(read.status, 200u);
  EXPECT_EQ(read.body, created.body);
  EXPECT_EQ(master_.Get("/api/v1/nodes").At("/items").get_array().size(), 1u);
  const auto deleted =
      master_.Http("DELETE", "/api/v1/nodes/node-1", R"({"propagationPolicy":"Background"})");
  EXPECT_EQ(deleted.Text("/status"), "Success");
  EXPECT_EQ(deleted.Text("/details/uid"), created.Text("/metadata/uid"));
  EXPECT_EQ(master_.Get("/api/v1/nodes/node-1").Text("/message"), "nodes \"node-1\" not found");
}

TEST_F(HttpFace, GetNodesIsATableWithAllColumns) {
  master_.Post("/api/v1/nodes", kNode);
  master_.Advance(65s);
  const auto table = master_.Http("GET", "/api/v1/nodes?limit=500", "", "", kTable);
  EXPECT_EQ(table.Text("/kind"), "Table");
  EXPECT_EQ(table.Text("/columnDefinitions/9/name"), "Container-Runtime");
  EXPECT_EQ(table.Text("/columnDefinitions/9/priority"), "1");
  EXPECT_EQ(table.Text("/rows/0/cells"),
            R"(["node-1","Ready","worker","65s","v1.33.1","127.1.0.1","<none>","<unknown>",)"
            R"("<unknown>","<unknown>"])");
  EXPECT_EQ(table.Text("/rows/0/object/kind"), "PartialObjectMetadata");
  EXPECT_EQ(table.Text("/rows/0/object/metadata/name"), "node-1");
}

TEST_F(HttpFace, DiscoveryComesInTheFormThatIsAccepted) {
  const auto apis = master_.Http("GET", "/apis?timeout=32s", "", "", kDiscovery);
  EXPECT_EQ(apis.content_type,
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  EXPECT_THAT(apis.body, HasSubstr("\"resource\":\"deployments\""));
  EXPECT_THAT(apis.body, HasSubstr("\"subresource\":\"scale\",\"responseKind\":{\"group\":"
                                   "\"autoscaling\",\"version\":\"v1\",\"kind\":\"Scale\"}"));
  EXPECT_EQ(apis.Text("/items/0/versions/0/version"), "v1");
  const auto core = master_.Http("GET", "/api", "", "", kDiscovery);
  EXPECT_THAT(core.body, HasSubstr("\"shortNames\":[\"po\"]"));
  EXPECT_EQ(master_.Get("/api").Text("/kind"), "APIVersions");
  EXPECT_EQ(master_.Get("/apis").Text("/kind"), "APIGroupList");
  EXPECT_EQ(master_.Get("/api/v1").Text("/groupVersion"), "v1");
  EXPECT_THAT(master_.Get("/api/v1").body,
              HasSubstr(R"("name":"pods/eviction","singularName":"","namespaced":true,)"
                        R"("group":"policy","version":"v1","kind":"Eviction")"));
  EXPECT_EQ(master_.Get("/apis/apps/v1").Text("/resources/0/name"), "deployments");
}

TEST_F(HttpFace, PlainEndpointsAnswer) {
  EXPECT_EQ(master_.Get("/version").Text("/minor"), "33");
  EXPECT_THAT(master_.Get("/healthz?verbose").body, StartsWith("[+]ping ok\n"));
  EXPECT_EQ(master_.Get("/livez/ping").body, "ok");
  EXPECT_EQ(master_.Get("/openapi/v2").content_type,
            "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  EXPECT_THAT(master_.Get("/metrics").body,
              HasSubstr("apiserver_storage_objects{resource=\"namespaces\"} 4"));
}

struct BadRequest {
  const char* what;
  const char* method;
  const char* target;
  const char* body;
  uint32_t status;
  const char* message;
};

class BadRequests : public HttpFace, public ::testing::WithParamInterface<BadRequest> {};

TEST_P(BadRequests, AreAnsweredWithAReason) {
  const BadRequest& bad = GetParam();
  const auto answer = master_.Http(bad.method, bad.target, bad.body);
  EXPECT_EQ(answer.status, bad.status) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr(bad.message));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadRequests,
    ::testing::Values(
        BadRequest{"UnknownPath", "GET", "/nosuch", "", 404, "404 page not found"},
        BadRequest{"UnknownResource", "GET", "/api/v1/podz", "", 404, "404 page not found"},
        BadRequest{"NoSuchObject", "GET", "/apis/apps/v1/namespaces/default/deployments/x", "", 404,
                   R"(deployments.apps \"x\" not found)"},
        BadRequest{"BadEscape", "GET", "/api/v1/pods?labelSelector=%zz", "", 400,
                   "invalid URL escape"},
        BadRequest{"WrongMethod", "POST", "/api/v1/nodes/x", "{}", 405, "MethodNotAllowed"},
        BadRequest{"NoJson", "POST", "/api/v1/namespaces", "{", 400, "json parse error"},
        BadRequest{"WrongKind", "POST", "/api/v1/namespaces", R"({"kind":"Pod"})", 400,
                   "cannot be handled as a Namespace"},
        BadRequest{"UnknownField", "POST", "/api/v1/namespaces?fieldValidation=Strict",
                   R"({"kind":"Namespace","metadata":{"name":"x"},"spek":{}})", 400,
                   R"(strict decoding error: unknown field \"spek\")"},
        BadRequest{"WrongType", "POST", "/api/v1/namespaces",
                   R"({"kind":"Namespace","metadata":{"name":7}})", 400, "cannot unmarshal"},
        BadRequest{"MissingNamespace", "POST", "/api/v1/namespaces/none/configmaps",
                   R"({"kind":"ConfigMap","metadata":{"name":"x"}})", 404,
                   R"(namespaces \"none\" not found)"},
        BadRequest{"EvictionByPut", "PUT", "/api/v1/namespaces/default/pods/x/eviction", "{}", 405,
                   "MethodNotAllowed"},
        BadRequest{"NoSuchSubresource", "GET", "/api/v1/nodes/x/scale", "", 404, "NotFound"},
        BadRequest{"BadPropagation", "DELETE", "/api/v1/nodes/x?propagationPolicy=All", "", 422,
                   "propagationPolicy: Unsupported value"},
        BadRequest{"BadLabelSelector", "GET", "/api/v1/pods?labelSelector=%3D%3D", "", 400,
                   "BadRequest"},
        BadRequest{"BadFieldSelector", "GET", "/api/v1/pods?fieldSelector=spec.x%3D1", "", 400,
                   "field label not supported"},
        BadRequest{"DefaultNamespace", "DELETE", "/api/v1/namespaces/default", "", 403,
                   "this namespace may not be deleted"},
        BadRequest{"LimitIsNoNumber", "GET", "/api/v1/pods?limit=abc", "", 400,
                   R"(strconv.ParseInt: parsing \"abc\": invalid syntax)"},
        BadRequest{"AllNamespaces", "DELETE", "/api/v1/namespaces", "", 405, "MethodNotAllowed"},
        BadRequest{"AllPodsOfAllNamespaces", "DELETE", "/api/v1/pods", "", 405, "MethodNotAllowed"},
        BadRequest{"NamelessPut", "PUT", "/api/v1/namespaces/default", "{}", 400,
                   "the name of the object (default based on URL) was undeterminable: name must be "
                   "provided"},
        BadRequest{"OtherName", "PUT", "/api/v1/namespaces/default", R"({"metadata":{"name":"x"}})",
                   400, "the name of the object (x) does not match the name on the URL (default)"},
        BadRequest{"BadFieldValidation", "POST", "/api/v1/namespaces?fieldValidation=Maybe", "{}",
                   422, "fieldValidation: Unsupported value"},
        BadRequest{"TakenName", "POST", "/api/v1/namespaces",
                   R"({"kind":"Namespace","metadata":{"name":"default"}})", 409,
                   R"(namespaces \"default\" already exists)"}),
    [](const auto& info) { return info.param.what; });

TEST_F(HttpFace, ABodyThatIsTooDeepOrTooLargeIsRefused) {
  std::string deep = R"({"kind":"ConfigMap","metadata":{"name":"x"},"data":)";
  deep += std::string(101, '[') + std::string(101, ']') + "}";
  EXPECT_EQ(master_.Post("/api/v1/namespaces/default/configmaps", deep).status, 400u);
  EXPECT_EQ(
      master_.Post("/api/v1/namespaces/default/configmaps", std::string(3 * 1024 * 1024 + 1, 'x'))
          .status,
      413u);
  const std::string big =
      R"({"kind":"Secret","metadata":{"name":"x","annotations":{}},"stringData":{"a":")" +
      std::string(2 * 1024 * 1024, 'x') + "\"}}";
  EXPECT_GE(master_.Post("/api/v1/namespaces/default/secrets", big).status, 413u);
}

TEST_F(HttpFace, UnknownFieldsAreWarnedOfWhenValidationIsNotStrict) {
  const auto answer = master_.Post("/api/v1/namespaces?fieldValidation=Warn",
                                   R"({"kind":"Namespace","metadata":{"name":"x"},"spek":{}})");
  EXPECT_EQ(answer.status, 201u);
  ASSERT_EQ(answer.warnings.size(), 1u);
  EXPECT_EQ(answer.warnings[0], R"(299 - "unknown field \"spek\"")");
}

TEST_F(HttpFace, ReviewsAllowEverythingToEverybody) {
  const auto review =
      master_.Post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                   R"({"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1",
                       "spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}})");
  EXPECT_EQ(review.status, 201u);
  EXPECT_EQ(review.Text("/status/allowed"), "true");
  EXPECT_EQ(master_.Post("/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}")
                .Text("/status/userInfo/username"),
            "kubernetes-admin");
}

}  // namespace
}  // namespace kubemu
