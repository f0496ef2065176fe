#include "messages/api/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "boost/json.hpp"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

class OpenApiTest : public testing::Test {
 protected:
  boost::json::value Document(std::string_view path) {
    const std::string* text = api_.Find(path);
    EXPECT_NE(text, nullptr) << path;
    return text == nullptr ? boost::json::value() : boost::json::parse(*text);
  }

  OpenApi api_;
};

TEST_F(OpenApiTest, IndexNamesEveryGroupAndItsDocumentExists) {
  const boost::json::value index = boost::json::parse(api_.index());
  const boost::json::object& paths = index.at("paths").as_object();
  for (const Kind* kind : AllKinds()) {
    const std::string path = StrCat(kind->group.empty() ? "api/" : "apis/", kind->api_version());
    ASSERT_TRUE(paths.contains(path)) << path;
    EXPECT_NE(api_.Find(path), nullptr);
    const auto& url = paths.at(path).at("serverRelativeURL").as_string();
    EXPECT_TRUE(url.starts_with(StrCat("/openapi/v3/", path, "?hash="))) << url;
  }
  EXPECT_EQ(api_.Find("apis/batch/v1"), nullptr);
}

// kubectl apply asks whether the server validates fields by looking for this parameter.
TEST_F(OpenApiTest, PatchOfEveryKindTakesFieldValidation) {
  for (const Kind* kind : AllKinds()) {
    const std::string path = StrCat(kind->group.empty() ? "api/" : "apis/", kind->api_version());
    const boost::json::value document = Document(path);
    const std::string url = StrCat("/", path, kind->namespaced ? "/namespaces/{namespace}/" : "/",
                                   kind->plural, "/{name}");
    const boost::json::value& patch = document.at("paths").at(url).at("patch");
    EXPECT_EQ(std::string(patch.at("x-kubernetes-group-version-kind").at("kind").as_string()),
              kind->kind);
    bool found = false;
    for (const auto& parameter : patch.at("parameters").as_array()) {
      found |= parameter.at("name").as_string() == "fieldValidation";
    }
    EXPECT_TRUE(found) << url;
  }
}

TEST_F(OpenApiTest, EveryReferenceLeadsToASchema) {
  for (const char* path : {"api/v1", "apis/apps/v1", "apis/discovery.k8s.io/v1"}) {
    const boost::json::value document = Document(path);
    const auto& schemas = document.at("components").at("schemas").as_object();
    const std::string text = *api_.Find(path);
    const std::string_view marker = "\"$ref\":\"#/components/schemas/";
    size_t references = 0;
    for (size_t at = text.find(marker); at != std::string::npos; at = text.find(marker, at + 1)) {
      const size_t begin = at + marker.size();
      const std::string name = text.substr(begin, text.find('"', begin) - begin);
      EXPECT_TRUE(schemas.contains(name)) << name;
      ++references;
    }
    EXPECT_GT(references, 5u);
  }
}

TEST_F(OpenApiTest, SchemasSayTypesMergeKeysAndWhatIsRequired) {
  const boost::json::value document = Document("apis/apps/v1");
  const auto& schemas = document.at("components").at("schemas").as_object();
  const auto& pod = schemas.at("io.k8s.api.core.v1.PodSpec");
  const auto& containers = pod.at("properties").at("containers");
  EXPECT_EQ(containers.at("x-kubernetes-patch-merge-key").as_string(), "name");
  EXPECT_EQ(containers.at("type").as_string(), "array");
  EXPECT_EQ(pod.at("required").as_array(), (boost::json::array{"containers"}));
  const auto& spec = schemas.at("io.k8s.api.apps.v1.DeploymentSpec").at("properties");
  EXPECT_EQ(spec.at("replicas").at("format").as_string(), "int32");
  EXPECT_FALSE(spec.at("replicas").at("description").as_string().empty());
  // Inlined fields stand in their parent.
  const auto& volume = schemas.at("io.k8s.api.core.v1.Volume").at("properties").as_object();
  EXPECT_TRUE(volume.contains("emptyDir"));
  EXPECT_FALSE(volume.contains("volumeSource"));
  const auto& deployment = schemas.at("io.k8s.api.apps.v1.Deployment");
  EXPECT_EQ(deployment.at("x-kubernetes-group-version-kind").at(0).at("kind").as_string(),
            "Deployment");
  EXPECT_TRUE(deployment.at("properties").as_object().contains("apiVersion"));
}

}  // namespace
}  // namespace kubemu
