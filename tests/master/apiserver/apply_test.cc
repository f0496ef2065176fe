// Server-side apply: who owns which field, and what follows from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "tests/master/apiserver/master_harness.h"

namespace kubemu {
namespace {

using ::testing::HasSubstr;

constexpr const char* kApplyType = "application/apply-patch+yaml";
constexpr const char* kAppliedWeb = "/apis/apps/v1/namespaces/default/deployments/web";
constexpr const char* kAppliedMap = "/api/v1/namespaces/default/configmaps/m";

class ApplyTest : public ::testing::Test {
 protected:
  MasterHarness::Answer Apply(const char* target, const std::string& manager,
                              const std::string& config, bool force = false) {
    return master_.Http("PATCH",
                        StrCat(target, "?fieldManager=", manager, force ? "&force=true" : ""),
                        config, kApplyType);
  }
  MasterHarness::Answer Edit(const char* target, const std::string& manager,
                             const std::string& patch) {
    return master_.Http("PATCH", StrCat(target, "?fieldManager=", manager), patch,
                        "application/merge-patch+json");
  }
  // A Deployment with these lines in its spec and among its pod's containers.
  static std::string Web(const std::string& spec, const std::string& containers = "") {
    return StrCat(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n", spec,
        "  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n"
        "    spec:\n      containers:\n      - {name: c, image: nginx}\n",
        containers);
  }
  static std::string Map(const std::string& data, const std::string& labels = "{}") {
    return StrCat("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, labels: ", labels,
                  "}\ndata: ", data, "\n");
  }

  MasterHarness master_;
};

TEST_F(ApplyTest, WhatTheManagerNoLongerNamesGoes) {
  EXPECT_EQ(Apply(kAppliedMap, "me", Map("{a: '1', b: '2'}", "{x: y}")).status, 201u);
  EXPECT_EQ(
      Edit(kAppliedMap, "other", R"({"data":{"c":"3"},"metadata":{"labels":{"z":"z"}}})").status,
      200u);
  const auto applied = Apply(kAppliedMap, "me", Map("{a: '1'}"));
  EXPECT_EQ(applied.status, 200u) << applied.body;
  EXPECT_EQ(applied.Text("/data"), R"({"a":"1","c":"3"})");
  EXPECT_EQ(applied.Text("/metadata/labels"), R"({"z":"z"})");
}

TEST_F(ApplyTest, ElementsOfListsAreOwnedOneByOne) {
  EXPECT_EQ(Apply(kAppliedWeb, "me",
                  Web("  replicas: 2\n",
                      "      - name: d\n        image: busybox\n"
                      "        livenessProbe: {tcpSocket: {port: 80}}\n"))
                .status,
            201u);
  const auto no_probe = Apply(kAppliedWeb, "me", Web("", "      - {name: d, image: busybox}\n"));
  EXPECT_EQ(no_probe.status, 200u) << no_probe.body;
  EXPECT_EQ(no_probe.Text("/spec/replicas"), "1");  // the default again
  EXPECT_EQ(no_probe.Text("/spec/template/spec/containers/1/livenessProbe"), "null");
  const auto one = Apply(kAppliedWeb, "me", Web(""));
  EXPECT_EQ(one.Text("/spec/template/spec/containers/0/name"), "c") << one.body;
  EXPECT_EQ(one.Text("/spec/template/spec/containers/1"), "null");
}

TEST_F(ApplyTest, AnotherManagersValueIsAConflict) {
  EXPECT_EQ(Apply(kAppliedWeb, "a", Web("  replicas: 2\n")).status, 201u);
  const auto refused = Apply(kAppliedWeb, "b", Web("  replicas: 3\n"));
  EXPECT_EQ(refused.status, 409u);
  EXPECT_EQ(refused.Text("/reason"), "Conflict");
  EXPECT_EQ(refused.Text("/message"),
            "Apply failed with 1 conflict: conflict with \"a\": .spec.replicas");
  EXPECT_EQ(refused.Text("/details/causes/0/reason"), "FieldManagerConflict");
  EXPECT_EQ(refused.Text("/details/causes/0/field"), ".spec.replicas");
  // The same value is shared; who wants another then asks both.
  EXPECT_EQ(Apply(kAppliedWeb, "b", Web("  replicas: 2\n")).status, 200u);
  EXPECT_THAT(Apply(kAppliedWeb, "a", Web("  replicas: 5\n")).Text("/message"),
              HasSubstr("conflict with \"b\": .spec.replicas"));
  const auto forced = Apply(kAppliedWeb, "a", Web("  replicas: 5\n"), true);
  EXPECT_EQ(forced.Text("/spec/replicas"), "5") << forced.body;
  // Now it is a's alone: it goes with a.
  EXPECT_EQ(Apply(kAppliedWeb, "a", Web("")).Text("/spec/replicas"), "1");
}

TEST_F(ApplyTest, WhatAnEditChangedIsTheEditors) {
  EXPECT_EQ(Apply(kAppliedWeb, "me", Web("  replicas: 2\n")).status, 201u);
  EXPECT_EQ(
      Edit(kAppliedWeb, "kubectl-edit", R"({"spec":{"replicas":7,"minReadySeconds":5}})").status,
      200u);
  EXPECT_EQ(Apply(kAppliedWeb, "me", Web("  replicas: 2\n")).Text("/message"),
            "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1: "
            ".spec.replicas");
  EXPECT_EQ(Apply(kAppliedWeb, "me", Web("  replicas: 2\n  minReadySeconds: 6\n")).Text("/message"),
            "Apply failed with 2 conflicts: conflicts with \"kubectl-edit\" using apps/v1:\n"
            "- .spec.replicas\n- .spec.minReadySeconds");
  EXPECT_EQ(Apply(kAppliedWeb, "me", Web("")).Text("/spec/replicas"), "7");
}

TEST_F(ApplyTest, WhatWasThereBeforeHasAnOwnerToo) {
  master_.Post("/api/v1/namespaces/default/configmaps",
               R"({"kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"1","b":"1"}})");
  EXPECT_EQ(Apply(kAppliedMap, "me", Map("{a: '2'}")).Text("/message"),
            "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.a");
  const auto same = Apply(kAppliedMap, "me", Map("{a: '1'}"));
  EXPECT_EQ(same.Text("/data"), R"({"a":"1","b":"1"})") << same.body;
}

TEST_F(ApplyTest, KubectlGoesOnWithWhatItAppliedFromItsSide) {
  master_.Post("/api/v1/namespaces/default/configmaps",
               R"({"kind":"ConfigMap","metadata":{"name":"m","annotations":{
                   "kubectl.kubernetes.io/last-applied-configuration":
                   "{\"data\":{\"a\":\"1\"}}"}},"data":{"a":"1","b":"1"}})");
  EXPECT_EQ(Apply(kAppliedMap, "kubectl", Map("{a: '2'}")).Text("/data/a"), "2");
  EXPECT_EQ(Apply(kAppliedMap, "kubectl", Map("{b: '2'}")).status, 409u);
}

TEST_F(ApplyTest, TheSetsAreWrittenAsUpstreamDoes) {
  const auto created = Apply(kAppliedWeb, "me", Web("  replicas: 2\n"));
  const std::string entry = "/metadata/managedFields/0";
  EXPECT_EQ(created.Text(StrCat(entry, "/manager")), "me");
  EXPECT_EQ(created.Text(StrCat(entry, "/operation")), "Apply");
  EXPECT_EQ(created.Text(StrCat(entry, "/apiVersion")), "apps/v1");
  EXPECT_EQ(created.Text(StrCat(entry, "/time")), "2023-11-14T22:13:20Z");
  EXPECT_EQ(created.Text(StrCat(entry, "/fieldsV1")),
            R"({"f:spec":{"f:replicas":{},"f:selector":{"f:matchLabels":{"f:app":{}}},)"
            R"("f:template":{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:containers":)"
            R"({"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{}}}}}}})");
  // The same again is no change, not even of the time.
  master_.Advance(5s);
  const auto again = Apply(kAppliedWeb, "me", Web("  replicas: 2\n"));
  EXPECT_EQ(again.Text("/metadata/resourceVersion"), created.Text("/metadata/resourceVersion"));
}

TEST_F(ApplyTest, AConfigurationThatIsNoneIsRefused) {
  EXPECT_EQ(Apply(kAppliedMap, "me", "- a\n- b\n").status, 400u);
  EXPECT_EQ(Apply(kAppliedMap, "", Map("{a: '1'}")).status, 400u);
  // The name is stored: no bytes that are no text, nothing without end.
  for (const std::string& manager :
       {std::string("a%ffb"), std::string("a%0ab"), std::string(129, 'x')})
    EXPECT_EQ(Apply(kAppliedMap, manager, Map("{a: '1'}")).status, 422u) << manager;
}

// Upstream's status and text, whatever the request says about field validation.
TEST_F(ApplyTest, FieldsThatTheKindDoesNotDeclareAreRefused) {
  const std::string manifest = StrCat(
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: default}\n"
      "spec:\n  selector: {matchLabels: {app: web}}\n  replicaz: 2\n");
  for (const char* validation :
       {"", "&fieldValidation=Ignore", "&fieldValidation=Warn", "&fieldValidation=Strict"}) {
    const auto refused = master_.Http("PATCH", StrCat(kAppliedWeb, "?fieldManager=me", validation),
                                      manifest, kApplyType);
    EXPECT_EQ(refused.status, 500u);
    EXPECT_EQ(refused.body,
              R"({"apiVersion":"v1","kind":"Status","metadata":{},"status":"Failure","message":)"
              R"("failed to create typed patch object (default/web; apps/v1, Kind=Deployment): )"
              R"(.spec.replicaz: field not declared in schema","code":500})");
  }
  EXPECT_EQ(master_.Get(kAppliedWeb).status, 404u);
}

TEST_F(ApplyTest, EveryObjectWithAnUndeclaredFieldIsNamed) {
  const auto refused = Apply(kAppliedWeb, "me",
                             Web("  replicas: 1\n",
                                 "      - {name: d, imag: busybox, prots: []}\n"
                                 "      volumes: [{name: v, emptyDir: {sizeLimitt: 1}}]\n"
                                 "      tolerations: [{kee: k}]\n"));
  EXPECT_EQ(refused.Text("/message"),
            "failed to create typed patch object (/web; apps/v1, Kind=Deployment): errors:\n"
            "  .spec.template.spec.containers[name=\"d\"].imag: field not declared in schema\n"
            "  .spec.template.spec.volumes[name=\"v\"].emptyDir.sizeLimitt: field not declared in "
            "schema\n"
            "  .spec.template.spec.tolerations[0].kee: field not declared in schema");
  EXPECT_THAT(Apply(kAppliedMap, "me", Map("{a: b}") + "dat: {c: d}\n").Text("/message"),
              "failed to create typed patch object (/m; /v1, Kind=ConfigMap): .dat: field not "
              "declared in schema");
  // Keys of maps are no fields.
  EXPECT_EQ(Apply(kAppliedMap, "me", Map("{dat: b}", "{foo: bar}")).status, 201u);
}

TEST_F(ApplyTest, WhatNoTypeDescribesIsRefusedHoweverDeepItIs) {
  std::string deep = "1";
  for (int i = 0; i < 95; ++i) deep = StrCat("{\"x\":", deep, "}");
  const auto refused = Apply(
      kAppliedMap, "me",
      StrCat(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"y":)", deep, "}"));
  EXPECT_THAT(refused.body, HasSubstr(".y: field not declared in schema"));
}

}  // namespace
}  // namespace kubemu
