#include "messages/api/openapi_v2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "messages/api/kinds.h"
#include "messages/api/openapi.h"
#include "messages/core/strings.h"
#include "messages/proto/openapi_v2.pb.h"

namespace kubemu {
namespace {

using openapi_v2::NamedSchema;
using openapi_v2::Schema;

std::string Extension(const google::protobuf::RepeatedPtrField<openapi_v2::NamedAny>& extensions,
                      std::string_view name) {
  for (const auto& extension : extensions) {
    if (extension.name() == name) return extension.value().yaml();
  }
  return "";
}

std::string GroupVersionKind(const Kind& kind) {
  return StrCat(R"({"group":")", kind.group, R"(","kind":")", kind.kind, R"(","version":")",
                kind.version, R"("})");
}

class OpenApiV2 : public testing::Test {
 protected:
  OpenApiV2() { EXPECT_TRUE(document_.ParseFromString(OpenApi().v2())); }

  static const Schema& Member(const google::protobuf::RepeatedPtrField<NamedSchema>& members,
                              std::string_view name) {
    for (const NamedSchema& member : members) {
      if (member.name() == name) return member.value();
    }
    ADD_FAILURE() << "no schema " << name;
    return Schema::default_instance();
  }
  const Schema& Definition(std::string_view name) const {
    return Member(document_.definitions().additional_properties(), name);
  }
  const Schema& Property(std::string_view type, std::string_view name) const {
    return Member(Definition(type).properties().additional_properties(), name);
  }

  openapi_v2::Document document_;
};

// kubectl before 1.27 looks here before apply --dry-run=server and diff.
TEST_F(OpenApiV2, PatchOfEveryKindTakesDryRunAndFieldValidation) {
  std::set<std::string> dry_run;
  std::set<std::string> field_validation;
  for (const auto& path : document_.paths().path()) {
    const openapi_v2::Operation& patch = path.value().patch();
    const std::string kind = Extension(patch.vendor_extension(), "x-kubernetes-group-version-kind");
    for (const auto& item : patch.parameters()) {
      const auto& query = item.parameter().non_body_parameter().query_parameter();
      EXPECT_EQ(query.in(), "query");
      if (query.name() == "dryRun") dry_run.insert(kind);
      if (query.name() == "fieldValidation") field_validation.insert(kind);
    }
  }
  for (const Kind* kind : AllKinds()) {
    EXPECT_THAT(dry_run, testing::Contains(GroupVersionKind(*kind)));
    EXPECT_THAT(field_validation, testing::Contains(GroupVersionKind(*kind)));
  }
}

// kubectl explain looks for the definition of a kind by this member.
TEST_F(OpenApiV2, EveryKindHasADefinitionOnce) {
  std::map<std::string, int> found;
  for (const auto& named : document_.definitions().additional_properties()) {
    const std::string kinds =
        Extension(named.value().vendor_extension(), "x-kubernetes-group-version-kind");
    for (const Kind* kind : AllKinds()) {
      if (kinds.find(GroupVersionKind(*kind)) != std::string::npos)
        ++found[GroupVersionKind(*kind)];
    }
  }
  for (const Kind* kind : AllKinds()) {
    EXPECT_EQ(found[GroupVersionKind(*kind)], 1) << GroupVersionKind(*kind);
  }
}

void References(const Schema& schema, std::set<std::string>* names) {
  if (!schema.ref().empty()) {
    // kubectl refuses the whole document if a reference has a type.
    EXPECT_FALSE(schema.has_type()) << schema.ref();
    names->insert(schema.ref());
  }
  for (const Schema& item : schema.items().schema()) References(item, names);
  if (schema.has_additional_properties()) {
    References(schema.additional_properties().schema(), names);
  }
  for (const auto& member : schema.properties().additional_properties()) {
    References(member.value(), names);
  }
}

TEST_F(OpenApiV2, EveryReferenceLeadsToADefinition) {
  std::set<std::string> references;
  std::set<std::string> definitions;
  for (const auto& named : document_.definitions().additional_properties()) {
    EXPECT_TRUE(definitions.insert(StrCat("#/definitions/", named.name())).second) << named.name();
    References(named.value(), &references);
  }
  EXPECT_GT(references.size(), 50u);
  EXPECT_THAT(definitions, testing::IsSupersetOf(references));
}

// kubectl before 1.24 refuses manifests by these types.
TEST_F(OpenApiV2, SchemasSayTypesAsValidationWantsThem) {
  EXPECT_EQ(Property("io.k8s.api.apps.v1.DeploymentSpec", "replicas").type().value(0), "integer");
  const Schema& labels = Property("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "labels");
  EXPECT_EQ(labels.type().value(0), "object");
  EXPECT_EQ(labels.additional_properties().schema().type().value(0), "string");
  const Schema& port = Definition("io.k8s.apimachinery.pkg.util.intstr.IntOrString");
  EXPECT_EQ(port.type().value(0), "string");
  EXPECT_EQ(port.format(), "int-or-string");
  EXPECT_EQ(Definition("io.k8s.apimachinery.pkg.api.resource.Quantity").type().value(0), "string");
  EXPECT_EQ(Property("io.k8s.api.core.v1.ResourceRequirements", "limits")
                .additional_properties()
                .schema()
                .ref(),
            "#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity");
  EXPECT_EQ(Property("io.k8s.api.core.v1.Secret", "data").additional_properties().schema().format(),
            "byte");
}

TEST_F(OpenApiV2, SchemasSayMergeKeysDescriptionsAndWhatIsRequired) {
  const Schema& containers = Property("io.k8s.api.core.v1.PodSpec", "containers");
  EXPECT_EQ(Extension(containers.vendor_extension(), "x-kubernetes-patch-merge-key"), R"("name")");
  EXPECT_EQ(containers.items().schema(0).ref(), "#/definitions/io.k8s.api.core.v1.Container");
  EXPECT_FALSE(containers.description().empty());
  EXPECT_THAT(Definition("io.k8s.api.core.v1.PodSpec").required(),
              testing::ElementsAre("containers"));
}

}  // namespace
}  // namespace kubemu
