#include "messages/api/kinds.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/authentication.pb.h"
#include "messages/proto/k8s/authorization.pb.h"
#include "messages/proto/k8s/autoscaling.pb.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"
#include "messages/proto/k8s/meta_request.pb.h"
#include "messages/proto/k8s/policy.pb.h"

namespace kubemu {
namespace {

using google::protobuf::Descriptor;
using ProtoMessage = google::protobuf::Message;
using k8s::meta::v1::ObjectMeta;

template <class T>
const ObjectMeta& MetaIn(const ProtoMessage& object) {
  return static_cast<const T&>(object).metadata();
}

template <class T>
ObjectMeta* MutableMetaIn(ProtoMessage* object) {
  return static_cast<T*>(object)->mutable_metadata();
}

template <class T>
Kind WithMeta(Kind kind) {
  kind.prototype = &T::default_instance();
  kind.meta = &MetaIn<T>;
  kind.mutable_meta = &MutableMetaIn<T>;
  return kind;
}

template <class T>
Kind WithoutMeta(Kind kind) {
  kind.prototype = &T::default_instance();
  return kind;
}

Kind Travelling(std::string_view group, std::string_view name) {
  return {.group = group, .version = "v1", .kind = name, .namespaced = true};
}

enum Traits : unsigned { kNamespaced = 1, kInAll = 2, kStatus = 4, kScale = 8 };

// `short_name` is "" for none.
Kind Stored(std::string_view group, std::string_view name, std::string_view plural,
            std::string_view singular, std::string_view short_name, unsigned traits) {
  Kind kind{.group = group, .version = "v1", .kind = name, .plural = plural, .singular = singular};
  if (!short_name.empty()) kind.short_names = {short_name};
  if (traits & kInAll) kind.categories = {"all"};
  kind.namespaced = traits & kNamespaced;
  kind.has_status = traits & kStatus;
  kind.has_scale = traits & kScale;
  return kind;
}

// The order is the id: append only.
std::vector<Kind> MakeStoredKinds() {
  using namespace k8s;  // NOLINT: a table of their names
  std::vector<Kind> kinds = {
      WithMeta<core::v1::Node>(Stored("", "Node", "nodes", "node", "no", kStatus)),
      WithMeta<core::v1::Pod>(
          Stored("", "Pod", "pods", "pod", "po", kNamespaced | kInAll | kStatus)),
      WithMeta<core::v1::Service>(
          Stored("", "Service", "services", "service", "svc", kNamespaced | kInAll | kStatus)),
      WithMeta<core::v1::Endpoints>(
          Stored("", "Endpoints", "endpoints", "endpoints", "ep", kNamespaced)),
      WithMeta<discovery::v1::EndpointSlice>(Stored(
          "discovery.k8s.io", "EndpointSlice", "endpointslices", "endpointslice", "", kNamespaced)),
      WithMeta<core::v1::Namespace>(
          Stored("", "Namespace", "namespaces", "namespace", "ns", kStatus)),
      WithMeta<core::v1::Event>(Stored("", "Event", "events", "event", "ev", kNamespaced)),
      WithMeta<core::v1::ConfigMap>(
          Stored("", "ConfigMap", "configmaps", "configmap", "cm", kNamespaced)),
      WithMeta<core::v1::Secret>(Stored("", "Secret", "secrets", "secret", "", kNamespaced)),
      WithMeta<core::v1::ServiceAccount>(
          Stored("", "ServiceAccount", "serviceaccounts", "serviceaccount", "sa", kNamespaced)),
      WithMeta<coordination::v1::Lease>(
          Stored("coordination.k8s.io", "Lease", "leases", "lease", "", kNamespaced)),
      WithMeta<apps::v1::Deployment>(Stored("apps", "Deployment", "deployments", "deployment",
                                            "deploy", kNamespaced | kInAll | kStatus | kScale)),
      WithMeta<apps::v1::ReplicaSet>(Stored("apps", "ReplicaSet", "replicasets", "replicaset", "rs",
                                            kNamespaced | kInAll | kStatus | kScale)),
  };
  for (size_t i = 0; i < kinds.size(); ++i) kinds[i].id = static_cast<int>(i);
  return kinds;
}

std::vector<Kind> MakeRequestKinds() {
  using namespace k8s;  // NOLINT: a table of their names
  return {
      WithMeta<core::v1::Binding>(Travelling("", "Binding")),
      WithMeta<autoscaling::v1::Scale>(Travelling("autoscaling", "Scale")),
      WithMeta<policy::v1::Eviction>(Travelling("policy", "Eviction")),
      WithMeta<authentication::v1::TokenRequest>(
          Travelling("authentication.k8s.io", "TokenRequest")),
      WithMeta<authentication::v1::SelfSubjectReview>(
          Travelling("authentication.k8s.io", "SelfSubjectReview")),
      WithMeta<authorization::v1::SelfSubjectAccessReview>(
          Travelling("authorization.k8s.io", "SelfSubjectAccessReview")),
      WithoutMeta<meta::v1::DeleteOptions>(Travelling("", "DeleteOptions")),
      WithoutMeta<meta::v1::Status>(Travelling("", "Status")),
  };
}

// Every lookup that the public functions need, made once.
struct Table {
  std::vector<Kind> stored = MakeStoredKinds();
  std::vector<Kind> request = MakeRequestKinds();
  std::vector<const Kind*> stored_rows;
  std::vector<const Kind*> request_rows;
  std::vector<std::pair<const Descriptor*, const Kind*>> by_descriptor;  // sorted by address

  Table() {
    for (Kind& kind : stored) {
      stored_rows.push_back(&kind);
      by_descriptor.emplace_back(kind.prototype->GetDescriptor(), &kind);
    }
    for (const Kind& kind : request) {
      request_rows.push_back(&kind);
      by_descriptor.emplace_back(kind.prototype->GetDescriptor(), &kind);
    }
    std::sort(by_descriptor.begin(), by_descriptor.end(),
              [](const auto& a, const auto& b) { return std::less<>()(a.first, b.first); });
  }
};

const Table& TheTable() {
  static const Table table;
  return table;
}

bool HasApiVersion(const Kind& kind, std::string_view api_version) {
  if (kind.group.empty()) return api_version == kind.version;
  return api_version.size() == kind.group.size() + 1 + kind.version.size() &&
         api_version.starts_with(kind.group) && api_version[kind.group.size()] == '/' &&
         api_version.ends_with(kind.version);
}

}  // namespace

std::string Kind::api_version() const {
  return group.empty() ? std::string(version) : StrCat(group, "/", version);
}

std::string Kind::group_resource() const {
  return group.empty() ? std::string(plural) : StrCat(plural, ".", group);
}

const std::vector<const Kind*>& AllKinds() {
  return TheTable().stored_rows;
}

const std::vector<const Kind*>& RequestKinds() {
  return TheTable().request_rows;
}

const Kind* FindKind(std::string_view api_version, std::string_view kind) {
  for (const Kind* row : AllKinds()) {
    if (row->kind == kind && HasApiVersion(*row, api_version)) return row;
  }
  for (const Kind* row : RequestKinds()) {
    if (row->kind != kind) continue;
    if (HasApiVersion(*row, api_version) || kind == "DeleteOptions") return row;
  }
  return nullptr;
}

const Kind* FindResource(std::string_view group, std::string_view version,
                         std::string_view plural) {
  for (const Kind* row : AllKinds()) {
    if (row->plural == plural && row->group == group && row->version == version) return row;
  }
  return nullptr;
}

const Kind* KindById(int id) {
  const std::vector<const Kind*>& rows = AllKinds();
  return id >= 0 && id < static_cast<int>(rows.size()) ? rows[id] : nullptr;
}

const Kind& KindOfDescriptor(const Descriptor* descriptor) {
  const auto& rows = TheTable().by_descriptor;
  const auto found = std::lower_bound(
      rows.begin(), rows.end(), descriptor,
      [](const auto& row, const Descriptor* wanted) { return std::less<>()(row.first, wanted); });
  KUBEMU_CHECK(found != rows.end() && found->first == descriptor);
  return *found->second;
}

const ObjectMeta& MetaOf(const ProtoMessage& object) {
  const Kind& kind = KindOfDescriptor(object.GetDescriptor());
  KUBEMU_CHECK(kind.meta != nullptr);
  return kind.meta(object);
}

ObjectMeta* MutableMetaOf(ProtoMessage* object) {
  const Kind& kind = KindOfDescriptor(object->GetDescriptor());
  KUBEMU_CHECK(kind.mutable_meta != nullptr);
  return kind.mutable_meta(object);
}

}  // namespace kubemu
