#ifndef KUBEMU_MESSAGES_API_KINDS_H_
#define KUBEMU_MESSAGES_API_KINDS_H_

#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
class Message;
}  // namespace google::protobuf
namespace k8s::meta::v1 {
class ObjectMeta;
}

namespace kubemu {

// One row of the table of kinds. Rows have static storage: compare them by address.
struct Kind {
  // Dense index into AllKinds(); travels on the bus, so rows are only ever appended. -1 for a kind
  // that is not stored (RequestKinds()).
  int id = -1;
  std::string_view group = {};  // "" is the core group
  std::string_view version = {};
  std::string_view kind = {};
  std::string_view plural = {};  // the resource; "" for a kind that is not stored
  std::string_view singular = {};
  std::vector<std::string_view> short_names = {};
  std::vector<std::string_view> categories = {};  // "all": what `kubectl get all` lists
  bool namespaced = false;
  bool has_status = false;  // subresources
  bool has_scale = false;
  const google::protobuf::Message* prototype = nullptr;  // default instance, owned by Protobuf

  // Where the object's metadata is; null for DeleteOptions and Status, which have none.
  const k8s::meta::v1::ObjectMeta& (*meta)(const google::protobuf::Message&) = nullptr;
  k8s::meta::v1::ObjectMeta* (*mutable_meta)(google::protobuf::Message*) = nullptr;

  std::string api_version() const;     // "apps/v1", "v1"
  std::string group_resource() const;  // "deployments.apps", "pods"
};

// The kinds that are stored, by id.
const std::vector<const Kind*>& AllKinds();

// Kinds that only travel: Binding, Scale, Eviction, TokenRequest, SelfSubjectReview,
// SelfSubjectAccessReview, DeleteOptions, Status.
const std::vector<const Kind*>& RequestKinds();

// Of either sort; null if unknown. DeleteOptions is found under every api_version, as upstream
// registers it in every group.
const Kind* FindKind(std::string_view api_version, std::string_view kind);

// A stored kind by its resource; null if unknown.
const Kind* FindResource(std::string_view group, std::string_view version, std::string_view plural);

// A stored kind; null if out of range.
const Kind* KindById(int id);

// Of either sort. The message must be of a kind: checked.
const Kind& KindOfDescriptor(const google::protobuf::Descriptor* descriptor);

template <class T>
const Kind& KindOf() {
  static const Kind& kind = KindOfDescriptor(T::descriptor());
  return kind;
}

// The metadata of an object of a kind that has any: checked.
const k8s::meta::v1::ObjectMeta& MetaOf(const google::protobuf::Message& object);
k8s::meta::v1::ObjectMeta* MutableMetaOf(google::protobuf::Message* object);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_KINDS_H_
