// Seeded garbage at both faces: every request is answered, nothing breaks, and what was there
// stays.
#include <gtest/gtest.h>

#include "messages/core/random.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "tests/master/apiserver/master_harness.h"

namespace kubemu {
namespace {

struct Template {
  const char* method;
  const char* target;
  const char* type;
  const char* body;
};

constexpr Template kTemplates[] = {
    {"GET", "/api/v1/pods?limit=2&labelSelector=a%3Db%2Cc%20in%20(d)&continue=eyJ2IjoibWV0YSJ9", "",
     ""},
    {"GET", "/api/v1/namespaces/default/pods?fieldSelector=spec.nodeName%3Dx&resourceVersion=3", "",
     ""},
    {"GET", "/apis/apps/v1/namespaces/default/deployments/web/scale", "", ""},
    {"GET", "/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1", "", ""},
    {"POST", "/api/v1/namespaces/default/services", "application/json",
     R"({"kind":"Service","metadata":{"name":"s"},"spec":{"type":"NodePort","clusterIP":"10.96.0.9",
         "ports":[{"port":80,"nodePort":30081,"targetPort":"x"}]}})"},
    {"POST", "/apis/apps/v1/namespaces/default/deployments", "application/json",
     R"({"kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":2,"selector":{
         "matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[
         {"name":"c","image":"i","resources":{"limits":{"cpu":"100m"}}}]}}}})"},
    {"POST", "/api/v1/namespaces/default/pods", "application/yaml",
     "kind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n  - {name: c, image: i}\n"},
    {"POST", "/api/v1/namespaces", "application/vnd.kubernetes.protobuf",
     "k8s\x01\n\x0f\n\x02v1\x12\tNamespace\x12\x05\n\x03\n\x01x"},
    {"PATCH", "/apis/apps/v1/namespaces/default/deployments/web",
     "application/strategic-merge-patch+json",
     R"({"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"c"}],
         "containers":[{"$patch":"delete","name":"d"},{"name":"c","image":"j"}]}}}})"},
    {"PATCH", "/apis/apps/v1/namespaces/default/deployments/web/status",
     "application/json-patch+json", R"([{"op":"add","path":"/status/replicas","value":1}])"},
    {"PATCH", "/apis/apps/v1/namespaces/default/deployments/web?fieldManager=m",
     "application/apply-patch+yaml", "spec: {replicas: 3}\n"},
    {"PUT", "/apis/apps/v1/namespaces/default/deployments/web/scale", "application/json",
     R"({"kind":"Scale","apiVersion":"autoscaling/v1","spec":{"replicas":4}})"},
    {"DELETE", "/apis/apps/v1/namespaces/default/deployments/web", "application/json",
     R"({"propagationPolicy":"Foreground","preconditions":{"uid":"u"},"gracePeriodSeconds":-1})"},
    {"DELETE", "/api/v1/namespaces/default/services?labelSelector=x", "", ""},
};

std::string Mutated(std::string text, Random& random) {
  const uint64_t changes = random.Uniform(4);
  for (uint64_t i = 0; i < changes && !text.empty(); ++i) {
    const size_t at = random.Uniform(text.size());
    switch (random.Uniform(4)) {
      case 0:
        text[at] = static_cast<char>(random.Uniform(256));
        break;
      case 1:
        text.erase(at, 1 + random.Uniform(8));
        break;
      case 2:
        text.insert(at, text.substr(at, random.Uniform(16)));
        break;
      default:
        text[at] = "{}[]\"',:%/?&=0-"[random.Uniform(15)];
        break;
    }
  }
  return text;
}

TEST(Garbage, EveryHttpRequestIsAnswered) {
  MasterHarness master;
  master.MakeAccount();
  Random random(20);
  for (int i = 0; i < 20'000; ++i) {
    const Template& base = kTemplates[random.Uniform(std::size(kTemplates))];
    std::string body = base.body;
    if (std::string_view(base.type).ends_with("protobuf")) body[3] = '\0';
    const std::string target = Mutated(base.target, random);
    const auto answer =
        master.Http(base.method, target, Mutated(std::move(body), random), base.type);
    ASSERT_GE(answer.status, 200u) << base.method << " " << target;
    ASSERT_LT(answer.status, 600u);
    if (i % 100 == 0) master.Advance(2s);  // lets watches end
  }
  EXPECT_EQ(master.Get("/api/v1/namespaces/default").status, 200u);
  EXPECT_EQ(master.Get("/readyz").body, "ok");
}

TEST(Garbage, EveryCallOnTheBusIsAnswered) {
  MasterHarness master;
  master.MakeAccount();
  Random random(21);
  for (int i = 0; i < 20'000; ++i) {
    bus::ApiRequest request;
    request.set_verb(static_cast<bus::Verb>(random.Uniform(8)));
    request.set_kind(static_cast<uint32_t>(random.Uniform(15)));
    if (random.Chance(0.8)) request.set_namespace_("default");
    if (random.Chance(0.8)) request.set_name(random.Chance(0.5) ? "p" : "kubernetes");
    constexpr const char* kSubresources[] = {"",        "",         "status",   "scale",
                                             "binding", "eviction", "finalize", "x"};
    request.set_subresource(kSubresources[random.Uniform(8)]);
    request.set_patch_type(static_cast<bus::PatchType>(random.Uniform(6)));
    request.set_patch(Mutated(R"({"metadata":{"labels":{"a":"b"}},"spec":{}})", random));
    request.set_limit(static_cast<int64_t>(random.Uniform(3)) - 1);
    request.set_field_selector(Mutated(random.Chance(0.5) ? "" : "metadata.name=p", random));
    Object object;
    if (random.Chance(0.7)) {
      k8s::core::v1::Pod pod;
      pod.mutable_metadata()->set_name("p");
      if (random.Chance(0.5)) pod.mutable_spec()->set_node_name("node-1");
      pod.mutable_spec()->add_containers()->set_name("c");
      if (random.Chance(0.9)) pod.mutable_spec()->mutable_containers(0)->set_image("i");
      object = Object::From(std::move(pod));
    }
    const auto answer =
        master.Call(random.Chance(0.5) ? "node-1/kubelet" : "lb/part", request, std::move(object));
    ASSERT_GE(answer.response.code(), 200u) << request.ShortDebugString();
    ASSERT_LT(answer.response.code(), 600u);
  }
}

}  // namespace
}  // namespace kubemu
