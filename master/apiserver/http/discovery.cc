#include "master/apiserver/http/discovery.h"

#include <utility>
#include <vector>

#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr const char* kAllVerbs =
    "[\"create\",\"delete\",\"deletecollection\",\"get\",\"list\",\"patch\",\"update\",\"watch\"]";

constexpr const char* kOneByOne =
    "[\"create\",\"delete\",\"get\",\"list\",\"patch\",\"update\",\"watch\"]";

// A resource, or (with `name` "pods/log") a subresource.
struct Resource {
  std::string name;
  std::string singular;
  std::string kind;
  std::string kind_group;  // of the kind, where it is not the resource's
  std::string kind_version = "v1";
  bool namespaced = false;
  std::string verbs;  // JSON array
  std::vector<std::string_view> short_names;
  std::vector<std::string_view> categories;
};

struct Group {
  std::string name;
  std::vector<Resource> resources;  // each followed by its subresources
};

void AddSubresources(const Kind& kind, std::vector<Resource>* out) {
  const auto add = [&](std::string_view name, std::string_view body_kind, std::string_view group,
                       const char* verbs) {
    Resource resource;
    resource.name = StrCat(kind.plural, "/", name);
    resource.kind = std::string(body_kind);
    resource.kind_group = std::string(group);
    resource.namespaced = kind.namespaced;
    resource.verbs = verbs;
    out->push_back(std::move(resource));
  };
  constexpr const char* kChange = "[\"get\",\"patch\",\"update\"]";
  if (kind.plural == "pods") {
    add("binding", "Binding", "", "[\"create\"]");
    add("eviction", "Eviction", "policy", "[\"create\"]");
    add("log", "Pod", "", "[\"get\"]");
  }
  if (kind.plural == "namespaces") add("finalize", "Namespace", "", "[\"update\"]");
  if (kind.plural == "serviceaccounts")
    add("token", "TokenRequest", "authentication.k8s.io", "[\"create\"]");
  if (kind.has_scale) add("scale", "Scale", "autoscaling", kChange);
  if (kind.has_status) add("status", kind.kind, kind.group, kChange);
}

Resource ReviewResource(const char* plural, const char* singular, const char* kind,
                        const char* group) {
  Resource resource;
  resource.name = plural;
  resource.singular = singular;
  resource.kind = kind;
  resource.kind_group = group;
  resource.verbs = "[\"create\"]";
  return resource;
}

// All groups, the core group ("") first, then in the order in which their kinds stand in the table.
std::vector<Group> Groups() {
  std::vector<Group> groups;
  for (const Kind* kind : AllKinds()) {
    Group* group = nullptr;
    for (Group& present : groups) {
      if (present.name == kind->group) group = &present;
    }
    if (group == nullptr) group = &groups.emplace_back(Group{std::string(kind->group), {}});
    Resource resource;
    resource.name = std::string(kind->plural);
    resource.singular = std::string(kind->singular);
    resource.kind = std::string(kind->kind);
    resource.kind_group = std::string(kind->group);
    resource.namespaced = kind->namespaced;
    resource.verbs = kind->plural == "namespaces" ? kOneByOne : kAllVerbs;
    resource.short_names = kind->short_names;
    resource.categories = kind->categories;
    group->resources.push_back(std::move(resource));
    AddSubresources(*kind, &group->resources);
  }
  groups.push_back({"authentication.k8s.io",
                    {ReviewResource("selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview",
                                    "authentication.k8s.io")}});
  groups.push_back({"authorization.k8s.io",
                    {ReviewResource("selfsubjectaccessreviews", "selfsubjectaccessreview",
                                    "SelfSubjectAccessReview", "authorization.k8s.io")}});
  return groups;
}

void AppendNames(const char* member, const std::vector<std::string_view>& names, std::string* out) {
  if (names.empty()) return;
  StrAppend(out, ",\"", member, "\":[");
  bool first = true;
  for (const std::string_view name : names) {
    if (!std::exchange(first, false)) out->push_back(',');
    StrAppend(out, "\"", name, "\"");
  }
  out->push_back(']');
}

void AppendResponseKind(const Resource& resource, std::string* out) {
  StrAppend(out, "\"responseKind\":{\"group\":\"", resource.kind_group, "\",\"version\":\"",
            resource.kind_version, "\",\"kind\":\"", resource.kind, "\"}");
}

void AppendAggregatedResources(const Group& group, std::string* out) {
  bool open = false;  // a resource whose subresources may follow
  bool has_subresources = false;
  for (const Resource& resource : group.resources) {
    const size_t slash = resource.name.find('/');
    if (slash != std::string::npos) {
      out->append(has_subresources ? "," : ",\"subresources\":[");
      has_subresources = true;
      StrAppend(out, "{\"subresource\":\"", resource.name.substr(slash + 1), "\",");
      AppendResponseKind(resource, out);
      StrAppend(out, ",\"verbs\":", resource.verbs, "}");
      continue;
    }
    if (open) out->append(has_subresources ? "]}," : "},");
    open = true;
    has_subresources = false;
    StrAppend(out, "{\"resource\":\"", resource.name, "\",");
    AppendResponseKind(resource, out);
    StrAppend(out, ",\"scope\":\"", resource.namespaced ? "Namespaced" : "Cluster",
              "\",\"singularResource\":\"", resource.singular, "\",\"verbs\":", resource.verbs);
    AppendNames("shortNames", resource.short_names, out);
    AppendNames("categories", resource.categories, out);
  }
  if (open) out->append(has_subresources ? "]}" : "}");
}

Document Aggregated(bool core, const AnswerFormat& format) {
  const std::string version = format.form == AnswerFormat::Form::kDiscoveryV2 ? "v2" : "v2beta1";
  Document document;
  document.content_type =
      StrCat("application/json;g=apidiscovery.k8s.io;v=", version, ";as=APIGroupDiscoveryList");
  std::string& out = document.body;
  StrAppend(&out, "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/",
            version, "\",\"metadata\":{},\"items\":[");
  bool first = true;
  for (const Group& group : Groups()) {
    if (group.name.empty() != core) continue;
    if (!std::exchange(first, false)) out.push_back(',');
    out.append("{\"metadata\":{");
    if (!core) StrAppend(&out, "\"name\":\"", group.name, "\",");
    out.append("\"creationTimestamp\":null},\"versions\":[{\"version\":\"v1\",\"resources\":[");
    AppendAggregatedResources(group, &out);
    out.append("],\"freshness\":\"Current\"}]}");
  }
  out.append("]}");
  return document;
}

std::string GroupJson(const Group& group, bool whole) {
  std::string out = "{";
  if (whole) out.append("\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",");
  const std::string version =
      StrCat("{\"groupVersion\":\"", group.name, "/v1\",\"version\":\"v1\"}");
  StrAppend(&out, "\"name\":\"", group.name, "\",\"versions\":[", version,
            "],\"preferredVersion\":", version, "}");
  return out;
}

std::string ResourceListJson(const Group& group) {
  std::string out = "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"";
  if (!group.name.empty()) StrAppend(&out, group.name, "/");
  out.append("v1\",\"resources\":[");
  bool first = true;
  for (const Resource& resource : group.resources) {
    if (!std::exchange(first, false)) out.push_back(',');
    StrAppend(&out, "{\"name\":\"", resource.name, "\",\"singularName\":\"", resource.singular,
              "\",\"namespaced\":", resource.namespaced ? "true" : "false");
    // Only where they are not those of the list.
    if (resource.kind_group != group.name) {
      StrAppend(&out, ",\"group\":\"", resource.kind_group, "\",\"version\":\"",
                resource.kind_version, "\"");
    }
    StrAppend(&out, ",\"kind\":\"", resource.kind, "\",\"verbs\":", resource.verbs);
    AppendNames("shortNames", resource.short_names, &out);
    AppendNames("categories", resource.categories, &out);
    out.push_back('}');
  }
  out.append("]}");
  return out;
}

std::string ApiVersionsJson(std::string_view address) {
  return StrCat(
      "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],\"serverAddressByClientCIDRs\":"
      "[{\"clientCIDR\":\"0.0.0.0/0\",\"serverAddress\":\"",
      address, "\"}]}");
}

std::string GroupListJson() {
  std::string out = "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[";
  bool first = true;
  for (const Group& group : Groups()) {
    if (group.name.empty()) continue;
    if (!std::exchange(first, false)) out.push_back(',');
    out.append(GroupJson(group, false));
  }
  out.append("]}");
  return out;
}

}  // namespace

std::optional<Document> Discover(const HttpTarget& target, std::string_view accept,
                                 std::string_view address) {
  const std::vector<std::string>& path = target.segments;
  if (path.empty() || path.size() > 3 || (path[0] != "api" && path[0] != "apis"))
    return std::nullopt;
  const bool core = path[0] == "api";
  const auto json = [](std::string body) { return Document{"application/json", std::move(body)}; };
  if (path.size() == 1) {
    AnswerFormat format;
    if (Negotiate(accept, &format) && format.form != AnswerFormat::Form::kObject &&
        format.form != AnswerFormat::Form::kTable)
      return Aggregated(core, format);
    return json(core ? ApiVersionsJson(address) : GroupListJson());
  }
  if (core && (path.size() > 2 || path[1] != "v1")) return std::nullopt;
  for (const Group& group : Groups()) {
    if (group.name != (core ? "" : path[1])) continue;
    if (core) return json(ResourceListJson(group));
    if (path.size() == 2) return json(GroupJson(group, true));
    if (path[2] == "v1") return json(ResourceListJson(group));
  }
  return std::nullopt;
}

}  // namespace kubemu
