#include "lab/simulator/manifest.h"

#include <boost/json.hpp>

#include "master/apiserver/http/yaml.h"
#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

std::vector<std::string> SplitDocuments(std::string_view yaml) {
  std::vector<std::string> documents(1);
  for (std::string_view line : StrSplit(yaml, '\n')) {
    if (line == "---") {
      documents.emplace_back();
    } else {
      StrAppend(&documents.back(), line, "\n");
    }
  }
  return documents;
}

bool IsBlank(std::string_view document) {
  for (std::string_view line : StrSplit(document, '\n')) {
    const std::string_view text = StripSpaces(line);
    if (!text.empty() && text[0] != '#') return false;
  }
  return true;
}

std::string Text(const boost::json::value& json, const char* pointer) {
  boost::system::error_code error;
  const boost::json::value* found = json.find_pointer(pointer, error);
  if (found == nullptr || !found->is_string()) return "";
  return std::string(found->get_string());
}

absl::StatusOr<ManifestObject> ReadObject(const std::string& document) {
  auto text = YamlToJson(document);
  if (!text.ok()) return text.status();
  const auto json = ParseJson(*text);
  if (!json.ok()) return json.status();
  const std::string version = Text(*json, "/apiVersion");
  const Kind* kind = FindKind(version, Text(*json, "/kind"));
  if (kind == nullptr || kind->plural.empty()) {
    return absl::InvalidArgumentError(
        StrCat("no kind \"", Text(*json, "/kind"), "\" in version \"", version, "\""));
  }
  ManifestObject object;
  object.name = Text(*json, "/metadata/name");
  object.json = *std::move(text);
  object.collection = StrCat(kind->group.empty() ? "/api/" : "/apis/", kind->api_version());
  if (kind->namespaced) {
    const std::string ns = Text(*json, "/metadata/namespace");
    StrAppend(&object.collection, "/namespaces/", ns.empty() ? "default" : ns);
  }
  StrAppend(&object.collection, "/", kind->plural);
  return object;
}

}  // namespace

absl::StatusOr<std::vector<ManifestObject>> ReadManifest(std::string_view yaml) {
  std::vector<ManifestObject> objects;
  int number = 0;
  for (const std::string& document : SplitDocuments(yaml)) {
    if (IsBlank(document)) continue;
    ++number;
    auto object = ReadObject(document);
    if (!object.ok()) {
      return absl::InvalidArgumentError(
          StrCat("document ", number, ": ", std::string(object.status().message())));
    }
    objects.push_back(*std::move(object));
  }
  return objects;
}

}  // namespace kubemu
